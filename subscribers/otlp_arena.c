#include "subscribers/otlp_arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (256u << 10)

struct otlp_block {
    otlp_block *next;
    size_t used, room;
    alignas(max_align_t) unsigned char bytes[];
};

void *otlp_memory(void *pointer) {
    if (pointer) return pointer;
    fputs("steno-otlp: no memory; what was not delivered comes again\n", stderr);
    exit(1);
}

void *otlp_arena_take(otlp_arena *arena, size_t size) {
    const size_t unit = alignof(max_align_t), needed = (size + unit - 1) / unit * unit;
    otlp_block *block = arena->blocks;
    if (!block || block->room - block->used < needed) {
        const size_t room = needed > BLOCK_BYTES ? needed : BLOCK_BYTES;
        otlp_block *fresh = otlp_memory(malloc(sizeof *fresh + room));
        *fresh = (otlp_block){.next = block, .room = room};
        arena->blocks = block = fresh;
    }
    void *taken = block->bytes + block->used;
    block->used += needed;
    return memset(taken, 0, size);
}

char *otlp_arena_text(otlp_arena *arena, const char *text) {
    if (!text) return NULL;
    const size_t size = strlen(text) + 1;
    return memcpy(otlp_arena_take(arena, size), text, size);
}

char *otlp_arena_format(otlp_arena *arena, const char *format, ...) {
    va_list values;
    va_start(values, format);
    char *text;
    const int size = vasprintf(&text, format, values);
    va_end(values);
    otlp_memory(size < 0 ? NULL : text);
    char *copy = otlp_arena_text(arena, text);
    free(text);
    return copy;
}

void otlp_arena_grow(otlp_arena *arena, void **list, size_t count, size_t *room, size_t element_size) {
    if (count < *room) return;
    *room = *room ? *room * 2 : 16;
    void *wider = otlp_arena_take(arena, *room * element_size);
    if (count) memcpy(wider, *list, count * element_size);
    *list = wider;
}

void otlp_arena_clear(otlp_arena *arena) {
    otlp_block *next;
    for (otlp_block *block = arena->blocks; block; block = next) {
        next = block->next;
        free(block);
    }
    arena->blocks = NULL;
}
