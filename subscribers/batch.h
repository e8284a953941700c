/* One `replay` reply, read event by event. Invariant: the offsets handed out rise, whatever the reply says. */
#ifndef SUBSCRIBERS_BATCH_H
#define SUBSCRIBERS_BATCH_H

#include "subscribers/control_client.h"

typedef struct batch {
    control_reply *reply; /* owned; NULL: nothing held */
    const steno_value *events;
    size_t index;
    uint64_t first; /* oldest offset in the journal; 0: none */
    uint64_t last;  /* the journal is examined up to here */
    bool end;       /* nothing newer for now */
} batch;

/* Takes over the reply, which is ok; what the batch held before is freed. */
void batch_take(batch *self, control_reply *reply);
void batch_clear(batch *self);
bool batch_held(const batch *self);
/* The next event beyond offset `after`; body borrowed from the batch. False: no more. Entries of a wrong form are skipped
 * and added to *malformed.
 */
bool batch_next(batch *self, uint64_t after, uint64_t *offset, const void **body, size_t *size, uint64_t *malformed);

#endif
