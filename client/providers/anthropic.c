/* Anthropic's Messages. Content is blocks there: texts, thinking, tool calls and their results are all parts of messages of two roles that take turns.
 * Source: docs.anthropic.com, "Messages" and "Streaming Messages", API version 2023-06-01.
 */
#include <stdlib.h>
#include <string.h>

#include "client/failure.h"
#include "client/providers/content.h"
#include "client/providers/params.h"
#include "client/usage.h"

/* The API wants to be told; this is what every model of theirs can give. */
#define MAX_TOKENS_DEFAULT 4096

static const char *text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static bool is_type(const json_t *object, const char *type) {
    const char *is = text_of(object, "type");
    return is && !strcmp(is, type);
}

static bool path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]) {
    size_t size = strlen(base);
    bool versioned = size >= 3 && !strcmp(base + size - 3, "/v1");
    (void)ask;
    strcpy(out, versioned ? "/messages" : "/v1/messages");
    return true;
}

/* ---- messages ---- */

/* Takes over `block`, and the mark that it is to be cached with it. */
static void add_block(json_t *blocks, json_t *block, const json_t *from) {
    json_t *mark = json_object_get(from, "cache_control");
    if (mark) json_object_set(block, "cache_control", mark);
    json_array_append_new(blocks, block);
}

static json_t *text_block(const char *text) {
    json_t *block = json_object();
    json_object_set_new(block, "type", json_string("text"));
    json_object_set_new(block, "text", json_string_nocheck(text));
    return block;
}

/* An image or a document: by its address, or as data. */
static json_t *media_block(const content_part *part) {
    json_t *block = json_object(), *source = json_object();
    json_object_set_new(source, "type", json_string(part->url ? "url" : "base64"));
    if (part->url) {
        json_object_set_new(source, "url", json_string_nocheck(part->url));
    } else {
        json_object_set_new(source, "media_type", json_stringn_nocheck(part->mime, part->mime_size));
        json_object_set_new(source, "data", json_string_nocheck(part->data));
    }
    json_object_set_new(block, "type", json_string(part->kind == PART_IMAGE ? "image" : "document"));
    json_object_set_new(block, "source", source);
    return block;
}

static steno_status add_content(const wire_ask *ask, const json_t *content, json_t *blocks, steno_error *error) {
    for (size_t i = 0; i < content_count(content); i++) {
        content_part part;
        steno_status status = content_part_at(content, i, &part, error);
        if (status) return status;
        if (part.kind == PART_TEXT) {
            if (*part.text) add_block(blocks, text_block(part.text), part.json); /* an empty one is refused there */
        } else if (part.kind == PART_IMAGE || part.kind == PART_FILE) {
            add_block(blocks, media_block(&part), part.json);
        } else if (part.kind == PART_OTHER) { /* a block of their own kind passes through */
            json_array_append(blocks, (json_t *)(uintptr_t)part.json);
        } else if (!ask->drop) {
            return steno_fail(error, STENO_INVALID, "%s takes no audio in messages", ask->model);
        }
    }
    return STENO_OK;
}

/* What the model thought comes back as it came, before all else. */
static void add_thinking(const json_t *message, json_t *blocks) {
    const json_t *thoughts = json_object_get(message, "thinking_blocks");
    for (size_t i = 0; i < json_array_size(thoughts); i++) {
        const json_t *thought = json_array_get(thoughts, i);
        if (text_of(thought, "signature") || text_of(thought, "data"))
            json_array_append(blocks, (json_t *)(uintptr_t)thought);
    }
}

static void add_tool_calls(const json_t *message, json_t *blocks) {
    const json_t *calls = json_object_get(message, "tool_calls");
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *one = json_array_get(calls, i);
        json_t *block = json_object();
        json_object_set_new(block, "type", json_string("tool_use"));
        json_object_set(block, "id", json_object_get(one, "id"));
        json_object_set(block, "name", json_object_get(json_object_get(one, "function"), "name"));
        json_object_set_new(block, "input", content_arguments(one));
        add_block(blocks, block, one);
    }
}

static steno_status add_tool_result(const wire_ask *ask, const json_t *message, json_t *blocks, steno_error *error) {
    json_t *block = json_object(), *inner = json_array();
    json_object_set_new(block, "type", json_string("tool_result"));
    json_object_set(block, "tool_use_id", json_object_get(message, "tool_call_id"));
    steno_status status = add_content(ask, json_object_get(message, "content"), inner, error);
    json_object_set_new(block, "content", inner);
    add_block(blocks, block, message);
    return status;
}

/* The blocks of a message of this role: those of the last one, where that has the same role, since roles must take turns. */
static json_t *blocks_for(json_t *messages, const char *role) {
    json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    if (last && !strcmp(text_of(last, "role"), role)) return json_object_get(last, "content");
    json_t *message = json_object();
    json_object_set_new(message, "role", json_string(role));
    json_object_set_new(message, "content", json_array());
    json_array_append_new(messages, message);
    return json_object_get(message, "content");
}

