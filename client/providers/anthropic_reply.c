/* Anthropic's replies as OpenAI's. A reply is a list of blocks, of which texts, thoughts and tool calls have a place; others (what its own
 * tools did) are passed over. Invariant: a stream assembled is the same message as the whole reply.
 */
#include <string.h>

#include "client/failure.h"
#include "client/providers/anthropic.h"
#include "client/providers/content.h"
#include "client/providers/gathered.h"
#include "client/usage.h"
#include "schema/json.h"

/* clang-format off */
static const char *const finish_reasons[] = {
    "end_turn", "stop",
    "stop_sequence", "stop",
    "pause_turn", "stop", /* its own tools take longer: the reply so far can be sent back to go on */
    "max_tokens", "length",
    "model_context_window_exceeded", "length",
    "tool_use", "tool_calls",
    "refusal", "content_filter",
    NULL,
};
/* clang-format on */

static bool is_text(const char *text, const char *other) { return text && !strcmp(text, other); }

/* Why it refused, where it says so. */
static json_t *refusal_of(const json_t *reply) {
    json_t *why = json_object_get(json_object_get(reply, "stop_details"), "explanation");
    return json_is_string(why) ? why : NULL;
}

static const char *finish_reason_of(const json_t *reply) {
    return wire_finish_reason(content_string(reply, "stop_reason"), finish_reasons);
}

/* A tool's input as JSON text, a new reference. */
static json_t *arguments_of(const json_t *input) {
    char *text = json_is_object(input) ? json_dumps(input, JSON_FLAGS_OUT) : NULL;
    json_t *json = json_string(text ? text : "{}");
    free(text);
    return json;
}

/* ---- in one piece ---- */

static void read_block(gathered *self, json_t *block) {
    const char *type = content_string(block, "type");
    json_t *text = json_object_get(block, "text"), *name = json_object_get(block, "name"),
           *id = json_object_get(block, "id");
    if (is_text(type, "text") && json_is_string(text)) {
        self->has_text = true;
        gathered_add(self, &self->text, text);
    } else if (is_text(type, "thinking") || is_text(type, "redacted_thinking")) {
        gathered_add(self, &self->reasoning, json_object_get(block, "thinking"));
        json_array_append(self->thinking_blocks, block);
    } else if (is_text(type, "tool_use") && json_is_string(name) && json_is_string(id)) {
        json_array_append_new(self->tool_calls,
                              json_pack("{s:O,s:s,s:{s:O,s:o}}", "id", id, "type", "function", "function", "name", name,
                                        "arguments", arguments_of(json_object_get(block, "input"))));
    }
}

static json_t *message_of(const json_t *blocks) {
    gathered all;
    gathered_begin(&all);
    for (size_t i = 0; i < json_array_size(blocks); i++) read_block(&all, json_array_get(blocks, i));
    return gathered_end(&all, json_pack("{s:s,s:n}", "role", "assistant", "content"));
}

json_t *anthropic_reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error) {
    const json_t *blocks = json_object_get(native, "content");
    const char *model = content_string(native, "model");
    *usage = json_object_get(native, "usage");
    if (!json_is_object(*usage)) *usage = NULL;
    if (is_text(content_string(native, "type"), "error")) {
        failure_from_reply(error, 200, native, NULL);
        return NULL;
    }
    if (!json_is_array(blocks)) {
        steno_fail(error, STENO_CORRUPT, "it is JSON, but has no `content`");
        return NULL;
    }
    json_t *message = message_of(blocks), *refusal = refusal_of(native);
    if (!message) {
        steno_fail(error, STENO_NO_MEMORY, "no memory for the reply");
        return NULL;
    }
    if (refusal) json_object_set(message, "refusal", refusal);
    return wire_response(content_string(native, "id"), model ? model : ask->model, message, finish_reason_of(native));
}

/* ---- streamed ---- */

