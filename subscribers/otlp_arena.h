/* Memory of one request: taken in small pieces, given back all at once. Where memory runs out the program ends with status 1: the batch in hand does
 * not count as handled and comes again, so no caller has a case for it.
 */
#ifndef SUBSCRIBERS_OTLP_ARENA_H
#define SUBSCRIBERS_OTLP_ARENA_H

#include <stddef.h>

typedef struct otlp_block otlp_block;

/* Begin with {0}. One thread at a time. */
typedef struct otlp_arena {
    otlp_block *blocks;
} otlp_arena;

/* `size` bytes of zeros, aligned for anything; until otlp_arena_clear. */
void *otlp_arena_take(otlp_arena *arena, size_t size);
/* A copy of a text; NULL of NULL. */
char *otlp_arena_text(otlp_arena *arena, const char *text);
char *otlp_arena_format(otlp_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for one more element behind `count` of them, in a list that grows by doubling: *list moves, *room is counted up. */
void otlp_arena_grow(otlp_arena *arena, void **list, size_t count, size_t *room, size_t element_size);
/* Gives everything back. */
void otlp_arena_clear(otlp_arena *arena);

/* The rest of the program's memory, with the same end. */
void *otlp_memory(void *pointer) __attribute__((returns_nonnull));

#endif