static steno_status add_message(const wire_ask *ask, const json_t *message, json_t *system, json_t *messages,
                                steno_error *error) {
    const char *role = text_of(message, "role");
    const json_t *content = json_object_get(message, "content");
    if (!role) return steno_fail(error, STENO_INVALID, "a message has no `role`");
    if (!strcmp(role, "system") || !strcmp(role, "developer")) return add_content(ask, content, system, error);
    if (!strcmp(role, "tool")) return add_tool_result(ask, message, blocks_for(messages, "user"), error);
    if (strcmp(role, "assistant")) return add_content(ask, content, blocks_for(messages, "user"), error);
    json_t *blocks = blocks_for(messages, "assistant");
    add_thinking(message, blocks);
    steno_status status = add_content(ask, content, blocks, error);
    add_tool_calls(message, blocks);
    return status;
}

static steno_status put_messages(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    json_t *system = json_array(), *messages = json_array();
    steno_status status = STENO_OK;
    for (size_t i = 0; !status && i < json_array_size(value); i++)
        status = add_message(ask, json_array_get(value, i), system, messages, error);
    if (json_array_size(system)) json_object_set(body, "system", system);
    json_object_set_new(body, "messages", messages);
    json_decref(system);
    return status;
}

/* ---- parameters ---- */

static steno_status put_tools(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    json_t *tools = json_array();
    (void)ask;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *one = json_array_get(value, i), *function = json_object_get(one, "function");
        if (!function) { /* a tool of their own kind */
            json_array_append(tools, (json_t *)(uintptr_t)one);
            continue;
        }
        json_t *tool = json_object(), *schema = json_object_get(function, "parameters");
        json_object_set(tool, "name", json_object_get(function, "name"));
        if (json_object_get(function, "description"))
            json_object_set(tool, "description", json_object_get(function, "description"));
        json_object_set_new(tool, "input_schema", schema ? json_incref(schema) : json_pack("{s:s}", "type", "object"));
        add_block(tools, tool, one);
    }
    return params_put(body, "tools", tools, error);
}

static steno_status put_choice_type(json_t *body, const char *type, steno_error *error) {
    return params_put(body, "tool_choice.type", json_string(type), error);
}

static steno_status put_tool_choice(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    static const char *const words[] = {"auto", "auto", "none", "none", "required", "any", NULL};
    const char *word = json_string_value(value), *name = text_of(json_object_get(value, "function"), "name");
    (void)ask;
    if (word) return put_choice_type(body, wire_finish_reason(word, words), error);
    if (!name) return params_put(body, "tool_choice", json_deep_copy(value), error);
    steno_status status = put_choice_type(body, "tool", error);
    return status ? status : params_put(body, "tool_choice.name", json_string_nocheck(name), error);
}

static steno_status put_parallel(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    if (!json_is_false(value) || !json_object_get(ask->params, "tools")) return STENO_OK;
    if (!json_object_get(ask->params, "tool_choice")) {
        steno_status status = put_choice_type(body, "auto", error);
        if (status) return status;
    }
    return params_put(body, "tool_choice.disable_parallel_tool_use", json_true(), error);
}

static steno_status put_stop(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    return params_put(body, "stop_sequences", params_list(value), error);
}

/* Tokens to think with for each effort, as the ecosystem has it. */
static steno_status put_effort(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    static const struct {
        const char *effort;
        int tokens;
    } budgets[] = {{"minimal", 1024}, {"low", 1024}, {"medium", 2048}, {"high", 4096}, {"xhigh", 16384}};
    const char *effort = json_string_value(value);
    if (effort && !strcmp(effort, "none")) return STENO_OK;
    for (size_t i = 0; effort && i < sizeof budgets / sizeof *budgets; i++)
        if (!strcmp(effort, budgets[i].effort))
            return params_put(body, "thinking",
                              json_pack("{s:s,s:i}", "type", "enabled", "budget_tokens", budgets[i].tokens), error);
    return steno_fail(error, STENO_INVALID, "%s knows no reasoning_effort \"%s\"", ask->model, effort ? effort : "");
}

static steno_status put_format(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const json_t *schema = json_object_get(json_object_get(value, "json_schema"), "schema");
    if (is_type(value, "text")) return STENO_OK;
    if (is_type(value, "json_schema") && schema)
        return params_put(body, "output_config.format", json_pack("{s:s,s:O}", "type", "json_schema", "schema", schema),
                          error);
    return steno_fail(error, STENO_INVALID, "%s has no response_format but json_schema: ask for JSON in the prompt",
                      ask->model);
}

