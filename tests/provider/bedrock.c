/* Converse, its stream, and Titan's embeddings. */
#include "tests/provider/bedrock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define STREAM_TYPE "application/vnd.amazon.eventstream"
/* Bytes of the headers of a frame here, at most. */
#define HEADERS_BYTES 256

/* ---- what is asked, and what it costs ---- */

/* The last text of the last message; a tool's result counts, too. */
static const char *last_text(const json_t *request) {
    const json_t *messages = json_object_get(request, "messages");
    const json_t *content = json_object_get(json_array_get(messages, json_array_size(messages) - 1), "content");
    const char *found = "";
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *block = json_array_get(content, i);
        const char *text = json_string_value(json_object_get(block, "text"));
        if (text) found = text;
    }
    return found;
}

static long block_words(const json_t *blocks) {
    long words = 0;
    for (size_t i = 0; i < json_array_size(blocks); i++) {
        const json_t *block = json_array_get(blocks, i);
        const char *text = json_string_value(json_object_get(block, "text"));
        words += text ? route_words(text) : json_object_get(block, "cachePoint") ? 0 : 85; /* an image, a document, … */
    }
    return words;
}

static long prompt_words(const json_t *request) {
    const json_t *messages = json_object_get(request, "messages");
    long words = block_words(json_object_get(request, "system"));
    for (size_t i = 0; i < json_array_size(messages); i++)
        words += 3 + block_words(json_object_get(json_array_get(messages, i), "content"));
    return words;
}

static bool wants_tool(const json_t *request) {
    return json_array_size(json_object_get(json_object_get(request, "toolConfig"), "tools")) &&
           route_wants_tool(last_text(request));
}

static bool wants_thoughts(const json_t *request) {
    return json_object_get(json_object_get(request, "additionalModelRequestFields"), "thinking");
}

/* inputTokens leaves out what came from the cache; the total has it. */
static json_t *usage(const json_t *request, const char *text) {
    long prompt = prompt_words(request), completion = wants_tool(request) ? 5 : route_words(text);
    long cached = strcasestr(last_text(request), "cached") ? 2 : 0;
    return json_pack("{s:I,s:I,s:I,s:I,s:i}", "inputTokens", (json_int_t)(prompt - cached), "outputTokens",
                     (json_int_t)completion, "totalTokens", (json_int_t)(prompt + completion), "cacheReadInputTokens",
                     (json_int_t)cached, "cacheWriteInputTokens", 0);
}

/* ---- errors ---- */

static reply *bedrock_error(unsigned status, const char *message, const char *type, const char *code,
                            const fault *faults) {
    (void)type;
    (void)code;
    reply *self = reply_new(status, false, faults);
    if (self) reply_add_json(self, json_pack("{s:s}", "message", message));
    return self;
}

static reply *refusal(const exchange *with) {
    const char *key = MHD_lookup_connection_value(with->connection, MHD_HEADER_KIND, "Authorization");
    const char *wrong = key && !strncmp(key, "Bearer ", 7) ? NULL : bedrock_check_signature(with);
    if (wrong) return bedrock_error(403, wrong, NULL, NULL, with->faults);
    if (!strstr(with->path, "does-not-exist")) return NULL;
    return bedrock_error(400, "The provided model identifier is invalid.", NULL, NULL, with->faults);
}

/* Converse refuses what is not formed as it says; the commonest mistakes are looked for here. */
static const char *find_mistake(const json_t *request) {
    const json_t *messages = json_object_get(request, "messages");
    const char *before = "";
    if (!json_array_size(messages)) return "messages: at least one message is required.";
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i), *content = json_object_get(message, "content");
        const char *role = json_string_value(json_object_get(message, "role"));
        if (!role || (strcmp(role, "user") && strcmp(role, "assistant"))) return "messages: the role is unknown.";
        if (!strcmp(role, before)) return "A conversation must alternate between user and assistant roles.";
        before = role;
        if (!json_array_size(content)) return "The content field in the Message object is empty.";
        for (size_t k = 0; k < json_array_size(content); k++) {
            const json_t *block = json_array_get(content, k);
            if (json_object_size(block) != 1) return "messages: a block has one member.";
            if (!json_object_get(request, "toolConfig") &&
                (json_object_get(block, "toolUse") || json_object_get(block, "toolResult")))
                return "The toolConfig field must be defined when using toolUse and toolResult content blocks.";
        }
    }
    return strcmp(json_string_value(json_object_get(json_array_get(messages, 0), "role")), "user")
               ? "A conversation must start with a user message."
               : NULL;
}

