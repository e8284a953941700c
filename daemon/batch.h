/* The events of one transaction, on their way from acceptance over the log to the fan-out. A batch that could not be stored
 * (disk full) is kept and tried again; nothing else is taken in before it is.
 */
#ifndef DAEMON_BATCH_H
#define DAEMON_BATCH_H

#include "daemon/publishers.h"

/* In one transaction: enough that a commit costs little beside its inserts, few enough that it stays short for the log's other
 * writer and small in memory (each event is held decoded, about 12 KiB).
 */
#define BATCH_EVENTS_MAX 512
#define BATCH_BYTES_MAX (1u << 20)
#define BATCH_LOSSES_MAX 256

/* An encoded event. Owned: by the batch, later by the fan-out. */
typedef struct event_body {
    size_t size;
    unsigned char bytes[];
} event_body;

typedef struct batch_event {
    publisher *from; /* borrowed; NULL: a publisher without sequence numbers */
    uint64_t seq;
    uint64_t offset; /* in the journal, given by the store */
    steno_event *event;
    event_body *body;
    char topic[STENO_TOPIC_BYTES];
} batch_event;

/* What could not be kept. */
typedef struct batch_loss {
    publisher *from;
    uint64_t first_seq, last_seq; /* last 0: not known how far */
    const char *reason;           /* static */
    char *file;                   /* owned; NULL unless a damaged file was put aside */
} batch_loss;

typedef struct batch {
    batch_event events[BATCH_EVENTS_MAX];
    size_t count, bytes;
    batch_loss losses[BATCH_LOSSES_MAX];
    size_t loss_count;
    publisher *dirty; /* publishers whose row has to be written */
} batch;

/* True if one more event of `size` bytes may go in. An empty batch takes any. */
bool batch_fits(const batch *self, size_t size);
bool batch_empty(const batch *self);
/* Decodes and checks a copy of the bytes and adds it. STENO_CORRUPT, STENO_INVALID, STENO_LIMIT: it is not an event. */
steno_status batch_add(batch *self, publisher *from, uint64_t seq, const void *bytes, size_t size, steno_error *error);
/* Adds a loss; `file` becomes the batch's. There must be room (batch_fits). */
void batch_add_loss(batch *self, publisher *from, uint64_t first_seq, uint64_t last_seq, const char *reason,
                    char *file);
/* Has the publisher's row written with this batch. */
void batch_touch(batch *self, publisher *from);
/* After the commit, or at the end: frees what is in it, bodies that the fan-out took over excepted. */
void batch_clear(batch *self);

#endif
