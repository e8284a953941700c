/* What Converse answers, whole or in records, in OpenAI's shapes. A record's name is the frame's (client/aws_frames.h). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/failure.h"
#include "client/providers/bedrock.h"
#include "client/providers/gathered.h"
#include "client/usage.h"

#define EXCEPTION "exception:"

static const char *const finish_reasons[] = {"end_turn",
                                             "stop",
                                             "stop_sequence",
                                             "stop",
                                             "max_tokens",
                                             "length",
                                             "model_context_window_exceeded",
                                             "length",
                                             "tool_use",
                                             "tool_calls",
                                             "guardrail_intervened",
                                             "content_filter",
                                             "content_filtered",
                                             "content_filter",
                                             NULL};

static const char *finish_reason(const json_t *object) {
    return wire_finish_reason(json_string_value(json_object_get(object, "stopReason")), finish_reasons);
}

/* One that AWS runs itself: its result is among the blocks, too. */
static bool is_servers_tool(const json_t *tool) {
    const char *type = json_string_value(json_object_get(tool, "type"));
    return type && !strcmp(type, "server_tool_use");
}

/* ---- in one piece ---- */

static void gather_reasoning(gathered *self, const json_t *reasoning) {
    const json_t *text = json_object_get(reasoning, "reasoningText");
    json_t *data = json_object_get(reasoning, "redactedContent"), *thinking = json_object_get(text, "text"),
           *signature = json_object_get(text, "signature");
    if (json_is_string(thinking)) {
        gathered_add(self, &self->reasoning, thinking);
        json_t *block = json_pack("{s:s,s:O}", "type", "thinking", "thinking", thinking);
        if (json_is_string(signature)) json_object_set_nocheck(block, "signature", signature);
        json_array_append_new(self->thinking_blocks, block);
    } else if (json_is_string(data)) {
        json_array_append_new(self->thinking_blocks, json_pack("{s:s,s:O}", "type", "redacted_thinking", "data", data));
    }
}

static void gather_tool_call(gathered *self, const json_t *tool) {
    const json_t *input = json_object_get(tool, "input");
    const char *id = json_string_value(json_object_get(tool, "toolUseId")),
               *name = json_string_value(json_object_get(tool, "name"));
    if (is_servers_tool(tool)) return;
    char *arguments = json_is_object(input) ? json_dumps(input, JSON_COMPACT) : NULL;
    json_array_append_new(self->tool_calls,
                          json_pack("{s:s,s:s,s:{s:s,s:s}}", "id", id ? id : "", "type", "function", "function", "name",
                                    name ? name : "", "arguments", arguments ? arguments : "{}"));
    free(arguments);
}

static void gather_block(gathered *self, const json_t *block) {
    const json_t *cited = json_object_get(json_object_get(block, "citationsContent"), "content"),
                 *text = json_object_get(block, "text"), *tool = json_object_get(block, "toolUse");
    self->has_text |= json_is_string(text) || json_is_array(cited);
    gathered_add(self, &self->text, text);
    for (size_t i = 0; i < json_array_size(cited); i++)
        gathered_add(self, &self->text, json_object_get(json_array_get(cited, i), "text"));
    gather_reasoning(self, json_object_get(block, "reasoningContent"));
    if (json_is_object(tool)) gather_tool_call(self, tool);
}

static json_t *message_of(const json_t *content) {
    gathered all;
    gathered_begin(&all);
    for (size_t i = 0; i < json_array_size(content); i++) gather_block(&all, json_array_get(content, i));
    return gathered_end(&all, json_pack("{s:s,s:n}", "role", "assistant", "content"));
}