/* ---- in one piece ---- */

static json_t *content_of(const json_t *request, const char *text) {
    json_t *content = json_array();
    if (wants_thoughts(request))
        json_array_append_new(content, json_pack("{s:{s:{s:s,s:s}}}", "reasoningContent", "reasoningText", "text",
                                                 "Let me think.", "signature", "c2lnbmVk"));
    json_array_append_new(content, wants_tool(request)
                                       ? json_pack("{s:{s:s,s:s,s:{s:s}}}", "toolUse", "toolUseId", "tooluse_1", "name",
                                                   "get_weather", "input", "location", "Paris")
                                       : json_pack("{s:s}", "text", text));
    return content;
}

static reply *whole(const exchange *with, const char *text) {
    reply *self = reply_new(200, false, with->faults);
    if (!self) return NULL;
    json_t *body = json_pack("{s:{s:{s:s,s:o}},s:s,s:{s:i}}", "output", "message", "role", "assistant", "content",
                             content_of(with->body, text), "stopReason",
                             wants_tool(with->body) ? "tool_use" : "end_turn", "metrics", "latencyMs", 7);
    if (!with->faults->no_usage) json_object_set_new(body, "usage", usage(with->body, text));
    reply_add_json(self, body);
    return self;
}

/* ---- in frames ---- */

static void put(unsigned char *at, size_t number) {
    for (int i = 0; i < 4; i++) at[i] = (unsigned char)(number >> (24 - 8 * i));
}

static size_t put_header(unsigned char *at, const char *name, const char *value) {
    size_t name_size = strlen(name), size = strlen(value);
    at[0] = (unsigned char)name_size;
    memcpy(at + 1, name, name_size);
    at[1 + name_size] = 7; /* a string */
    at[2 + name_size] = (unsigned char)(size >> 8);
    at[3 + name_size] = (unsigned char)size;
    memcpy(at + 4 + name_size, value, size);
    return 4 + name_size + size;
}

/* Takes over `json`. */
static void add_frame(reply *to, const char *header, const char *type, const char *message_type, json_t *json) {
    unsigned char headers[HEADERS_BYTES];
    size_t size = put_header(headers, header, type);
    size += put_header(headers + size, ":content-type", "application/json");
    size += put_header(headers + size, ":message-type", message_type);
    char *payload = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    size_t payload_size = payload ? strlen(payload) : 0, total = 12 + size + payload_size + 4;
    unsigned char *frame = malloc(total);
    if (frame && payload) {
        put(frame, total);
        put(frame + 4, size);
        put(frame + 8, crc32(0, frame, 8));
        memcpy(frame + 12, headers, size);
        memcpy(frame + 12 + size, payload, payload_size);
        put(frame + total - 4, crc32(0, frame, (uInt)(total - 4)));
        reply_add_bytes(to, frame, total);
    } else {
        free(frame);
    }
    free(payload);
}

typedef struct streaming {
    reply *to;
    const fault *faults;
    int block;
    bool ended; /* by a fault */
} streaming;

static void add_event(streaming *self, const char *type, json_t *json) {
    int after = self->faults->error_in_stream;
    if (!self->ended && after && reply_pieces(self->to) >= (size_t)after) {
        add_frame(self->to, ":exception-type", "internalServerException", "exception",
                  json_pack("{s:s}", "message", "The server had a simulated error"));
        self->ended = true;
    }
    if (self->ended)
        json_decref(json);
    else
        add_frame(self->to, ":event-type", type, "event", json);
}

