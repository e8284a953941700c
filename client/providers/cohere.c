/* Cohere's v2 API: messages as OpenAI's in the main, other names for most parameters, content in parts, a plan before the tool calls.
 * Source: docs.cohere.com, "Chat API (v2)", "Embed API (v2)".
 */
#include <string.h>

#include "client/failure.h"
#include "client/providers/content.h"
#include "client/providers/params.h"
#include "client/usage.h"

static bool path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]) {
    size_t size = strlen(base);
    bool versioned = size >= 3 && !strcmp(base + size - 3, "/v2");
    strcpy(out, (ask->kind == CALL_EMBEDDING ? "/v2/embed" : "/v2/chat") + (versioned ? 3 : 0));
    return true;
}

/* ---- requests ---- */

/* The address is an object there. */
static json_t *image_part(const content_part *part) {
    json_t *image = json_object_get(part->json, "image_url");
    if (!json_is_string(image)) return json_incref((json_t *)(uintptr_t)part->json);
    return json_pack("{s:s,s:{s:O}}", "type", "image_url", "image_url", "url", image);
}

static steno_status add_content(const wire_ask *ask, const json_t *content, json_t *message, steno_error *error) {
    if (!json_is_array(content)) {
        if (content && !json_is_null(content)) json_object_set(message, "content", (json_t *)(uintptr_t)content);
        return STENO_OK;
    }
    json_t *parts = json_array();
    steno_status status = STENO_OK;
    for (size_t i = 0; !status && i < json_array_size(content); i++) {
        content_part part;
        if ((status = content_part_at(content, i, &part, error))) continue;
        if (part.kind == PART_IMAGE)
            json_array_append_new(parts, image_part(&part));
        else if (part.kind == PART_TEXT || part.kind == PART_OTHER)
            json_array_append(parts, (json_t *)(uintptr_t)part.json);
        else if (!ask->drop)
            status = steno_fail(error, STENO_INVALID, "%s takes texts and images, not %s", ask->model,
                                content_string(part.json, "type"));
    }
    json_object_set_new(message, "content", parts);
    return status;
}

/* Roles, tool calls and their results have OpenAI's shape; what the model thought goes back as the plan of its tool calls. */
static steno_status put_messages(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    static const char *const kept[] = {"tool_calls", "tool_call_id"};
    json_t *messages = json_array();
    steno_status status = STENO_OK;
    json_object_set_new(body, "messages", messages);
    for (size_t i = 0; !status && i < json_array_size(value); i++) {
        const json_t *from = json_array_get(value, i);
        const char *role = content_string(from, "role");
        if (!role) return steno_fail(error, STENO_INVALID, "a message has no `role`");
        json_t *message = json_object();
        json_array_append_new(messages, message);
        json_object_set_new(message, "role", json_string_nocheck(strcmp(role, "developer") ? role : "system"));
        for (size_t k = 0; k < sizeof kept / sizeof *kept; k++)
            if (json_object_get(from, kept[k])) json_object_set(message, kept[k], json_object_get(from, kept[k]));
        if (json_object_get(from, "tool_calls") && content_string(from, "reasoning_content"))
            json_object_set(message, "tool_plan", json_object_get(from, "reasoning_content"));
        status = add_content(ask, json_object_get(from, "content"), message, error);
    }
    return status;
}

static steno_status put_stop(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    return params_put(body, "stop_sequences", params_list(value), error);
}

static steno_status put_tool_choice(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *word = json_string_value(value);
    if (word && !strcmp(word, "auto")) return STENO_OK;
    if (word && !strcmp(word, "required")) return params_put(body, "tool_choice", json_string("REQUIRED"), error);
    if (word && !strcmp(word, "none")) return params_put(body, "tool_choice", json_string("NONE"), error);
    return steno_fail(error, STENO_INVALID,
                      "%s can't be told which tool to call: tool_choice is auto, required or none", ask->model);
}

static steno_status put_effort(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *effort = json_string_value(value);
    (void)ask;
    return params_put(body, "thinking.type", json_string(effort && !strcmp(effort, "none") ? "disabled" : "enabled"),
                      error);
}

