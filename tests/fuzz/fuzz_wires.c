/* Fuzz target: what providers send, by every wire, cut as its family cuts streams. The first byte chooses the wire, whether it is a stream, and where the
 * bytes are split. Whatever comes, it must be read without a fault, and what is given out must be assembled.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/aws_frames.h"
#include "client/ndjson.h"
#include "client/providers/wire.h"
#include "client/sse.h"
#include "client/stream_assembly.h"
#include "schema/json.h"

static const wire *const wires[] = {&wire_openai, &wire_responses, &wire_anthropic, &wire_gemini,
                                    &wire_ollama, &wire_bedrock,   &wire_cohere,    &wire_azure};

typedef struct reading {
    const wire *by;
    wire_stream stream;
    stream_assembly assembly;
} reading;

static steno_status on_chunk(json_t *chunk, void *ctx) {
    const char *text;
    return assembly_add(&((reading *)ctx)->assembly, chunk, &text, NULL);
}

static steno_status on_record(const char *name, const char *text, size_t size, void *ctx) {
    reading *self = ctx;
    steno_error error;
    json_t *record = json_parse(text, size, NULL);
    steno_status status = record ? self->by->record(&self->stream, name, record, &error) : STENO_OK;
    json_decref(record);
    return status;
}

static void read_stream(reading *self, const char *bytes, size_t size, size_t split) {
    sse events = {.on_event = on_record, .ctx = self};
    ndjson lines = {.on_line = on_record, .ctx = self};
    aws_frames frames = {.on_frame = on_record, .ctx = self};
    for (size_t i = 0; i < 2; i++) {
        const char *from = bytes + (i ? split : 0);
        size_t length = i ? size - split : split;
        if (self->by->framing == FRAMING_SSE && sse_feed(&events, from, length, NULL)) break;
        if (self->by->framing == FRAMING_LINES && ndjson_feed(&lines, from, length, NULL)) break;
        if (self->by->framing == FRAMING_FRAMES && aws_frames_feed(&frames, from, length, NULL)) break;
    }
    sse_end(&events, NULL);
    ndjson_end(&lines);
    sse_free(&events);
    ndjson_free(&lines);
    aws_frames_free(&frames);
    /* Frames have checksums: their payload is tried without them, too. */
    if (self->by->framing == FRAMING_FRAMES) on_record("contentBlockDelta", bytes, size, self);
    json_t *response = assembly_response(&self->assembly);
    steno_usage usage = self->by->usage(self->stream.usage);
    if (response && usage.prompt_tokens < STENO_UNKNOWN) abort();
    json_decref(response);
}

static void read_whole(const wire *by, const wire_ask *ask, const char *bytes, size_t size) {
    steno_error error = {0};
    const json_t *raw = NULL;
    json_t *native = json_parse(bytes, size, NULL), *response = native ? by->reply(ask, native, &raw, &error) : NULL;
    if (native && !response && !error.status) abort(); /* a refusal says why */
    by->usage(raw);
    json_decref(response);
    json_decref(native);
}

/* The same bytes as a request's parameters. */
static void write_body(const wire *by, wire_ask ask, const char *bytes, size_t size) {
    steno_error error = {0};
    json_t *params = json_parse(bytes, size, NULL);
    if (json_is_object(params)) {
        ask.params = params;
        json_t *body = by->body(&ask, &error);
        if (!body && !error.status) abort();
        json_decref(body);
    }
    json_decref(params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    const char *bytes = (const char *)data + 2;
    const wire_ask ask = {
        .kind = (data[0] >> 4 & 3) % CALL_KINDS, .stream = data[0] >> 6 & 1, .drop = data[0] >> 7, .model = "a-model"};
    reading self = {.by = wires[data[0] & 7]};
    size -= 2;
    self.stream = (wire_stream){.ask = &ask, .on_chunk = on_chunk, .ctx = &self};
    if (ask.stream)
        read_stream(&self, bytes, size, size ? data[1] % (size + 1) : 0);
    else
        read_whole(self.by, &ask, bytes, size);
    write_body(self.by, ask, bytes, size);
    wire_stream_free(&self.stream);
    assembly_free(&self.assembly);
    return 0;
}