static void add_delta(streaming *self, json_t *delta) {
    add_event(self, "contentBlockDelta", json_pack("{s:i,s:o}", "contentBlockIndex", self->block, "delta", delta));
}

static void end_block(streaming *self) {
    add_event(self, "contentBlockStop", json_pack("{s:i}", "contentBlockIndex", self->block++));
}

static void add_word(const char *word, size_t size, void *ctx) {
    add_delta(ctx, json_pack("{s:s%}", "text", word, size));
}

static void add_thoughts(streaming *self) {
    add_delta(self, json_pack("{s:{s:s}}", "reasoningContent", "text", "Let me "));
    add_delta(self, json_pack("{s:{s:s}}", "reasoningContent", "text", "think."));
    add_delta(self, json_pack("{s:{s:s}}", "reasoningContent", "signature", "c2lnbmVk"));
    end_block(self);
}

static void add_tool_call(streaming *self) {
    static const char *const pieces[] = {"", "{\"loc", "ation\":", "\"Paris\"}"};
    add_event(self, "contentBlockStart",
              json_pack("{s:i,s:{s:{s:s,s:s}}}", "contentBlockIndex", self->block, "start", "toolUse", "toolUseId",
                        "tooluse_1", "name", "get_weather"));
    for (size_t i = 0; i < 4; i++) add_delta(self, json_pack("{s:{s:s}}", "toolUse", "input", pieces[i]));
    end_block(self);
}

static reply *streamed(const exchange *with, const char *text) {
    streaming self = {.to = reply_new(200, true, with->faults), .faults = with->faults};
    if (!self.to) return NULL;
    reply_set_type(self.to, STREAM_TYPE);
    bool tool = wants_tool(with->body);
    add_event(&self, "messageStart", json_pack("{s:s}", "role", "assistant"));
    if (wants_thoughts(with->body)) add_thoughts(&self);
    if (tool) {
        add_tool_call(&self);
    } else {
        route_each_word(text, add_word, &self);
        end_block(&self);
    }
    if (with->faults->no_done) return self.to;
    add_event(&self, "messageStop", json_pack("{s:s}", "stopReason", tool ? "tool_use" : "end_turn"));
    json_t *metadata = json_pack("{s:{s:i}}", "metrics", "latencyMs", 7);
    if (!with->faults->no_usage) json_object_set_new(metadata, "usage", usage(with->body, text));
    add_event(&self, "metadata", metadata);
    return self.to;
}

static reply *converse_by(const exchange *with, reply *(*answer)(const exchange *with, const char *text)) {
    reply *refused = refusal(with);
    if (refused) return refused;
    const char *mistake = find_mistake(with->body);
    if (mistake) return bedrock_error(400, mistake, NULL, NULL, with->faults);
    char *text = route_answer(with, last_text(with->body));
    reply *self = text ? answer(with, text) : NULL;
    free(text);
    return self;
}

static reply *converse(const exchange *with) { return converse_by(with, whole); }
static reply *converse_stream(const exchange *with) { return converse_by(with, streamed); }

static reply *invoke(const exchange *with) {
    reply *refused = refusal(with);
    if (refused) return refused;
    const char *text = json_string_value(json_object_get(with->body, "inputText"));
    if (!text || !strstr(with->path, "titan-embed-text"))
        return bedrock_error(400, "Malformed input request: required key [inputText] not found", NULL, NULL,
                             with->faults);
    reply *self = reply_new(200, false, with->faults);
    if (!self) return NULL;
    json_t *body = json_pack("{s:o}", "embedding", route_vector(text));
    if (!with->faults->no_usage)
        json_object_set_new(body, "inputTextTokenCount", json_integer((json_int_t)route_words(text)));
    reply_add_json(self, body);
    return self;
}

const route bedrock_routes[] = {
    {"/model/", "/converse", "Authorization", converse, bedrock_error},
    {"/model/", "/converse-stream", "Authorization", converse_stream, bedrock_error},
    {"/model/", "/invoke", "Authorization", invoke, bedrock_error},
    {0},
};