/* What wire_stream.blocks says of a block: its number among those of its kind, times KINDS, plus its kind. */
enum { BLOCK_OTHER, BLOCK_TOOL_EMPTY, BLOCK_TOOL, BLOCK_THINKING, KINDS };

static int kind_of(const wire_stream *self, size_t index) { return self->blocks[index] % KINDS; }
static int number_of(const wire_stream *self, size_t index) { return self->blocks[index] / KINDS; }

static steno_status read_index(const json_t *record, size_t *out, steno_error *error) {
    const json_t *index = json_object_get(record, "index");
    json_int_t value = json_is_integer(index) ? json_integer_value(index) : -1;
    if (value < 0 || value >= WIRE_BLOCKS_MAX)
        return steno_fail(error, STENO_CORRUPT, "a block of the reply has no index below %d", WIRE_BLOCKS_MAX);
    *out = (size_t)value;
    return STENO_OK;
}

/* Later values replace earlier ones, field by field: servers that speak this protocol say what the cache gave only at the end. */
static void merge_usage(wire_stream *self, const json_t *usage) {
    const char *name;
    json_t *value;
    if (!json_is_object(usage)) return;
    if (!self->usage) self->usage = json_object();
    json_object_foreach((json_t *)(uintptr_t)usage, name, value) if (!json_is_null(value))
        json_object_set_nocheck(self->usage, name, value);
}

static steno_status emit_arguments(wire_stream *self, int call, json_t *text) {
    return wire_emit(self, json_pack("{s:[{s:i,s:{s:o}}]}", "tool_calls", "index", call, "function", "arguments", text),
                     NULL);
}

static steno_status start_tool(wire_stream *self, size_t index, const json_t *block) {
    json_t *id = json_object_get(block, "id"), *name = json_object_get(block, "name");
    if (!json_is_string(id) || !json_is_string(name)) return STENO_OK;
    int call = (int)self->tool_calls++;
    self->blocks[index] = call * KINDS + BLOCK_TOOL_EMPTY;
    steno_status status = wire_emit(self,
                                    json_pack("{s:[{s:i,s:O,s:s,s:{s:O,s:s}}]}", "tool_calls", "index", call, "id", id,
                                              "type", "function", "function", "name", name, "arguments", ""),
                                    NULL);
    const json_t *input = json_object_get(block, "input");
    if (status || !json_object_size(input)) return status;
    self->blocks[index] = call * KINDS + BLOCK_TOOL;
    return emit_arguments(self, call, arguments_of(input));
}

/* A piece of a thought, taken over; its text, where it has one, is also the reasoning. */
static steno_status emit_thought(wire_stream *self, size_t index, json_t *piece) {
    json_t *text = json_object_get(piece, "thinking");
    json_object_set_new(piece, "index", json_integer(number_of(self, index)));
    json_t *delta = json_pack("{s:[O]}", "thinking_blocks", piece);
    if (json_string_length(text)) json_object_set(delta, "reasoning_content", text);
    json_decref(piece);
    return wire_emit(self, delta, NULL);
}

static steno_status start_thinking(wire_stream *self, size_t index, const json_t *block) {
    int before = 0;
    for (size_t i = 0; i < WIRE_BLOCKS_MAX; i++) before += kind_of(self, i) == BLOCK_THINKING;
    self->blocks[index] = before * KINDS + BLOCK_THINKING;
    return emit_thought(self, index, json_copy((json_t *)(uintptr_t)block));
}

static steno_status emit_text(wire_stream *self, json_t *text) {
    return json_string_length(text) ? wire_emit(self, json_pack("{s:O}", "content", text), NULL) : STENO_OK;
}

