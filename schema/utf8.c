/* UTF-8 validation and repair. Reads only the bytes it is given. */
#include "schema/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Length of the valid character at `p`, 0 if the bytes there are none. Overlong forms and surrogates are none. */
static size_t character(const unsigned char *p, size_t left) {
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xC2) return 0;
    if (p[0] < 0xE0) return left >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
    if (p[0] < 0xF0) {
        if (left < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80) return 0;
        if (p[0] == 0xE0 && p[1] < 0xA0) return 0;
        if (p[0] == 0xED && p[1] >= 0xA0) return 0;
        return 3;
    }
    if (p[0] > 0xF4 || left < 4) return 0;
    if ((p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80) return 0;
    if (p[0] == 0xF0 && p[1] < 0x90) return 0;
    if (p[0] == 0xF4 && p[1] >= 0x90) return 0;
    return 4;
}

#define WORD_BYTES sizeof(uint64_t)

static bool is_ascii(const unsigned char *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return !(word & UINT64_C(0x8080808080808080));
}

/* Most text is ASCII: it is looked at by words, the last of which may begin in the one before. */
static size_t ascii_prefix(const unsigned char *p, size_t size) {
    size_t at = 0;
    while (size - at >= WORD_BYTES && is_ascii(p + at)) at += WORD_BYTES;
    if (at > 0 && size - at < WORD_BYTES && is_ascii(p + size - WORD_BYTES)) return size;
    while (at < size && p[at] < 0x80) at++;
    return at;
}

size_t utf8_valid_prefix(const char *text, size_t size) {
    const unsigned char *p = (const unsigned char *)text;
    size_t at = 0;
    for (;;) {
        at += ascii_prefix(p + at, size - at);
        /* One letter that is not ASCII is rarely alone. */
        for (size_t length; at < size && p[at] >= 0x80; at += length) {
            length = character(p + at, size - at);
            if (!length) return at;
        }
        if (at == size) return at;
    }
}

size_t utf8_repair(const char *text, size_t size, char *out) {
    size_t length = 0;
    for (size_t at = 0; at < size;) {
        size_t valid = utf8_valid_prefix(text + at, size - at);
        memcpy(out + length, text + at, valid);
        length += valid;
        at += valid;
        if (at == size) break;
        memcpy(out + length, "\xEF\xBF\xBD", 3);
        length += 3;
        at++;
    }
    return length;
}
