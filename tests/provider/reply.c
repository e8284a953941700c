/* Writing replies, the right way and the wrong ways. Each connection has a thread of its own, so sleeping here holds up nobody else. */
#include "tests/provider/reply.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 4096

struct reply {
    unsigned status;
    bool stream;
    fault faults;
    const char *type; /* of the content; NULL: JSON, or a stream of events */
    char *pieces[REPLY_PIECES_MAX];
    size_t sizes[REPLY_PIECES_MAX];
    size_t count;
    size_t piece, at; /* what is written next */
    size_t written;   /* bytes in all */
};

reply *reply_new(unsigned status, bool stream, const fault *faults) {
    reply *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->status = status;
    self->stream = stream;
    self->faults = *faults;
    return self;
}

void reply_free(reply *self) {
    if (!self) return;
    for (size_t i = 0; i < self->count; i++) free(self->pieces[i]);
    free(self);
}

void reply_set_type(reply *self, const char *type) { self->type = type; }

void reply_add_bytes(reply *self, void *bytes, size_t size) {
    if (!bytes || self->count == REPLY_PIECES_MAX) {
        free(bytes);
        return;
    }
    self->pieces[self->count] = bytes;
    self->sizes[self->count++] = size;
}

void reply_add(reply *self, char *text) { reply_add_bytes(self, text, text ? strlen(text) : 0); }

void reply_add_named(reply *self, const char *name, json_t *json) {
    const char *end = self->faults.crlf ? "\r\n" : "\n";
    char *data = json_dumps(json, JSON_COMPACT), *text;
    json_decref(json);
    if (data && asprintf(&text, "event: %s%sdata: %s%s%s", name, end, data, end, end) >= 0) reply_add(self, text);
    free(data);
}

void reply_add_line(reply *self, json_t *json) {
    char *data = json_dumps(json, JSON_COMPACT), *text;
    json_decref(json);
    if (data && asprintf(&text, "%s\n", data) >= 0) reply_add(self, text);
    free(data);
}

void reply_add_event(reply *self, const char *data) {
    const char *end = self->faults.crlf ? "\r\n" : "\n";
    char *text;
    if (asprintf(&text, "data: %s%s%s", data, end, end) >= 0) reply_add(self, text);
}

void reply_add_json(reply *self, json_t *json) {
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(json);
    if (!self->stream) {
        reply_add(self, text);
        return;
    }
    if (text) reply_add_event(self, text);
    free(text);
}

size_t reply_pieces(const reply *self) { return self->count; }

/* Is this where the connection is cut? */
static bool is_cut(const reply *self) {
    if (!self->faults.cut_after) return false;
    return (self->stream ? self->piece : self->written) >= (size_t)self->faults.cut_after;
}

static ssize_t read_on(void *ctx, uint64_t position, char *out, size_t room) {
    reply *self = ctx;
    (void)position;
    while (self->piece < self->count && self->at == self->sizes[self->piece]) {
        self->piece++;
        self->at = 0;
    }
    if (is_cut(self)) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (self->piece == self->count) return MHD_CONTENT_READER_END_OF_STREAM;
    if (self->stream && self->at == 0 && self->faults.chunk_delay_ms) poll(NULL, 0, self->faults.chunk_delay_ms);
    const char *from = self->pieces[self->piece] + self->at;
    size_t size = self->sizes[self->piece] - self->at;
    if (size > room) size = room;
    if (self->faults.split && size > (size_t)self->faults.split) size = (size_t)self->faults.split;
    if (!self->stream && self->faults.cut_after && size > (size_t)self->faults.cut_after - self->written)
        size = (size_t)self->faults.cut_after - self->written;
    if (self->faults.byte_delay_ms) poll(NULL, 0, self->faults.byte_delay_ms);
    memcpy(out, from, size);
    self->at += size;
    self->written += size;
    return (ssize_t)size;
}

static void free_reply(void *ctx) { reply_free(ctx); }

enum MHD_Result reply_send(reply *self, struct MHD_Connection *connection) {
    static unsigned requests;
    char id[32], retry_after[16];
    if (self->faults.delay_ms) poll(NULL, 0, self->faults.delay_ms);
    uint64_t size = 0;
    for (size_t i = 0; i < self->count; i++) size += self->sizes[i];
    bool whole = !self->stream; /* a plain reply says how long it is, also where it is cut */
    struct MHD_Response *response =
        MHD_create_response_from_callback(whole ? size : MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_on, self, free_reply);
    if (!response) {
        reply_free(self);
        return MHD_NO;
    }
    snprintf(id, sizeof id, "req_%06u", __atomic_add_fetch(&requests, 1, __ATOMIC_RELAXED));
    snprintf(retry_after, sizeof retry_after, "%d", self->faults.retry_after);
    const char *type = *self->faults.content_type ? self->faults.content_type
                       : self->type               ? self->type
                       : self->stream             ? "text/event-stream"
                                                  : "application/json";
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "x-request-id", id);
    MHD_add_response_header(response, "openai-processing-ms", "1");
    MHD_add_response_header(response, "x-ratelimit-limit-requests", "10000");
    MHD_add_response_header(response, "x-ratelimit-remaining-requests", "9999");
    if (self->status >= 300 && self->status < 400) MHD_add_response_header(response, "Location", "/v1/elsewhere");
    if (self->faults.retry_after) MHD_add_response_header(response, "Retry-After", retry_after);
    enum MHD_Result result = MHD_queue_response(connection, self->status, response);
    MHD_destroy_response(response);
    return result;
}
