/* The header frame. Small and of one fixed form, so it is read by hand: nothing is allocated for a number that a peer claims. */
#include <string.h>

#include "daemon/ingress.h"

#define HEADER_VERSION 1

typedef struct cursor {
    const uint8_t *at, *end;
} cursor;

/* The next `size` bytes, NULL if there are not so many. */
static const uint8_t *skip(cursor *self, size_t size) {
    const uint8_t *start = self->at;
    if ((size_t)(self->end - start) < size) return NULL;
    self->at += size;
    return start;
}

/* An unsigned integer of any width. */
static bool read_uint(cursor *self, uint64_t *out) {
    const uint8_t *tag = skip(self, 1);
    if (!tag) return false;
    if (*tag < 0x80) {
        *out = *tag;
        return true;
    }
    if (*tag < 0xCC || *tag > 0xCF) return false;
    size_t size = (size_t)1 << (*tag - 0xCC);
    const uint8_t *bytes = skip(self, size);
    if (!bytes) return false;
    *out = 0;
    for (size_t i = 0; i < size; i++) *out = *out << 8 | bytes[i];
    return true;
}

bool ingress_header(const void *bytes, size_t size, uint8_t uuid[SPOOL_PUBLISHER_BYTES], uint64_t *seq) {
    cursor self = {.at = bytes, .end = (const uint8_t *)bytes + size};
    const uint8_t *array = skip(&self, 1);
    uint64_t version;
    if (!array || *array != 0x93 || !read_uint(&self, &version) || version != HEADER_VERSION) return false;
    const uint8_t *tag = skip(&self, 2); /* bin 8, 16 bytes */
    if (!tag || tag[0] != 0xC4 || tag[1] != SPOOL_PUBLISHER_BYTES) return false;
    const uint8_t *id = skip(&self, SPOOL_PUBLISHER_BYTES);
    if (!id || !read_uint(&self, seq) || self.at != self.end) return false;
    memcpy(uuid, id, SPOOL_PUBLISHER_BYTES);
    return *seq > 0 && *seq <= INT64_MAX / 2;
}
