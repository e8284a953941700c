/* The FILE of steno-jsonl: appends lines, syncs, and begins a new file when it is time. Invariant: FILE is whole lines, and after jsonl_file_put said STENO_OK
 * (and, by the policy, the disk has them) they are in it or in one that was rotated away; if it failed, none of them is.
 */
#ifndef SUBSCRIBERS_JSONL_FILE_H
#define SUBSCRIBERS_JSONL_FILE_H

#include <sys/types.h>

#include "subscribers/jsonl_archive.h"
#include "subscribers/jsonl_tail.h"

#define JSONL_SYNC_EACH 0
#define JSONL_SYNC_NEVER (-1)

typedef struct jsonl_settings {
    const char *path;
    int64_t size_max; /* rotate before it grows beyond; 0: never */
    bool daily;       /* rotate when the day has changed, local time */
    bool gzip;
    unsigned keep;   /* rotated files; 0: all */
    int64_t sync_ms; /* between two syncs, or JSONL_SYNC_… */
} jsonl_settings;

typedef struct jsonl_file jsonl_file;

/* Opens or makes the file (0600) and cuts off a torn last line; *cut is how many bytes. *tail: what it and those that were rotated away hold at their ends (owned by the caller).
 * STENO_BUSY: another steno-jsonl writes to it.
 */
steno_status jsonl_file_open(const jsonl_settings *settings, jsonl_file **out, jsonl_tail **tail, off_t *cut,
                             steno_error *error);
/* What has not been synced is, unless the policy is never. */
void jsonl_file_close(jsonl_file *self);
/* How many bytes may be put at once: what the file has room for until it is rotated, or as much as a new one has. */
size_t jsonl_file_room(const jsonl_file *self);
/* Appends whole lines, the last of which has that offset. */
steno_status jsonl_file_put(jsonl_file *self, const void *lines, size_t size, uint64_t last_offset, steno_error *error);
/* Called now and then: does what is due by the clock. */
steno_status jsonl_file_tick(jsonl_file *self, steno_error *error);
/* Closes the file and opens what is under its name now (logrotate), at the next put or tick. Safe in a signal handler. */
void jsonl_file_reopen(jsonl_file *self);
/* What is wrong with the files that were rotated away, "" if nothing. */
void jsonl_file_problem(jsonl_file *self, char out[256]);

#endif
