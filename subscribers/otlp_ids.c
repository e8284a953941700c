#include "subscribers/otlp_ids.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* True if the text is `size` bytes in hex, not all zero: such an id is invalid. */
static bool from_hex(const char *text, unsigned char *out, size_t size) {
    size_t digits = 0;
    bool zero = true;
    for (; *text; text++) {
        if (*text == '-' && size == OTLP_TRACE_ID_BYTES &&
            (digits == 8 || digits == 12 || digits == 16 || digits == 20))
            continue;
        const int value = digit(*text);
        if (value < 0 || digits == 2 * size) return false;
        out[digits / 2] = (unsigned char)(digits % 2 ? out[digits / 2] << 4 | value : value);
        zero &= value == 0;
        digits++;
    }
    return digits == 2 * size && !zero;
}

static const char *text_of(const steno_event *event, const char *field) {
    const char *text = steno_event_string(event, field);
    return text && *text ? text : NULL;
}

void otlp_trace_id(const steno_event *event, unsigned char out[OTLP_TRACE_ID_BYTES]) {
    const char *text = text_of(event, "trace_id");
    if (!text) text = text_of(event, "parent_id");
    if (!text) text = text_of(event, "call_id");
    if (!text) text = "";
    if (from_hex(text, out, OTLP_TRACE_ID_BYTES)) return;
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(text, strlen(text)));
    memcpy(out, hash.digest, OTLP_TRACE_ID_BYTES);
}

static void hash_span(const char *text, size_t size, unsigned char out[OTLP_SPAN_ID_BYTES]) {
    XXH64_hash_t value = XXH3_64bits(text, size);
    XXH64_canonical_t hash;
    XXH64_canonicalFromHash(&hash, value ? value : 1);
    memcpy(out, hash.digest, OTLP_SPAN_ID_BYTES);
}

void otlp_span_id(const char *call_id, unsigned char out[OTLP_SPAN_ID_BYTES]) {
    if (!from_hex(call_id, out, OTLP_SPAN_ID_BYTES)) hash_span(call_id, strlen(call_id), out);
}

void otlp_attempt_id(const char *call_id, int64_t attempt, unsigned char out[OTLP_SPAN_ID_BYTES]) {
    char text[256];
    const int size = snprintf(text, sizeof text, "%.200s attempt %" PRId64, call_id, attempt);
    hash_span(text, (size_t)size, out);
}