static steno_status put_format(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *type = content_string(value, "type");
    json_t *schema = json_object_get(json_object_get(value, "json_schema"), "schema");
    if (type && !strcmp(type, "text")) return STENO_OK;
    if (!type || (strcmp(type, "json_object") && !schema))
        return steno_fail(error, STENO_INVALID, "%s knows no response_format \"%s\"", ask->model, type ? type : "");
    steno_status status = params_put(body, "response_format.type", json_string("json_object"), error);
    if (status || !schema) return status;
    return params_put(body, "response_format.json_schema", json_deep_copy(schema), error);
}

static const param_rule chat_rules[] = {
    {"messages", NULL, put_messages},
    {"max_tokens", "max_tokens", NULL},
    {"max_completion_tokens", "max_tokens", NULL},
    {"temperature", "temperature", NULL},
    {"top_p", "p", NULL},
    {"top_k", "k", NULL},
    {"seed", "seed", NULL},
    {"frequency_penalty", "frequency_penalty", NULL},
    {"presence_penalty", "presence_penalty", NULL},
    {"logprobs", "logprobs", NULL},
    {"stop", NULL, put_stop},
    {"tools", "tools", NULL},
    {"tool_choice", NULL, put_tool_choice},
    {"reasoning_effort", NULL, put_effort},
    {"response_format", NULL, put_format},
    {NULL, NULL, NULL},
};

static steno_status put_input(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    return params_put(body, "texts", params_list(value), error);
}

static const param_rule embed_rules[] = {
    {"input", NULL, put_input},
    {"dimensions", "output_dimension", NULL},
    {NULL, NULL, NULL},
};

static json_t *body(const wire_ask *ask, steno_error *error) {
    bool embeds = ask->kind == CALL_EMBEDDING;
    json_t *made = json_object();
    json_object_set_new(made, "model", json_string_nocheck(ask->model));
    if (params_map(ask, embeds ? embed_rules : chat_rules, made, error)) {
        json_decref(made);
        return NULL;
    }
    if (embeds) {
        /* It must be said; who searches with a text says so. */
        if (!json_object_get(made, "input_type"))
            json_object_set_new(made, "input_type", json_string("search_document"));
        if (!json_object_get(made, "embedding_types"))
            json_object_set_new(made, "embedding_types", json_pack("[s]", "float"));
    } else if (ask->stream) {
        json_object_set_new(made, "stream", json_true());
    }
    return made;
}

/* ---- replies ---- */

static const char *const reasons[] = {"COMPLETE", "stop",      "STOP_SEQUENCE", "stop", "MAX_TOKENS",
                                      "length",   "TOOL_CALL", "tool_calls",    NULL};

static json_t *read_embeddings(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error) {
    json_t *vectors = json_object_get(json_object_get(native, "embeddings"), "float");
    const json_t *meta = json_object_get(native, "meta");
    *usage = json_object_get(meta, "billed_units") ? meta : NULL;
    if (json_is_array(vectors)) return wire_embeddings(ask->model, json_incref(vectors));
    steno_fail(error, STENO_CORRUPT, "it is JSON, but has no `embeddings.float`");
    return NULL;
}

/* It says that it failed in place of why it ended. */
static bool has_given_up(const char *reason, const char *said, steno_error *error) {
    if (!reason || (strcmp(reason, "ERROR") && strcmp(reason, "TIMEOUT"))) return false;
    failure_set(error, *reason == 'E' ? "InternalServer" : "Timeout", 200, true, "the provider gave up: %s",
                said ? said : reason);
    return true;
}

