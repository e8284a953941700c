/* The files that steno-jsonl has rotated away: FILE.2026-11-29.000000012345, the day and the last offset in it. Names them, compresses them and deletes the
 * oldest, on a thread of its own. Invariant: a file is deleted only when its compressed twin is whole and on the disk, or it is one too many.
 */
#ifndef SUBSCRIBERS_JSONL_ARCHIVE_H
#define SUBSCRIBERS_JSONL_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "schema/error.h"

typedef struct jsonl_archive jsonl_archive;

/* `path` of the FILE is borrowed. `keep` 0: all. */
steno_status jsonl_archive_open(const char *path, bool gzip, unsigned keep, jsonl_archive **out, steno_error *error);
/* Hands out what is at the end of the newest files, the newest first, up to `bytes` in all; a compressed one only if all of it fits. What cannot be
 * read is passed over. Before jsonl_archive_start.
 */
void jsonl_archive_recent(const jsonl_archive *self, size_t bytes,
                          void (*each)(const char *bytes, size_t size, void *ctx), void *ctx);
/* Begins to work, first on what a former life had begun. */
steno_status jsonl_archive_start(jsonl_archive *self, steno_error *error);
/* What is half compressed is left for the next start. */
void jsonl_archive_stop(jsonl_archive *self);
/* FILE was opened anew: its folder may be another one now. */
steno_status jsonl_archive_follow(jsonl_archive *self, steno_error *error);
/* Renames the FILE; it is one of the archive's then. */
steno_status jsonl_archive_take(jsonl_archive *self, const struct tm *day, uint64_t last_offset, steno_error *error);
/* What is wrong, "" if nothing: it is tried again once a minute. */
void jsonl_archive_problem(jsonl_archive *self, char out[256]);

#endif
