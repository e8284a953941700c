/* One transaction's worth of events. Invariant: each event in it is decoded and valid. */
#include "daemon/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool batch_fits(const batch *self, size_t size) {
    if (self->count == BATCH_EVENTS_MAX || self->loss_count == BATCH_LOSSES_MAX) return false;
    return self->count == 0 || self->bytes + size <= BATCH_BYTES_MAX;
}

bool batch_empty(const batch *self) { return !self->count && !self->loss_count && !self->dirty; }

steno_status batch_add(batch *self, publisher *from, uint64_t seq, const void *bytes, size_t size, steno_error *error) {
    assert(self->count < BATCH_EVENTS_MAX);
    event_body *copy = malloc(sizeof *copy + size);
    if (!copy) return steno_fail(error, STENO_NO_MEMORY, "no memory for an event of %zu bytes", size);
    copy->size = size;
    if (size) memcpy(copy->bytes, bytes, size);
    steno_event *event = NULL;
    steno_status status = steno_event_decode(copy->bytes, size, &event, error);
    if (!status) status = steno_event_validate(event, error);
    /* Names in `steno.` are the daemon's own: an app's heartbeat would confuse every subscriber. */
    if (!status && !strncmp(steno_event_name(event), "steno.", strlen("steno.")))
        status = steno_fail(error, STENO_INVALID, "the name %s is the daemon's", steno_event_name(event));
    if (status) {
        steno_event_free(event);
        free(copy);
        return status;
    }
    batch_event *entry = &self->events[self->count++];
    *entry = (batch_event){.from = from, .seq = seq, .event = event, .body = copy};
    steno_event_topic(event, entry->topic);
    self->bytes += size;
    if (from) {
        publisher_describe(from, steno_event_get(event, "app"));
        batch_touch(self, from);
    }
    return STENO_OK;
}

void batch_add_loss(batch *self, publisher *from, uint64_t first_seq, uint64_t last_seq, const char *reason,
                    char *file) {
    assert(self->loss_count < BATCH_LOSSES_MAX);
    self->losses[self->loss_count++] =
        (batch_loss){.from = from, .first_seq = first_seq, .last_seq = last_seq, .reason = reason, .file = file};
    batch_touch(self, from);
}

void batch_touch(batch *self, publisher *from) {
    if (from->dirty) return;
    from->dirty = true;
    from->dirty_after = self->dirty;
    self->dirty = from;
}

void batch_clear(batch *self) {
    for (size_t i = 0; i < self->count; i++) {
        steno_event_free(self->events[i].event);
        free(self->events[i].body);
    }
    for (size_t i = 0; i < self->loss_count; i++) free(self->losses[i].file);
    for (publisher *entry = self->dirty; entry; entry = entry->dirty_after) entry->dirty = entry->closing = false;
    self->count = self->bytes = self->loss_count = 0;
    self->dirty = NULL;
}
