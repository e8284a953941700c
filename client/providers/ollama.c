/* Ollama's own API. Sampling goes into `options`, thinking has a switch, tool calls have no ids, and a stream is a JSON object a line.
 * Source: github.com/ollama/ollama, docs/api.md.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/failure.h"
#include "client/providers/content.h"
#include "client/providers/params.h"
#include "client/usage.h"

/* Room for an id made here, and where its digits end. */
#define ID_BYTES 40
#define DIGITS_END 28

static bool path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]) {
    static const char *const paths[CALL_KINDS] = {
        [CALL_CHAT] = "/api/chat", [CALL_TEXT] = "/api/generate", [CALL_EMBEDDING] = "/api/embed"};
    size_t size = strlen(base);
    bool has_api = size >= 4 && !strcmp(base + size - 4, "/api");
    strcpy(out, paths[ask->kind] + (has_api ? 4 : 0));
    return true;
}

/* ---- requests ---- */

static steno_status add_images(const wire_ask *ask, const json_t *content, json_t *message, steno_error *error) {
    json_t *images = json_array();
    steno_status status = STENO_OK;
    for (size_t i = 0; !status && json_is_array(content) && i < content_count(content); i++) {
        content_part part;
        if ((status = content_part_at(content, i, &part, error)) || part.kind == PART_TEXT) continue;
        if (part.kind == PART_IMAGE && part.data)
            json_array_append_new(images, json_string_nocheck(part.data));
        else if (!ask->drop)
            status = steno_fail(error, STENO_INVALID, "%s takes texts and images as data, not %s", ask->model,
                                part.kind == PART_IMAGE ? "an image's address" : content_string(part.json, "type"));
    }
    if (json_array_size(images)) json_object_set(message, "images", images);
    json_decref(images);
    return status;
}

static void add_tool_calls(const json_t *from, json_t *message) {
    const json_t *calls = json_object_get(from, "tool_calls");
    json_t *made = json_array();
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *one = json_array_get(calls, i);
        json_t *function = json_object(), *call = json_object();
        json_object_set(function, "name", json_object_get(json_object_get(one, "function"), "name"));
        json_object_set_new(function, "arguments", content_arguments(one));
        json_object_set_new(call, "function", function);
        json_array_append_new(made, call);
    }
    if (json_array_size(made)) json_object_set(message, "tool_calls", made);
    json_decref(made);
}

/* A tool's result goes by the tool's name: the messages before it, the nearest first, say whose call it was. */
static void add_tool_name(const json_t *messages, size_t at, json_t *message) {
    const char *id = content_string(json_array_get(messages, at), "tool_call_id");
    while (id && at-- > 0) {
        const json_t *calls = json_object_get(json_array_get(messages, at), "tool_calls");
        for (size_t k = 0; k < json_array_size(calls); k++) {
            const json_t *one = json_array_get(calls, k);
            if (strcmp(content_member(one, "id"), id)) continue;
            json_object_set(message, "tool_name", json_object_get(json_object_get(one, "function"), "name"));
            return;
        }
    }
}

static steno_status put_messages(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    json_t *messages = json_array();
    steno_status status = STENO_OK;
    json_object_set_new(body, "messages", messages);
    for (size_t i = 0; !status && i < json_array_size(value); i++) {
        const json_t *from = json_array_get(value, i), *content = json_object_get(from, "content");
        const char *role = content_string(from, "role");
        if (!role) return steno_fail(error, STENO_INVALID, "a message has no `role`");
        json_t *message = json_object();
        json_object_set_new(message, "role", json_string_nocheck(strcmp(role, "developer") ? role : "system"));
        json_object_set_new(message, "content", content_text(content));
        json_array_append_new(messages, message);
        if (content_string(from, "reasoning_content"))
            json_object_set(message, "thinking", json_object_get(from, "reasoning_content"));
        add_tool_calls(from, message);
        add_tool_name(value, i, message);
        status = add_images(ask, content, message, error);
    }
    return status;
}

static steno_status put_stop(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    return params_put(body, "options.stop", params_list(value), error);
}

/* `think` is low, medium, high, max, or a switch. */
static steno_status put_effort(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    static const char *const words[] = {"minimal", "low",  "low",   "low", "medium", "medium",
                                        "high",    "high", "xhigh", "max", NULL};
    const char *effort = json_string_value(value);
    if (effort && !strcmp(effort, "none")) return params_put(body, "think", json_false(), error);
    if (!effort) return steno_fail(error, STENO_INVALID, "%s: reasoning_effort must be a word", ask->model);
    return params_put(body, "think", json_string_nocheck(wire_finish_reason(effort, words)), error);
}