/* The number of tokens is a member beside the vector; made an object of its own, so that the vector is not taken for usage. */
static json_t *embedding_reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error) {
    json_t *vector = json_object_get(native, "embedding"), *tokens = json_object_get(native, "inputTextTokenCount");
    if (!json_is_array(vector)) {
        steno_fail(error, STENO_CORRUPT, "it is JSON, but has no `embedding`");
        return NULL;
    }
    if (tokens &&
        !json_object_set_new((json_t *)(uintptr_t)native, "usage", json_pack("{s:O}", "inputTextTokenCount", tokens)))
        *usage = json_object_get(native, "usage");
    return wire_embeddings(ask->model, json_pack("[O]", vector));
}

json_t *bedrock_reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error) {
    *usage = NULL;
    if (ask->kind == CALL_EMBEDDING) return embedding_reply(ask, native, usage, error);
    const json_t *content = json_object_get(json_object_get(json_object_get(native, "output"), "message"), "content");
    if (!json_is_array(content)) {
        steno_fail(error, STENO_CORRUPT, "it is JSON, but has no `output.message.content`");
        return NULL;
    }
    json_t *message = message_of(content), *tier = json_object_get(json_object_get(native, "serviceTier"), "type");
    if (!message) {
        steno_fail(error, STENO_NO_MEMORY, "no memory for the reply");
        return NULL;
    }
    *usage = json_object_get(native, "usage");
    json_t *response = wire_response(NULL, ask->model, message, finish_reason(native));
    if (json_is_string(tier)) json_object_set_nocheck(response, "service_tier", tier);
    return response;
}

/* ---- in records ---- */

/* The stream's exceptions are what statuses are elsewhere; the reply itself has status 200. */
static const struct {
    const char *name;
    int status;
} exceptions[] = {
    {"internalServerException", 500}, {"modelStreamErrorException", 424}, {"serviceUnavailableException", 503},
    {"throttlingException", 429},     {"validationException", 400},       {"modelTimeoutException", 408},
    {"modelNotReadyException", 429},  {"accessDeniedException", 403},     {"resourceNotFoundException", 404},
};

static steno_status fail_as(const char *name, const json_t *record, steno_error *error) {
    int status = 500;
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (!strcasecmp(exceptions[i].name, name)) status = exceptions[i].status;
    const char *said = json_string_value(json_object_get(record, "message"));
    json_t *failed =
        json_pack("{s:{s:s,s:s,s:i}}", "error", "message", said && *said ? said : name, "type", name, "code", status);
    failure_from_reply(error, 200, failed, NULL);
    json_decref(failed);
    return STENO_FAILED;
}

/* The number of a block; false: there are no such ones. */
static bool read_index(const json_t *record, size_t *out) {
    const json_t *index = json_object_get(record, "contentBlockIndex");
    json_int_t value = json_integer_value(index);
    *out = (size_t)value;
    return json_is_integer(index) && value >= 0 && value < WIRE_BLOCKS_MAX;
}

static steno_status bad(const char *name, steno_error *error) {
    return steno_fail(error, STENO_CORRUPT, "a record `%s` is not formed as Bedrock's are", name);
}

/* A piece of a tool call's arguments. The block's number is negative until the first came. */
static steno_status emit_arguments(wire_stream *self, size_t block, const char *arguments) {
    self->blocks[block] = abs(self->blocks[block]);
    return wire_emit(self,
                     json_pack("{s:[{s:i,s:{s:s}}]}", "tool_calls", "index", self->blocks[block] - 1, "function",
                               "arguments", arguments),
                     NULL);
}

static steno_status begin_block(wire_stream *self, const json_t *record, size_t block) {
    const json_t *tool = json_object_get(json_object_get(record, "start"), "toolUse");
    const char *id = json_string_value(json_object_get(tool, "toolUseId")),
               *name = json_string_value(json_object_get(tool, "name"));
    if (!json_is_object(tool) || is_servers_tool(tool) || self->blocks[block]) return STENO_OK;
    int index = (int)self->tool_calls++;
    self->blocks[block] = -(index + 1);
    return wire_emit(self,
                     json_pack("{s:[{s:i,s:s,s:s,s:{s:s,s:s}}]}", "tool_calls", "index", index, "id", id ? id : "",
                               "type", "function", "function", "name", name ? name : "", "arguments", ""),
                     NULL);
}

