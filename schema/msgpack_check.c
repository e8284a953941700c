/* A walk over msgpack bytes that allocates nothing and believes no count (specification: msgpack.org, spec.md). */
#include "schema/msgpack_check.h"

#include <assert.h>
#include <stdint.h>

#include "schema/utf8.h"

#define CHECK_DEPTH_MAX 64
#define EXTENSION_TIMESTAMP 0xFF /* -1 */
#define NANOSECONDS 1000000000

/* What one header says: bytes of the header itself, bytes of payload, values nested in it. */
typedef struct header {
    size_t size;
    uint64_t payload;
    uint64_t children;
    bool container, map;
    bool string;
    bool extension; /* the payload begins with its type */
} header;

static uint64_t big_endian(const uint8_t *p, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) value = value << 8 | p[i];
    return value;
}

/* Reads the header at `p`; false if it is cut off or no msgpack. */
static bool read_header(const uint8_t *p, size_t left, header *out) {
    uint8_t c = p[0];
    *out = (header){.size = 1};
    if (c <= 0x7F || c >= 0xE0 || c == 0xC0 || c == 0xC2 || c == 0xC3) return true;
    if (c <= 0x8F) {
        out->container = out->map = true;
        out->children = 2u * (c & 0x0F);
        return true;
    }
    if (c <= 0x9F) {
        out->container = true;
        out->children = c & 0x0F;
        return true;
    }
    if (c <= 0xBF) {
        out->string = true;
        out->payload = c & 0x1F;
        return true;
    }
    /* From here on a big-endian length of 1, 2 or 4 bytes may follow the first byte. */
    size_t length = 0, extra = 0;
    switch (c) {
    case 0xC4:
    case 0xD9: length = 1; break;
    case 0xC5:
    case 0xDA:
    case 0xDC:
    case 0xDE: length = 2; break;
    case 0xC6:
    case 0xDB:
    case 0xDD:
    case 0xDF: length = 4; break;
    case 0xC7:
        length = 1;
        extra = 1;
        break;
    case 0xC8:
        length = 2;
        extra = 1;
        break;
    case 0xC9:
        length = 4;
        extra = 1;
        break;
    case 0xCA: out->payload = 4; return true;
    case 0xCB: out->payload = 8; return true;
    case 0xCC:
    case 0xD0: out->payload = 1; return true;
    case 0xCD:
    case 0xD1: out->payload = 2; return true;
    case 0xCE:
    case 0xD2: out->payload = 4; return true;
    case 0xCF:
    case 0xD3: out->payload = 8; return true;
    case 0xD4:
    case 0xD5:
    case 0xD6:
    case 0xD7:
    case 0xD8:
        out->payload = 1 + (UINT64_C(1) << (c - 0xD4));
        out->extension = true;
        return true;
    default: return false; /* 0xC1 is never used */
    }
    if (left < 1 + length) return false;
    uint64_t value = big_endian(p + 1, length);
    out->size = 1 + length;
    if (c == 0xDC || c == 0xDD) {
        out->container = true;
        out->children = value;
    } else if (c == 0xDE || c == 0xDF) {
        out->container = out->map = true;
        out->children = 2 * value;
    } else {
        out->string = c >= 0xD9 && c <= 0xDB;
        out->extension = extra > 0;
        out->payload = value + extra;
    }
    return true;
}

/* msgpack's own extension: seconds in 4 bytes; 30 bits of nanoseconds and 34 of seconds; nanoseconds in 4 bytes and seconds in 8. Decoders know it, and
 * refuse a whole message for a wrong one.
 */
static bool timestamp_good(const uint8_t *p, uint64_t size) {
    if (size == 4) return true;
    if (size != 8 && size != 12) return false;
    return (size == 8 ? big_endian(p, 4) >> 2 : big_endian(p, 4)) < NANOSECONDS;
}

/* A decoder of Python's or JavaScript's refuses a whole message for one key that is neither string nor number. */
static bool may_be_key(uint8_t c, bool string) { return string || c <= 0x7F || c >= 0xE0 || (c >= 0xCA && c <= 0xD3); }

steno_status msgpack_check(const void *bytes, size_t size, unsigned depth_max, size_t values_max, steno_error *error) {
    assert(depth_max <= CHECK_DEPTH_MAX);
    const uint8_t *p = bytes;
    uint64_t open[CHECK_DEPTH_MAX]; /* values still to come in each container around this place */
    uint64_t maps = 0;              /* a bit for each of them: it is a map */
    unsigned depth = 0;
    size_t at = 0, values = 0;
    do {
        header head;
        if (++values > values_max) return steno_fail(error, STENO_LIMIT, "more than %zu values", values_max);
        if (at >= size || !read_header(p + at, size - at, &head))
            return steno_fail(error, STENO_CORRUPT, "not msgpack, or cut off, at byte %zu of %zu", at, size);
        size_t left = size - at - head.size;
        if (head.payload > left || head.children > left)
            return steno_fail(error, STENO_CORRUPT, "a length at byte %zu of %zu goes beyond the end", at, size);
        const bool key = depth > 0 && maps >> (depth - 1) & 1 && open[depth - 1] % 2 == 0;
        if (key && !may_be_key(p[at], head.string))
            return steno_fail(error, STENO_CORRUPT, "the key at byte %zu is neither a string nor a number", at);
        at += head.size;
        if (head.string && utf8_valid_prefix((const char *)p + at, (size_t)head.payload) != head.payload)
            return steno_fail(error, STENO_CORRUPT, "the string at byte %zu is not UTF-8", at);
        if (head.extension && p[at] == EXTENSION_TIMESTAMP && !timestamp_good(p + at + 1, head.payload - 1))
            return steno_fail(error, STENO_CORRUPT, "the extension at byte %zu is no timestamp", at);
        at += (size_t)head.payload;
        while (depth > 0 && open[depth - 1] == 0) depth--;
        if (depth > 0) open[depth - 1]--;
        if (head.container) {
            if (depth == depth_max)
                return steno_fail(error, STENO_LIMIT, "nested deeper than %u levels at byte %zu", depth_max, at);
            maps = head.map ? maps | UINT64_C(1) << depth : maps & ~(UINT64_C(1) << depth);
            open[depth++] = head.children;
        }
        while (depth > 0 && open[depth - 1] == 0) depth--;
    } while (depth > 0);
    if (at != size) return steno_fail(error, STENO_CORRUPT, "%zu bytes follow the end of the value", size - at);
    return STENO_OK;
}
