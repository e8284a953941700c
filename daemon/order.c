/* Decides on each event of a publisher. Invariant: `next` only rises, and each number below it is in the batch, the log, or a loss. */
#include "daemon/order.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/clock.h"

#define REASON_GAP "neither on the bus nor in the spool"
#define REASON_REFUSED "the spool had no room, and the bus did not bring it"
#define REASON_NO_SPOOL "missed on the bus, and the publisher has no spool"
#define REASON_DAMAGED "damaged spool segment"
#define REASON_MALFORMED "not a valid event"

/* Gives up everything from next to last. */
static void give_up(intake *self, publisher *from, uint64_t last, const char *reason) {
    char *file = from->damaged_file;
    from->damaged_file = NULL;
    if (!reason) reason = file ? REASON_DAMAGED : from->spooled ? REASON_GAP : REASON_NO_SPOOL;
    batch_add_loss(&self->batch, from, from->next, last, reason, file);
    from->next = last + 1;
    from->hole_since_ms = 0;
}

/* Takes what has the number `next`. */
static void take(intake *self, publisher *from, const void *bytes, size_t size) {
    steno_error error;
    steno_status status = batch_add(&self->batch, from, from->next, bytes, size, &error);
    from->bytes_since_release += size;
    if (status) {
        intake_malformed(self, from->spooled ? "a spool" : "the bus", error.message);
        give_up(self, from, from->next, REASON_MALFORMED);
    } else {
        from->next++;
        from->hole_since_ms = 0;
    }
}

void order_frame(intake *self, publisher *from, uint64_t seq, const void *bytes, size_t size) {
    from->active_ms = clock_ms();
    if (!from->id && !from->spooled && from->next == 1 && !from->dirty && seq > 1) {
        /* Unknown and without a spool: what it sent before we heard of it was never ours, so no loss is made up for it. */
        if (seq <= ORDER_JUMP_MAX) from->next = from->stored = seq;
    }
    if (seq < from->next) {
        self->duplicates++;
        return;
    }
    if (seq - from->next > ORDER_JUMP_MAX) {
        intake_malformed(self, "the bus", "its sequence number jumps by more than 2^32");
        return;
    }
    if (seq > from->heard) from->heard = seq;
    bool in_turn = seq == from->next && !from->behind && size > 0;
    if (in_turn) {
        steno_error error;
        steno_status status = batch_add(&self->batch, from, seq, bytes, size, &error);
        from->bytes_since_release += size;
        if (!status) {
            from->next++;
            return;
        }
        intake_malformed(self, "the bus", error.message);
        size = 0; /* the spool may have it whole */
    }
    /* One that finds no room is looked for in the spool alone. */
    publishers_hold(self->table, from, seq, bytes, size);
    from->behind = true;
}

/* Forgets held frames that are below next. */
static void drop_stale(intake *self, publisher *from) {
    while (from->held && from->held->seq < from->next) {
        self->duplicates += from->held->size > 0;
        publishers_unhold(self->table, from);
    }
}

/* Takes held frames as long as they are the next ones; a mark is none. False: the batch is full. */
static bool take_held(intake *self, publisher *from) {
    for (drop_stale(self, from); from->held && from->held->seq == from->next && from->held->size;
         drop_stale(self, from)) {
        if (!batch_fits(&self->batch, from->held->size)) return false;
        take(self, from, from->held->bytes, from->held->size);
        publishers_unhold(self->table, from);
    }
    return true;
}

/* How far a hole before `seq` is one for certain: the bus keeps the order, so what is below a frame that came won't come any more.
 * 0: not yet.
 */
static uint64_t hole_end(publisher *from, uint64_t seq) {
    if (from->held && from->held->seq < seq && from->held->size) return from->held->seq - 1;
    if (from->heard >= seq) return seq - 1;
    int64_t now = clock_ms();
    if (!from->hole_since_ms) from->hole_since_ms = now;
    if (now - from->hole_since_ms >= ORDER_HOLE_MS) return seq - 1;
    from->retry_ms = from->hole_since_ms + ORDER_HOLE_MS;
    return 0;
}

bool order_record(intake *self, publisher *from) {
    const spool_record *record = &from->record;
    assert(record->seq);
    for (;;) {
        if (!take_held(self, from)) return false;
        if (record->seq < from->next) return true; /* the bus was faster */
        if (!batch_fits(&self->batch, record->size)) return false;
        if (record->seq == from->next) {
            take(self, from, record->bytes, record->size);
            return true;
        }
        if (record->seq - from->next > ORDER_JUMP_MAX) {
            intake_malformed(self, "a spool", "its sequence number jumps by more than 2^32");
            return true;
        }
        uint64_t last = hole_end(from, record->seq);
        if (!last) return false;
        give_up(self, from, last, NULL);
    }
}

bool order_spool_end(intake *self, publisher *from) {
    for (;;) {
        if (!take_held(self, from)) return false;
        if (!from->held) break;
        if (!batch_fits(&self->batch, from->held->size)) return false;
        /* Every frame was sent after its place in the spool was settled: what is not there now never will be. */
        give_up(self, from, from->held->size ? from->held->seq - 1 : from->held->seq, NULL);
    }
    if (from->refused >= from->next && from->refused - from->next <= ORDER_JUMP_MAX) {
        if (!batch_fits(&self->batch, 0)) return false;
        const uint64_t last = hole_end(from, from->refused + 1);
        if (!last) return false;
        give_up(self, from, last, REASON_REFUSED);
    }
    if (from->damaged_file && !from->alive) {
        /* Nobody will write on, so how much was lost stays unknown. */
        batch_add_loss(&self->batch, from, from->next, 0, REASON_DAMAGED, from->damaged_file);
        from->damaged_file = NULL;
    }
    return true;
}