static const param_rule rules[] = {
    {"messages", NULL, put_messages},
    {"max_tokens", "max_tokens", NULL},
    {"max_completion_tokens", "max_tokens", NULL},
    {"temperature", "temperature", NULL},
    {"top_p", "top_p", NULL},
    {"stop", NULL, put_stop},
    {"tools", NULL, put_tools},
    {"tool_choice", NULL, put_tool_choice},
    {"parallel_tool_calls", NULL, put_parallel},
    {"reasoning_effort", NULL, put_effort},
    {"response_format", NULL, put_format},
    {"user", "metadata.user_id", NULL},
    {"safety_identifier", "metadata.user_id", NULL},
    {"metadata", "metadata", NULL},
    {"service_tier", "service_tier", NULL},
    {NULL, NULL, NULL},
};

/* The limit that must be there, and be larger than what is for thinking. */
static void set_max_tokens(json_t *body) {
    json_int_t max = json_integer_value(json_object_get(body, "max_tokens"));
    json_int_t thinking = json_integer_value(json_object_get(json_object_get(body, "thinking"), "budget_tokens"));
    if (!max) max = MAX_TOKENS_DEFAULT;
    if (max <= thinking) max += thinking;
    json_object_set_new(body, "max_tokens", json_integer(max));
}

static json_t *body(const wire_ask *ask, steno_error *error) {
    json_t *made = json_object();
    json_object_set_new(made, "model", json_string_nocheck(ask->model));
    if (params_map(ask, rules, made, error)) {
        json_decref(made);
        return NULL;
    }
    set_max_tokens(made);
    if (ask->stream) json_object_set_new(made, "stream", json_true());
    return made;
}

/* ---- replies ---- */

static const char *const reasons[] = {"end_turn",   "stop",           "stop_sequence",
                                      "stop",       "pause_turn",     "stop",
                                      "max_tokens", "length",         "model_context_window_exceeded",
                                      "length",     "tool_use",       "tool_calls",
                                      "refusal",    "content_filter", NULL};

static void append_text(json_t *message, const char *name, const char *text) {
    const char *before = text_of(message, name);
    if (!text) return;
    json_object_set_new(message, name, json_sprintf("%s%s", before ? before : "", text));
}

static void append_to(json_t *message, const char *name, json_t *value) {
    json_t *list = json_object_get(message, name);
    if (!list) {
        list = json_array();
        json_object_set_new(message, name, list);
    }
    json_array_append_new(list, value);
}

static json_t *tool_call(const char *id, const char *name, const char *arguments) {
    json_t *call = json_object(), *function = json_object();
    json_object_set_new(function, "name", json_string_nocheck(name ? name : ""));
    json_object_set_new(function, "arguments", json_string_nocheck(arguments));
    json_object_set_new(call, "id", json_string_nocheck(id ? id : ""));
    json_object_set_new(call, "type", json_string("function"));
    json_object_set_new(call, "function", function);
    return call;
}

/* The members of a thinking block that must come back. */
static json_t *thinking_block(const json_t *block) {
    static const char *const names[] = {"type", "thinking", "signature", "data"};
    json_t *kept = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_get(block, names[i])) json_object_set(kept, names[i], json_object_get(block, names[i]));
    return kept;
}

static void read_block(const json_t *block, json_t *message) {
    if (is_type(block, "text")) {
        append_text(message, "content", text_of(block, "text"));
    } else if (is_type(block, "tool_use")) {
        char *arguments = json_dumps(json_object_get(block, "input"), JSON_COMPACT);
        append_to(message, "tool_calls",
                  tool_call(text_of(block, "id"), text_of(block, "name"), arguments ? arguments : "{}"));
        free(arguments);
    } else if (is_type(block, "thinking") || is_type(block, "redacted_thinking")) {
        append_text(message, "reasoning_content", text_of(block, "thinking"));
        append_to(message, "thinking_blocks", thinking_block(block));
    }
}

static json_t *reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error) {
    const json_t *content = json_object_get(native, "content");
    *usage = json_object_get(native, "usage");
    if (!json_is_array(content)) {
        steno_fail(error, STENO_CORRUPT, "it is JSON, but has no `content`");
        return NULL;
    }
    json_t *message = json_pack("{s:s,s:n}", "role", "assistant", "content");
    for (size_t i = 0; i < json_array_size(content); i++) read_block(json_array_get(content, i), message);
    const char *model = text_of(native, "model");
    return wire_response(text_of(native, "id"), model ? model : ask->model, message,
                         wire_finish_reason(text_of(native, "stop_reason"), reasons));
}

/* ---- streams ---- */

/* Each field that comes replaces the one before: message_delta's are cumulative. */
static void merge_usage(wire_stream *self, const json_t *usage) {
    if (!json_is_object(usage)) return;
    if (!self->usage) self->usage = json_object();
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)usage, name, value) {
        if (!json_is_null(value)) json_object_set_nocheck(self->usage, name, value);
    }
}