/* A tool without parameters may get no arguments at all, where OpenAI's reader wants JSON. */
static steno_status end_block(wire_stream *self, size_t block) {
    return self->blocks[block] < 0 ? emit_arguments(self, block, "{}") : STENO_OK;
}

static steno_status emit_reasoning(wire_stream *self, const json_t *reasoning, size_t block) {
    json_t *text = json_object_get(reasoning, "text"), *signature = json_object_get(reasoning, "signature"),
           *data = json_object_get(reasoning, "redactedContent"), *delta = json_object();
    json_t *piece = json_pack("{s:i,s:s}", "index", (int)block, "type", "thinking");
    if (json_is_string(text)) {
        json_object_set_nocheck(delta, "reasoning_content", text);
        json_object_set_nocheck(piece, "thinking", text);
    } else if (json_is_string(signature)) {
        json_object_set_nocheck(piece, "signature", signature);
    } else if (json_is_string(data)) {
        json_object_set_new_nocheck(piece, "type", json_string("redacted_thinking"));
        json_object_set_nocheck(piece, "data", data);
    } else {
        json_decref(delta);
        json_decref(piece);
        return STENO_OK;
    }
    json_object_set_new_nocheck(delta, "thinking_blocks", json_pack("[o]", piece));
    return wire_emit(self, delta, NULL);
}

static steno_status add_delta(wire_stream *self, const json_t *record, size_t block) {
    const json_t *delta = json_object_get(record, "delta"), *reasoning = json_object_get(delta, "reasoningContent");
    json_t *text = json_object_get(delta, "text"), *input = json_object_get(json_object_get(delta, "toolUse"), "input");
    if (json_is_string(text)) return wire_emit(self, json_pack("{s:O}", "content", text), NULL);
    if (json_is_object(reasoning)) return emit_reasoning(self, reasoning, block);
    if (json_string_length(input) && self->blocks[block]) return emit_arguments(self, block, json_string_value(input));
    return STENO_OK;
}

static steno_status end_message(wire_stream *self, const json_t *record) {
    const char *reason = finish_reason(record);
    return wire_emit(self, NULL, reason ? reason : "stop");
}

/* The last record. */
static steno_status add_metadata(wire_stream *self, const json_t *record) {
    json_t *usage = json_object_get(record, "usage"),
           *tier = json_object_get(json_object_get(record, "serviceTier"), "type");
    self->done = true;
    if (json_is_string(tier)) {
        wire_head(self, NULL, NULL);
        json_object_set_nocheck(self->head, "service_tier", tier);
    }
    if (!json_is_object(usage)) return STENO_OK;
    json_decref(self->usage);
    self->usage = json_incref(usage);
    return wire_emit_usage(self, usage_from_bedrock);
}

steno_status bedrock_record(wire_stream *self, const char *name, const json_t *record, steno_error *error) {
    size_t block;
    if (!strncmp(name, EXCEPTION, strlen(EXCEPTION))) return fail_as(name + strlen(EXCEPTION), record, error);
    if (!json_is_object(record)) return bad(name, error);
    if (!strcmp(name, "messageStart")) return wire_emit(self, NULL, NULL);
    if (!strcmp(name, "messageStop")) return end_message(self, record);
    if (!strcmp(name, "metadata")) return add_metadata(self, record);
    if (strncmp(name, "contentBlock", strlen("contentBlock"))) return STENO_OK; /* a kind that is not known yet */
    if (!read_index(record, &block)) return bad(name, error);
    if (!strcmp(name, "contentBlockStart")) return begin_block(self, record, block);
    if (!strcmp(name, "contentBlockDelta")) return add_delta(self, record, block);
    return strcmp(name, "contentBlockStop") ? STENO_OK : end_block(self, block);
}