static steno_status start_block(wire_stream *self, const json_t *record, steno_error *error) {
    const json_t *block = json_object_get(record, "content_block");
    const char *type = content_string(block, "type");
    size_t index = 0;
    steno_status status = read_index(record, &index, error);
    if (status) return status;
    self->blocks[index] = BLOCK_OTHER;
    if (is_text(type, "tool_use")) return start_tool(self, index, block);
    if (is_text(type, "thinking") || is_text(type, "redacted_thinking")) return start_thinking(self, index, block);
    if (!is_text(type, "text")) return STENO_OK;
    /* An empty text is a text: content is then "" and not null, as in the whole reply. */
    json_t *text = json_object_get(block, "text");
    return wire_emit(self, json_pack("{s:o}", "content", json_is_string(text) ? json_incref(text) : json_string("")),
                     NULL);
}

static steno_status add_to_block(wire_stream *self, const json_t *record, steno_error *error) {
    const json_t *delta = json_object_get(record, "delta");
    const char *type = content_string(delta, "type");
    size_t index = 0;
    steno_status status = read_index(record, &index, error);
    if (status) return status;
    json_t *json = json_object_get(delta, "partial_json"), *thinking = json_object_get(delta, "thinking"),
           *signature = json_object_get(delta, "signature");
    int kind = kind_of(self, index);
    if (is_text(type, "text_delta")) return emit_text(self, json_object_get(delta, "text"));
    if (is_text(type, "input_json_delta") && (kind == BLOCK_TOOL || kind == BLOCK_TOOL_EMPTY) &&
        json_string_length(json)) {
        self->blocks[index] = number_of(self, index) * KINDS + BLOCK_TOOL;
        return emit_arguments(self, number_of(self, index), json_incref(json));
    }
    if (kind != BLOCK_THINKING) return STENO_OK;
    if (is_text(type, "thinking_delta") && json_is_string(thinking))
        return emit_thought(self, index, json_pack("{s:O}", "thinking", thinking));
    if (is_text(type, "signature_delta") && json_is_string(signature))
        return emit_thought(self, index, json_pack("{s:O}", "signature", signature));
    return STENO_OK;
}

/* A tool that takes nothing gets no piece of input: its arguments are an empty object all the same. */
static steno_status stop_block(wire_stream *self, const json_t *record, steno_error *error) {
    size_t index = 0;
    steno_status status = read_index(record, &index, error);
    if (status || kind_of(self, index) != BLOCK_TOOL_EMPTY) return status;
    self->blocks[index] = number_of(self, index) * KINDS + BLOCK_TOOL;
    return emit_arguments(self, number_of(self, index), json_string("{}"));
}

static steno_status end_message(wire_stream *self, const json_t *record) {
    const json_t *delta = json_object_get(record, "delta");
    const char *finish_reason = finish_reason_of(delta);
    json_t *refusal = refusal_of(delta);
    steno_status status = STENO_OK;
    merge_usage(self, json_object_get(record, "usage"));
    if (finish_reason) status = wire_emit(self, refusal ? json_pack("{s:O}", "refusal", refusal) : NULL, finish_reason);
    return !status && self->usage ? wire_emit_usage(self, usage_from_anthropic) : status;
}

steno_status anthropic_record(wire_stream *self, const char *name, const json_t *record, steno_error *error) {
    const char *type = content_string(record, "type");
    if (!json_is_object(record)) return steno_fail(error, STENO_CORRUPT, "it is no JSON object");
    if (!type) type = name;
    if (is_text(type, "error") || json_is_object(json_object_get(record, "error"))) {
        failure_from_reply(error, 200, record, NULL);
        return STENO_FAILED;
    }
    if (is_text(type, "message_start")) {
        const json_t *message = json_object_get(record, "message");
        wire_head(self, content_string(message, "id"), content_string(message, "model"));
        merge_usage(self, json_object_get(message, "usage"));
    }
    if (is_text(type, "content_block_start")) return start_block(self, record, error);
    if (is_text(type, "content_block_delta")) return add_to_block(self, record, error);
    if (is_text(type, "content_block_stop")) return stop_block(self, record, error);
    if (is_text(type, "message_delta")) return end_message(self, record);
    if (is_text(type, "message_stop")) self->done = true;
    return STENO_OK; /* pings, and what is added in the future */
}
