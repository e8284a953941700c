/* Reading lines. */
#include "client/ndjson.h"

#include <string.h>

/* Gives out the line in hand, if there is anything in it. */
static steno_status give_out(ndjson *self) {
    buffer *line = &self->line;
    while (line->size && strchr(" \t\r", line->bytes[line->size - 1])) line->bytes[--line->size] = '\0';
    steno_status status = line->size ? self->on_line("", line->bytes, line->size, self->ctx) : STENO_OK;
    buffer_clear(line);
    return status;
}

steno_status ndjson_feed(ndjson *self, const char *bytes, size_t size, steno_error *error) {
    while (size) {
        const char *end = memchr(bytes, '\n', size);
        size_t length = end ? (size_t)(end - bytes) : size;
        if (length > NDJSON_LINE_BYTES_MAX - self->line.size)
            return steno_fail(error, STENO_LIMIT, "a line is longer than %u MiB", NDJSON_LINE_BYTES_MAX >> 20);
        if (length && !buffer_add(&self->line, bytes, length))
            return steno_fail(error, STENO_NO_MEMORY, "no memory for a line");
        steno_status status = end ? give_out(self) : STENO_OK;
        if (status) return status;
        bytes += length + (end != NULL);
        size -= length + (end != NULL);
    }
    return STENO_OK;
}

steno_status ndjson_end(ndjson *self) { return give_out(self); }

void ndjson_free(ndjson *self) { buffer_free(&self->line); }
