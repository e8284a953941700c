/* 16 bytes are kept of each line: its offset and its hash. */
#include "subscribers/jsonl_tail.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char FIELD[] = ",\"offset\":";

typedef struct line_mark {
    uint64_t offset, hash;
} line_mark;

struct jsonl_tail {
    line_mark *marks;
    size_t count, room;
    bool sorted; /* by offset */
};

jsonl_tail *jsonl_tail_new(void) { return calloc(1, sizeof(jsonl_tail)); }

void jsonl_tail_free(jsonl_tail *self) {
    if (self) free(self->marks);
    free(self);
}

uint64_t jsonl_tail_offset(const char *line, size_t size) {
    size_t at = size;
    if (at == 0 || line[--at] != '}') return 0;
    uint64_t number = 0, place = 1;
    for (; at > 0 && line[at - 1] >= '0' && line[at - 1] <= '9' && place < UINT64_MAX / 100; at--, place *= 10)
        number += place * (uint64_t)(line[at - 1] - '0');
    const size_t name = sizeof FIELD - 1;
    return at >= name && !memcmp(line + at - name, FIELD, name) ? number : 0;
}

static bool add_mark(jsonl_tail *self, uint64_t offset, uint64_t hash) {
    if (self->count == self->room) {
        const size_t room = self->room ? 2 * self->room : 1024;
        line_mark *more = realloc(self->marks, room * sizeof *more);
        if (!more) return false;
        self->marks = more;
        self->room = room;
    }
    self->marks[self->count++] = (line_mark){offset, hash};
    self->sorted = false;
    return true;
}

bool jsonl_tail_add(jsonl_tail *self, const char *bytes, size_t size) {
    const char *at = bytes, *stop = bytes + size;
    for (const char *newline; (newline = memchr(at, '\n', (size_t)(stop - at))); at = newline + 1) {
        const size_t length = (size_t)(newline - at);
        const uint64_t offset = jsonl_tail_offset(at, length);
        if (offset && !add_mark(self, offset, XXH3_64bits(at, length + 1))) return false;
    }
    return true;
}

static int by_offset(const void *a, const void *b) {
    const line_mark *one = a, *other = b;
    return (one->offset > other->offset) - (one->offset < other->offset);
}

bool jsonl_tail_has(jsonl_tail *self, uint64_t offset, const char *line, size_t size) {
    if (!self->sorted && self->count) qsort(self->marks, self->count, sizeof *self->marks, by_offset);
    self->sorted = true;
    size_t low = 0, high = self->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (self->marks[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == self->count || self->marks[low].offset != offset) return false;
    const uint64_t hash = XXH3_64bits(line, size);
    for (; low < self->count && self->marks[low].offset == offset; low++)
        if (self->marks[low].hash == hash) return true;
    return false;
}