static json_t *reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error) {
    const json_t *from = json_object_get(native, "message"), *content = json_object_get(from, "content");
    *usage = json_object_get(native, "usage");
    if (ask->kind == CALL_EMBEDDING) return read_embeddings(ask, native, usage, error);
    if (!json_is_object(from)) {
        steno_fail(error, STENO_CORRUPT, "it is JSON, but has no `message`");
        return NULL;
    }
    if (has_given_up(content_string(native, "finish_reason"), content_string(native, "error"), error)) return NULL;
    json_t *message = json_pack("{s:s,s:n}", "role", "assistant", "content");
    content_append(message, "content", json_string_value(content));
    for (size_t i = 0; i < json_array_size(content); i++) {
        content_append(message, "content", content_string(json_array_get(content, i), "text"));
        content_append(message, "reasoning_content", content_string(json_array_get(content, i), "thinking"));
    }
    content_append(message, "reasoning_content", content_string(from, "tool_plan"));
    if (json_array_size(json_object_get(from, "tool_calls")))
        json_object_set(message, "tool_calls", json_object_get(from, "tool_calls"));
    if (json_array_size(json_object_get(from, "citations")))
        json_object_set(message, "citations", json_object_get(from, "citations"));
    return wire_response(content_string(native, "id"), ask->model, message,
                         wire_finish_reason(content_string(native, "finish_reason"), reasons));
}

/* ---- streams: every event has its type in itself ---- */

static steno_status emit_text(wire_stream *self, const char *name, const char *text) {
    if (!text) return STENO_OK;
    json_t *delta = json_object();
    json_object_set_new(delta, name, json_string_nocheck(text));
    return wire_emit(self, delta, NULL);
}

/* The piece of a tool call; `index` is the provider's own, from 0 on. */
static steno_status emit_call(wire_stream *self, const json_t *native, const json_t *call) {
    if (!json_is_object(call)) return STENO_OK;
    json_t *piece = json_copy((json_t *)(uintptr_t)call), *delta = json_object();
    json_int_t index = json_integer_value(json_object_get(native, "index"));
    json_object_set_new(piece, "index", json_integer(index >= 0 ? index : 0));
    json_object_set_new(delta, "tool_calls", json_pack("[o]", piece));
    return wire_emit(self, delta, NULL);
}

static steno_status ended(wire_stream *self, const json_t *delta, steno_error *error) {
    const char *reason = content_string(delta, "finish_reason");
    json_t *usage = json_object_get(delta, "usage");
    if (has_given_up(reason, content_string(delta, "error"), error)) return STENO_FAILED;
    self->done = true;
    steno_status status = wire_emit(self, NULL, wire_finish_reason(reason, reasons));
    if (status || !json_is_object(usage)) return status;
    json_decref(self->usage);
    self->usage = json_incref(usage);
    return wire_emit_usage(self, usage_from_cohere);
}

static steno_status record(wire_stream *self, const char *name, const json_t *native, steno_error *error) {
    const char *type = content_string(native, "type");
    const json_t *delta = json_object_get(native, "delta"), *message = json_object_get(delta, "message");
    const json_t *content = json_object_get(message, "content");
    (void)name;
    if (!json_is_object(native)) return steno_fail(error, STENO_CORRUPT, "it is no JSON object");
    if (!type) { /* an error in the middle is what it is elsewhere: {"message": "…"} */
        failure_from_reply(error, 200, native, NULL);
        return STENO_FAILED;
    }
    if (!strcmp(type, "message-start")) {
        wire_head(self, content_string(native, "id"), NULL);
        return wire_emit(self, NULL, NULL);
    }
    if (!strcmp(type, "content-start") || !strcmp(type, "content-delta")) {
        steno_status status = emit_text(self, "content", content_string(content, "text"));
        return status ? status : emit_text(self, "reasoning_content", content_string(content, "thinking"));
    }
    if (!strcmp(type, "tool-plan-delta"))
        return emit_text(self, "reasoning_content", content_string(message, "tool_plan"));
    if (!strcmp(type, "tool-call-start") || !strcmp(type, "tool-call-delta"))
        return emit_call(self, native, json_object_get(message, "tool_calls"));
    if (!strcmp(type, "message-end")) return ended(self, delta, error);
    return STENO_OK;
}

const wire wire_cohere = {
    .name = "cohere",
    .framing = FRAMING_SSE,
    .kinds = 1 << CALL_CHAT | 1 << CALL_EMBEDDING,
    .path = path,
    .body = body,
    .reply = reply,
    .record = record,
    .usage = usage_from_cohere,
};
