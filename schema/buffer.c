/* Growing bytes, by doubling. */
#include "schema/buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool buffer_add(buffer *self, const void *bytes, size_t size) {
    if (size > SIZE_MAX / 4 || self->size > SIZE_MAX / 4) return false;
    size_t needed = self->size + size + 1;
    if (needed > self->room) {
        size_t room = self->room ? 2 * self->room : 256;
        while (room < needed) room *= 2;
        char *grown = realloc(self->bytes, room);
        if (!grown) return false;
        self->bytes = grown;
        self->room = room;
    }
    if (size) memcpy(self->bytes + self->size, bytes, size);
    self->size += size;
    self->bytes[self->size] = '\0';
    return true;
}

const char *buffer_text(const buffer *self) { return self->bytes ? self->bytes : ""; }

void buffer_clear(buffer *self) {
    self->size = 0;
    if (self->bytes) self->bytes[0] = '\0';
}

void buffer_free(buffer *self) {
    free(self->bytes);
    *self = (buffer){0};
}
