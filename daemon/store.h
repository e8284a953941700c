/* log.db: the one place that writes it (steno-cost's own table aside). A batch is one transaction: journal, calls, the publishers'
 * `next` and losses are there together or not at all. Invariant: offsets are dense, and given out by a commit only.
 */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include "daemon/batch.h"

/* How long a statement waits for the log's other writer before the batch is tried again later. Its transactions are short. */
#define STORE_BUSY_MS 100
/* SQLite's page cache. */
#define STORE_CACHE_KIB 4096
/* Events have about 2 KiB: pages of 4 KiB would hold one each and be half empty, much larger ones make small commits dear. */
#define STORE_PAGE_BYTES 8192
/* The write-ahead log is copied back after so many pages (8 MiB), and cut to so many bytes when it starts over. */
#define STORE_CHECKPOINT_PAGES 1000
#define STORE_WAL_BYTES_MAX (16u << 20)

/* What an event takes in the journal beside its body, for the journal's limit. */
#define STORE_EVENT_BYTES 128
/* What one trim may delete: a few milliseconds' work. At least one event, however large. */
#define STORE_TRIM_EVENTS_MAX 512
#define STORE_TRIM_BYTES_MAX (4 << 20)

typedef struct store store;

/* Opens or makes the log and brings its schema up to date. STENO_INVALID: it is of a newer version; STENO_SYSTEM: SQLite refuses. */
steno_status store_open(const char *path, bool durability_full, store **out, steno_error *error);
/* Copies the write-ahead log back and closes. */
void store_close(store *self);

/* Fills in an entry of the table from the log. STENO_NOT_FOUND: never seen. */
steno_status store_load_publisher(store *self, publisher *entry, steno_error *error);
/* Writes the batch in one transaction and gives its events their offsets. On failure nothing of it is in the log, and the same
 * batch may be written again: STENO_BUSY (another writer), STENO_SYSTEM (the disk is full, …).
 */
steno_status store_write(store *self, batch *events, steno_error *error);

uint64_t store_last_offset(const store *self);
/* Of the oldest event in the journal; 0 if it is empty. */
uint64_t store_first_offset(store *self);
/* Events that could not be kept, ever. */
uint64_t store_losses(const store *self);
int64_t store_pending_calls(store *self);
/* Bytes on disk, the write-ahead log included. */
int64_t store_bytes(const store *self);
/* What the journal takes: bodies, and STORE_EVENT_BYTES each. */
int64_t store_journal_bytes(const store *self);
/* Deletes the journal's oldest events that were stored before a time (Unix seconds), or are too many for `bytes_max`; a bounded number
 * at a time, and never the last one. *deleted 0: there is nothing to delete.
 */
steno_status store_trim(store *self, double stored_before, int64_t bytes_max, unsigned *deleted, steno_error *error);
/* Copies back what can be without waiting for anyone. */
void store_checkpoint(store *self);
/* Pages in the write-ahead log, and an attempt to have the next commit begin it anew, which fails while somebody reads a state of the log
 * that is only there: STENO_BUSY. Waits for nobody.
 */
int store_wal_pages(const store *self);
steno_status store_restart_wal(store *self);

/* Must each commit reach the disk before it counts? From the next one on. */
steno_status store_set_durability(store *self, bool full, steno_error *error);

/* Calls `visit` for the journal's events after `after`, in order, until it returns false or `rows_max` were read.
 * *last is the highest offset that was visited and accepted, or `after`.
 */
typedef bool (*store_event_fn)(void *ctx, uint64_t offset, const char *topic, const void *body, size_t size);
steno_status store_read(store *self, uint64_t after, unsigned rows_max, store_event_fn visit, void *ctx, uint64_t *last,
                        steno_error *error);

steno_status store_cursor(store *self, const char *name, uint64_t *offset, bool *exists, steno_error *error);
steno_status store_set_cursor(store *self, const char *name, uint64_t offset, steno_error *error);
typedef void (*store_cursor_fn)(void *ctx, const char *name, uint64_t offset, double updated);
steno_status store_each_cursor(store *self, store_cursor_fn visit, void *ctx, steno_error *error);

/* A call that has begun and not ended. Texts are borrowed for the time of the visit, and may be NULL. */
typedef struct pending_call {
    const char *call_id, *model, *provider, *call_type, *app, *user, *session_id, *trace_id, *parent_id, *tags,
        *metadata;
    double started;
    int64_t attempts;
    bool stream;
} pending_call;
/* Visits up to `max` of a publisher's pending calls; false from the visit ends it. */
typedef bool (*store_call_fn)(void *ctx, const pending_call *call);
steno_status store_each_pending(store *self, const publisher *from, unsigned max, store_call_fn visit, void *ctx,
                                steno_error *error);

#endif