/* It decides by itself whether to call a tool; without tools it can't. */
static steno_status put_tool_choice(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *word = json_string_value(value);
    (void)body;
    if (word && (!strcmp(word, "auto") || !strcmp(word, "none"))) return STENO_OK;
    return steno_fail(error, STENO_INVALID, "%s can't be told to call a tool: tool_choice is auto or none", ask->model);
}

static steno_status put_format(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *type = content_string(value, "type");
    json_t *schema = json_object_get(json_object_get(value, "json_schema"), "schema");
    if (type && !strcmp(type, "text")) return STENO_OK;
    if (type && !strcmp(type, "json_object")) return params_put(body, "format", json_string("json"), error);
    if (type && schema) return params_put(body, "format", json_deep_copy(schema), error);
    return steno_fail(error, STENO_INVALID, "%s knows no response_format \"%s\"", ask->model, type ? type : "");
}

static const param_rule rules[] = {
    {"messages", NULL, put_messages},
    {"prompt", "prompt", NULL},
    {"suffix", "suffix", NULL},
    {"max_tokens", "options.num_predict", NULL},
    {"max_completion_tokens", "options.num_predict", NULL},
    {"temperature", "options.temperature", NULL},
    {"top_p", "options.top_p", NULL},
    {"seed", "options.seed", NULL},
    {"frequency_penalty", "options.frequency_penalty", NULL},
    {"presence_penalty", "options.presence_penalty", NULL},
    {"top_k", "options.top_k", NULL},
    {"min_p", "options.min_p", NULL},
    {"num_ctx", "options.num_ctx", NULL},
    {"repeat_penalty", "options.repeat_penalty", NULL},
    {"logprobs", "logprobs", NULL},
    {"top_logprobs", "top_logprobs", NULL},
    {"stop", NULL, put_stop},
    {"tools", "tools", NULL},
    {"tool_choice", NULL, put_tool_choice},
    {"reasoning_effort", NULL, put_effort},
    {"response_format", NULL, put_format},
    {"input", "input", NULL},
    {"dimensions", "dimensions", NULL},
    {NULL, NULL, NULL},
};

static json_t *body(const wire_ask *ask, steno_error *error) {
    json_t *made = json_object();
    json_object_set_new(made, "model", json_string_nocheck(ask->model));
    if (params_map(ask, rules, made, error)) {
        json_decref(made);
        return NULL;
    }
    if (!strcmp(content_member(ask->params, "tool_choice"), "none")) json_object_del(made, "tools");
    if (ask->kind != CALL_EMBEDDING)
        json_object_set_new(made, "stream", json_boolean(ask->stream)); /* it streams unless told not to */
    return made;
}

/* ---- replies ---- */

/* What its reply says of tokens and times, as an object of its own. NULL: nothing. New reference. */
static json_t *usage_in(const json_t *native) {
    static const char *const names[] = {"prompt_eval_count", "eval_count",           "total_duration",
                                        "load_duration",     "prompt_eval_duration", "eval_duration"};
    json_t *usage = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_get(native, names[i])) json_object_set(usage, names[i], json_object_get(native, names[i]));
    if (json_object_get(usage, "prompt_eval_count") || json_object_get(usage, "eval_count")) return usage;
    json_decref(usage);
    return NULL;
}

/* A tool call has an id of the server's, or, from older ones, one made of the reply's time: unlike those of other turns. */
static json_t *tool_call(const json_t *native, const json_t *from, size_t number) {
    const json_t *function = json_object_get(from, "function"), *arguments = json_object_get(function, "arguments");
    const char *given = content_string(from, "id"), *created = content_member(native, "created_at");
    char id[ID_BYTES] = "call_";
    size_t size = strlen(id);
    for (; *created && size < DIGITS_END; created++)
        if (isdigit((unsigned char)*created)) id[size++] = *created;
    snprintf(id + size, sizeof id - size, "%s%zu", size > strlen("call_") ? "_" : "", number);
    char *text = arguments ? json_dumps(arguments, JSON_COMPACT) : NULL;
    json_t *call = json_pack("{s:s,s:s,s:{s:s,s:s}}", "id", given ? given : id, "type", "function", "function", "name",
                             content_member(function, "name"), "arguments", text ? text : "{}");
    free(text);
    return call;
}