static int *block_at(wire_stream *self, const json_t *record) {
    json_int_t index = json_integer_value(json_object_get(record, "index"));
    return index >= 0 && index < WIRE_BLOCKS_MAX ? &self->blocks[index] : NULL;
}

static steno_status emit_thinking(wire_stream *self, const json_t *record, const char *type, const char *name,
                                  const char *text) {
    json_t *piece = json_object(), *delta = json_object(), *list = json_array();
    json_object_set(piece, "index", json_object_get(record, "index"));
    json_object_set_new(piece, "type", json_string(type));
    if (name && text) json_object_set_new(piece, name, json_string_nocheck(text));
    json_array_append_new(list, piece);
    if (name && !strcmp(name, "thinking"))
        json_object_set_new(delta, "reasoning_content", json_string_nocheck(text ? text : ""));
    json_object_set_new(delta, "thinking_blocks", list);
    return wire_emit(self, delta, NULL);
}

static steno_status emit_arguments(wire_stream *self, int index, json_t *piece) {
    json_t *delta = json_object(), *list = json_array();
    json_object_set_new(piece, "index", json_integer(index));
    json_array_append_new(list, piece);
    json_object_set_new(delta, "tool_calls", list);
    return wire_emit(self, delta, NULL);
}

static steno_status emit_text(wire_stream *self, const char *text) {
    json_t *delta = json_object();
    json_object_set_new(delta, "content", json_string_nocheck(text ? text : ""));
    return wire_emit(self, delta, NULL);
}

static steno_status block_begins(wire_stream *self, const json_t *record, steno_error *error) {
    const json_t *block = json_object_get(record, "content_block");
    int *at = block_at(self, record);
    if (!at) return steno_fail(error, STENO_CORRUPT, "a block has an index beyond %d", WIRE_BLOCKS_MAX);
    if (is_type(block, "redacted_thinking"))
        return emit_thinking(self, record, "redacted_thinking", "data", text_of(block, "data"));
    if (is_type(block, "text") && text_of(block, "text") && *text_of(block, "text"))
        return emit_text(self, text_of(block, "text"));
    if (!is_type(block, "tool_use")) return STENO_OK;
    *at = (int)++self->tool_calls;
    return emit_arguments(self, *at - 1, tool_call(text_of(block, "id"), text_of(block, "name"), ""));
}

static steno_status block_goes_on(wire_stream *self, const json_t *record) {
    const json_t *delta = json_object_get(record, "delta");
    const int *at = block_at(self, record);
    if (is_type(delta, "text_delta")) return emit_text(self, text_of(delta, "text"));
    if (is_type(delta, "thinking_delta"))
        return emit_thinking(self, record, "thinking", "thinking", text_of(delta, "thinking"));
    if (is_type(delta, "signature_delta"))
        return emit_thinking(self, record, "thinking", "signature", text_of(delta, "signature"));
    if (!is_type(delta, "input_json_delta") || !at || !*at) return STENO_OK;
    const char *piece = text_of(delta, "partial_json");
    return emit_arguments(self, *at - 1, json_pack("{s:{s:s}}", "function", "arguments", piece ? piece : ""));
}

static steno_status record(wire_stream *self, const char *name, const json_t *native, steno_error *error) {
    const json_t *message = json_object_get(native, "message");
    (void)name;
    if (!json_is_object(native)) return steno_fail(error, STENO_CORRUPT, "it is no JSON object");
    if (is_type(native, "error")) {
        failure_from_reply(error, 200, native, NULL);
        return STENO_FAILED;
    }
    if (is_type(native, "message_start")) {
        wire_head(self, text_of(message, "id"), text_of(message, "model"));
        merge_usage(self, json_object_get(message, "usage"));
        return wire_emit(self, NULL, NULL);
    }
    if (is_type(native, "content_block_start")) return block_begins(self, native, error);
    if (is_type(native, "content_block_delta")) return block_goes_on(self, native);
    if (is_type(native, "message_delta")) {
        merge_usage(self, json_object_get(native, "usage"));
        steno_status status = wire_emit(
            self, NULL, wire_finish_reason(text_of(json_object_get(native, "delta"), "stop_reason"), reasons));
        return status || !self->usage ? status : wire_emit_usage(self, usage_from_anthropic);
    }
    if (is_type(native, "message_stop")) self->done = true;
    return STENO_OK; /* ping, content_block_stop, and what is to come */
}

const wire wire_anthropic = {
    .name = "anthropic",
    .framing = FRAMING_SSE,
    .kinds = 1 << CALL_CHAT,
    .path = path,
    .body = body,
    .reply = reply,
    .record = record,
    .usage = usage_from_anthropic,
};
