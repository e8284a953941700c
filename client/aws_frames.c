/* Reading frames: a prelude (length, length of the headers, checksum), headers, payload, checksum of it all. Numbers are big-endian. */
#include "client/aws_frames.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PRELUDE_BYTES 12
#define CHECKSUM_BYTES 4
#define TYPE_STRING 7
#define TYPE_KINDS 10

/* A text in a frame. */
typedef struct span {
    const char *text;
    size_t size;
} span;

/* The headers that count. */
typedef struct frame_headers {
    span message_type, event_type, exception_type, error_code, error_message;
} frame_headers;

static uint32_t number_at(const char *bytes) {
    const unsigned char *at = (const unsigned char *)bytes;
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t checksum(const char *bytes, size_t size) {
    return (uint32_t)crc32(0, (const unsigned char *)bytes, (uInt)size);
}

static steno_status read_prelude(aws_frames *self, steno_error *error) {
    const char *at = self->frame.bytes;
    if (checksum(at, PRELUDE_BYTES - CHECKSUM_BYTES) != number_at(at + PRELUDE_BYTES - CHECKSUM_BYTES))
        return steno_fail(error, STENO_CORRUPT, "a frame of the stream begins with a wrong checksum");
    size_t size = number_at(at), headers = number_at(at + 4);
    if (size > AWS_FRAME_BYTES_MAX || headers > AWS_FRAME_HEADERS_BYTES_MAX)
        return steno_fail(error, STENO_LIMIT,
                          "a frame of the stream has %zu bytes with %zu of headers, more than %u and %u", size, headers,
                          AWS_FRAME_BYTES_MAX, AWS_FRAME_HEADERS_BYTES_MAX);
    if (size < PRELUDE_BYTES + headers + CHECKSUM_BYTES)
        return steno_fail(error, STENO_CORRUPT, "a frame of the stream has %zu bytes, too few for %zu of headers", size,
                          headers);
    self->size = size;
    return STENO_OK;
}

/* Takes `size` bytes from *at; false if there are fewer. */
static bool take(const char **at, const char *end, size_t size, span *out) {
    if (size > (size_t)(end - *at)) return false;
    *out = (span){*at, size};
    *at += size;
    return true;
}

/* A length of `bytes` bytes, and so many bytes as it says. */
static bool take_counted(const char **at, const char *end, size_t bytes, span *out) {
    span count;
    size_t size = 0;
    if (!take(at, end, bytes, &count)) return false;
    for (size_t i = 0; i < bytes; i++) size = size << 8 | (unsigned char)count.text[i];
    return take(at, end, size, out);
}

static bool is(span a, const char *text) { return a.size == strlen(text) && !memcmp(a.text, text, a.size); }

static void keep(frame_headers *out, span name, span value) {
    if (is(name, ":message-type")) out->message_type = value;
    if (is(name, ":event-type")) out->event_type = value;
    if (is(name, ":exception-type")) out->exception_type = value;
    if (is(name, ":error-code")) out->error_code = value;
    if (is(name, ":error-message")) out->error_message = value;
}

static bool read_headers(const char *at, const char *end, frame_headers *out) {
    /* By type: true, false, byte, short, int, long, bytes, string, timestamp, UUID. Bytes and strings say how long they are. */
    static const size_t sizes[TYPE_KINDS] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
    while (at < end) {
        span name, type, value;
        if (!take_counted(&at, end, 1, &name) || !name.size || !take(&at, end, 1, &type)) return false;
        unsigned kind = (unsigned char)*type.text;
        if (kind >= TYPE_KINDS) return false;
        bool counted = kind == TYPE_STRING || kind == TYPE_STRING - 1;
        if (!(counted ? take_counted(&at, end, 2, &value) : take(&at, end, sizes[kind], &value))) return false;
        if (kind == TYPE_STRING) keep(out, name, value);
    }
    return true;
}

/* An error without a payload, told as an exception. */
static steno_status give_error(aws_frames *self, const char *name, span message, steno_error *error) {
    json_t *text = json_stringn(message.text ? message.text : "", message.size);
    json_t *json = json_pack("{s:o}", "message", text ? text : json_string("")); /* NULL: it was no UTF-8 */
    char *data = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (!data) return steno_fail(error, STENO_NO_MEMORY, "no memory for an error of the stream");
    steno_status status = self->on_frame(name, data, strlen(data), self->ctx);
    free(data);
    return status;
}

/* The frame is whole. */
static steno_status dispatch(aws_frames *self, steno_error *error) {
    char *bytes = self->frame.bytes, *last = bytes + self->size - CHECKSUM_BYTES;
    if (checksum(bytes, self->size - CHECKSUM_BYTES) != number_at(last))
        return steno_fail(error, STENO_CORRUPT, "a frame of the stream has a wrong checksum");
    char *payload = bytes + PRELUDE_BYTES + number_at(bytes + 4), name[AWS_FRAME_NAME_BYTES];
    frame_headers headers = {0};
    if (!read_headers(bytes + PRELUDE_BYTES, payload, &headers))
        return steno_fail(error, STENO_CORRUPT, "the headers of a frame of the stream are not formed as AWS's are");
    bool failed = is(headers.message_type, "error"), excepted = failed || is(headers.message_type, "exception");
    span type = failed ? headers.error_code : excepted ? headers.exception_type : headers.event_type;
    size_t begins = excepted ? strlen("exception:") : 0;
    if (begins + type.size >= sizeof name)
        return steno_fail(error, STENO_CORRUPT, "a frame of the stream has a type of %zu bytes", type.size);
    memcpy(name, "exception:", begins);
    if (type.size) memcpy(name + begins, type.text, type.size);
    name[begins + type.size] = '\0';
    if (failed && payload == last) return give_error(self, name, headers.error_message, error);
    *last = '\0'; /* over the checksum, which did its work */
    return self->on_frame(name, payload, (size_t)(last - payload), self->ctx);
}

steno_status aws_frames_feed(aws_frames *self, const void *bytes, size_t size, steno_error *error) {
    const char *at = bytes, *end = at + size;
    while (at < end) {
        size_t wanted = (self->size ? self->size : PRELUDE_BYTES) - self->frame.size, there = (size_t)(end - at);
        size_t taken = there < wanted ? there : wanted;
        if (!buffer_add(&self->frame, at, taken))
            return steno_fail(error, STENO_NO_MEMORY, "no memory for a frame of the stream");
        at += taken;
        if (taken < wanted) return STENO_OK;
        steno_status status = self->size ? dispatch(self, error) : read_prelude(self, error);
        if (status) return status;
        if (self->frame.size == self->size) { /* as long as the prelude alone no frame is */
            buffer_clear(&self->frame);
            self->size = 0;
        }
    }
    return STENO_OK;
}

steno_status aws_frames_end(const aws_frames *self, steno_error *error) {
    if (!self->frame.size) return STENO_OK;
    return steno_fail(error, STENO_CORRUPT, "the stream ended within a frame, after %zu bytes of it", self->frame.size);
}

void aws_frames_free(aws_frames *self) { buffer_free(&self->frame); }