/* A message as OpenAI's, or as a delta. *calls counts the tool calls so far. */
static json_t *read_message(const json_t *native, size_t *calls, bool delta) {
    const json_t *from = json_object_get(native, "message"), *list = json_object_get(from, "tool_calls");
    const char *content = content_string(from, "content"), *thinking = content_string(from, "thinking");
    json_t *to = json_object(), *made = json_array();
    if (content && (*content || !delta)) json_object_set(to, "content", json_object_get(from, "content"));
    if (thinking && *thinking) json_object_set(to, "reasoning_content", json_object_get(from, "thinking"));
    for (size_t i = 0; i < json_array_size(list); i++, ++*calls) {
        json_t *call = tool_call(native, json_array_get(list, i), *calls);
        if (delta) json_object_set_new(call, "index", json_integer((json_int_t)*calls));
        json_array_append_new(made, call);
    }
    if (json_array_size(made)) json_object_set(to, "tool_calls", made);
    json_decref(made);
    return to;
}

/* "stop" also where it stopped to call a tool; loading a model is no answer. */
static const char *reason_of(const json_t *native, size_t calls) {
    const char *reason = content_string(native, "done_reason");
    if (!json_is_true(json_object_get(native, "done"))) return NULL;
    return calls ? "tool_calls" : reason && !strcmp(reason, "length") ? "length" : "stop";
}

static json_t *text_choice(const json_t *native) {
    const char *text = content_string(native, "response"), *reason = reason_of(native, 0);
    return json_pack("{s:i,s:s,s:s?}", "index", 0, "text", text ? text : "", "finish_reason", reason);
}

static json_t *read_text(const wire_ask *ask, const json_t *native) {
    json_t *response = wire_response(NULL, ask->model, NULL, NULL);
    json_object_set_new(response, "object", json_string("text_completion"));
    json_object_set_new(response, "choices", json_pack("[o]", text_choice(native)));
    return response;
}

static json_t *reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error) {
    static const char *const needed[CALL_KINDS] = {
        [CALL_CHAT] = "message", [CALL_TEXT] = "response", [CALL_EMBEDDING] = "embeddings"};
    json_t *found = json_object_get(native, needed[ask->kind]);
    /* The counts stand among the rest of the reply; as an object of their own they live as long as it does. */
    json_t *counts = usage_in(native);
    if (counts) json_object_set_new((json_t *)(uintptr_t)native, "usage", counts);
    *usage = counts;
    if (!found) {
        steno_fail(error, STENO_CORRUPT, "it is JSON, but has no `%s`", needed[ask->kind]);
        return NULL;
    }
    if (ask->kind == CALL_EMBEDDING) return wire_embeddings(ask->model, json_incref(found));
    if (ask->kind == CALL_TEXT) return read_text(ask, native);
    size_t calls = 0;
    json_t *message = read_message(native, &calls, false);
    json_object_set_new(message, "role", json_string("assistant"));
    const char *model = content_string(native, "model");
    return wire_response(NULL, model ? model : ask->model, message, reason_of(native, calls));
}

static steno_status record(wire_stream *self, const char *name, const json_t *native, steno_error *error) {
    (void)name;
    if (!json_is_object(native)) return steno_fail(error, STENO_CORRUPT, "it is no JSON object");
    if (json_object_get(native, "error")) {
        failure_from_reply(error, 200, native, NULL);
        return STENO_FAILED;
    }
    wire_head(self, NULL, content_string(native, "model"));
    steno_status status;
    if (self->ask->kind == CALL_TEXT) {
        json_object_set_new(self->head, "object", json_string("text_completion"));
        status = wire_emit_whole(self, json_pack("[o]", text_choice(native)));
    } else {
        json_t *delta = read_message(native, &self->tool_calls, true);
        status = wire_emit(self, delta, reason_of(native, self->tool_calls));
    }
    self->done = json_is_true(json_object_get(native, "done"));
    json_t *usage = usage_in(native);
    if (status || !usage) {
        json_decref(usage);
        return status;
    }
    json_decref(self->usage);
    self->usage = usage;
    return wire_emit_usage(self, usage_from_ollama);
}

const wire wire_ollama = {
    .name = "ollama",
    .framing = FRAMING_LINES,
    .kinds = 1 << CALL_CHAT | 1 << CALL_TEXT | 1 << CALL_EMBEDDING,
    .path = path,
    .body = body,
    .reply = reply,
    .record = record,
    .usage = usage_from_ollama,
};
