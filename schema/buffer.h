/* Bytes that grow: a reply as it comes in, a text out of its chunks. Always followed by a NUL. One thread at a time. */
#ifndef STENO_BUFFER_H
#define STENO_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Begin with {0}. */
typedef struct buffer {
    char *bytes; /* NULL while empty */
    size_t size;
    size_t room;
} buffer;

/* False when memory is short; what was there stays. */
bool buffer_add(buffer *self, const void *bytes, size_t size);
/* The text, "" while empty. */
const char *buffer_text(const buffer *self);
/* Empties it and keeps the memory. */
void buffer_clear(buffer *self);
void buffer_free(buffer *self);

#endif
