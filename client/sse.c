/* The parser of server-sent events: lines first, then fields. */
#include "client/sse.h"

#include <string.h>

static steno_status add(buffer *to, const char *bytes, size_t size, steno_error *error) {
    if (size > SSE_EVENT_BYTES_MAX - to->size)
        return steno_fail(error, STENO_LIMIT, "an event of the stream is longer than %u bytes", SSE_EVENT_BYTES_MAX);
    if (!buffer_add(to, bytes, size)) return steno_fail(error, STENO_NO_MEMORY, "no memory for an event of the stream");
    return STENO_OK;
}

/* A blank line: the event is whole. */
static steno_status dispatch(sse *self) {
    steno_status status = STENO_OK;
    if (self->has_data)
        status = self->on_event(buffer_text(&self->name), buffer_text(&self->data), self->data.size, self->ctx);
    buffer_clear(&self->name);
    buffer_clear(&self->data);
    self->has_data = false;
    return status;
}

static steno_status end_line(sse *self, steno_error *error) {
    const char *line = buffer_text(&self->line);
    size_t size = self->line.size;
    if (!self->begun && size >= 3 && !memcmp(line, "\xEF\xBB\xBF", 3)) {
        line += 3;
        size -= 3;
    }
    self->begun = true;
    if (size == 0) return dispatch(self);
    const char *colon = memchr(line, ':', size);
    size_t name = colon ? (size_t)(colon - line) : size;
    const char *value = colon ? colon + 1 : line + size;
    if (value < line + size && *value == ' ') value++;
    size_t value_size = (size_t)(line + size - value);
    steno_status status = STENO_OK;
    if (name == 4 && !memcmp(line, "data", 4)) {
        if (self->has_data) status = add(&self->data, "\n", 1, error);
        if (!status) status = add(&self->data, value, value_size, error);
        self->has_data = true;
    } else if (name == 5 && !memcmp(line, "event", 5)) {
        buffer_clear(&self->name);
        status = add(&self->name, value, value_size, error);
    } /* comments have an empty name; `id` and `retry` mean nothing here */
    return status;
}

steno_status sse_feed(sse *self, const char *bytes, size_t size, steno_error *error) {
    const char *end = bytes + size;
    while (bytes < end) {
        if (self->after_cr && *bytes == '\n') {
            self->after_cr = false;
            bytes++;
            continue;
        }
        self->after_cr = false;
        const char *stop = bytes;
        while (stop < end && *stop != '\n' && *stop != '\r') stop++;
        steno_status status = add(&self->line, bytes, (size_t)(stop - bytes), error);
        if (status || stop == end) return status;
        self->after_cr = *stop == '\r';
        bytes = stop + 1;
        status = end_line(self, error);
        buffer_clear(&self->line);
        if (status) return status;
    }
    return STENO_OK;
}

steno_status sse_end(sse *self, steno_error *error) {
    steno_status status = self->line.size ? end_line(self, error) : STENO_OK;
    buffer_clear(&self->line);
    return status ? status : dispatch(self);
}

void sse_free(sse *self) {
    buffer_free(&self->line);
    buffer_free(&self->name);
    buffer_free(&self->data);
}
