/* The replay batch: walks {events: [[offset, topic, body], …], last, first, end}. Touches no socket. */
#include "subscribers/batch.h"

static uint64_t offset_in(const steno_value *value) {
    int64_t offset = steno_value_int(value, 0);
    return offset > 0 ? (uint64_t)offset : 0;
}

void batch_take(batch *self, control_reply *reply) {
    batch_clear(self);
    self->reply = reply;
    const control_message *message = reply->message;
    self->events = control_get(message, "events");
    self->first = offset_in(control_get(message, "first"));
    self->last = offset_in(control_get(message, "last"));
    self->end = steno_value_bool(control_get(message, "end"), false);
}

void batch_clear(batch *self) {
    control_reply_free(self->reply);
    *self = (batch){0};
}

bool batch_held(const batch *self) { return self->reply != NULL; }

bool batch_next(batch *self, uint64_t after, uint64_t *offset, const void **body, size_t *size, uint64_t *malformed) {
    while (self->index < steno_value_count(self->events)) {
        const steno_value *entry = steno_value_at(self->events, self->index++);
        const steno_value *content = steno_value_at(entry, 2);
        *offset = offset_in(steno_value_at(entry, 0));
        *body = steno_value_string(content, size);
        if (*offset > after && steno_value_type(content) == STENO_TYPE_BYTES) return true;
        if (*offset == 0 || *offset > after) ++*malformed;
    }
    return false;
}
