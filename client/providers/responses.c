/* OpenAI's Responses API: a list of items in, a list of items out. A message's parts, tool calls, their results and what the model thought are items of
 * their own there. Source: platform.openai.com, "Responses" and "Streaming events".
 */
#include <stdio.h>
#include <string.h>

#include "client/failure.h"
#include "client/providers/azure.h"
#include "client/providers/content.h"
#include "client/providers/params.h"
#include "client/usage.h"

static bool is_type(const json_t *object, const char *type) {
    const char *is = content_string(object, "type");
    return is && !strcmp(is, type);
}

static bool path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]) {
    (void)ask;
    (void)base;
    strcpy(out, "/responses");
    return true;
}

/* ---- requests ---- */

static json_t *typed(const char *type, const char *name, json_t *value) {
    json_t *object = json_object();
    json_object_set_new(object, "type", json_string(type));
    json_object_set_new(object, name, value);
    return object;
}

static json_t *image_part(const content_part *part) {
    const json_t *image = json_object_get(part->json, "image_url");
    json_t *url = json_is_string(image) ? (json_t *)(uintptr_t)image : json_object_get(image, "url");
    json_t *made = typed("input_image", "image_url", json_incref(url));
    if (content_string(image, "detail")) json_object_set(made, "detail", json_object_get(image, "detail"));
    return made;
}

static json_t *file_part(const content_part *part) {
    json_t *made = json_copy(json_object_get(part->json, "file")); /* its members have the same names */
    json_object_set_new(made, "type", json_string("input_file"));
    return made;
}

/* A message's content as parts; what the model said has a type of its own. */
static steno_status add_content(const wire_ask *ask, const json_t *content, bool said, json_t *parts,
                                steno_error *error) {
    for (size_t i = 0; i < content_count(content); i++) {
        content_part part;
        steno_status status = content_part_at(content, i, &part, error);
        if (status) return status;
        if (part.kind == PART_TEXT)
            json_array_append_new(parts,
                                  typed(said ? "output_text" : "input_text", "text", json_string_nocheck(part.text)));
        else if (part.kind == PART_IMAGE)
            json_array_append_new(parts, image_part(&part));
        else if (part.kind == PART_FILE)
            json_array_append_new(parts, file_part(&part));
        else if (part.kind == PART_OTHER)
            json_array_append(parts, (json_t *)(uintptr_t)part.json);
        else if (!ask->drop)
            return steno_fail(error, STENO_INVALID, "the Responses API takes no audio in messages");
    }
    return STENO_OK;
}

static void add_tool_calls(const json_t *message, json_t *items) {
    const json_t *calls = json_object_get(message, "tool_calls");
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *one = json_array_get(calls, i), *function = json_object_get(one, "function");
        json_t *item = typed("function_call", "call_id", json_incref(json_object_get(one, "id")));
        json_object_set(item, "name", json_object_get(function, "name"));
        json_object_set(item, "arguments", json_object_get(function, "arguments"));
        json_array_append_new(items, item);
    }
}

/* What the model thought goes back as it came. What is neither stored there nor whole in itself can't be found again. */
static void add_reasoning(const wire_ask *ask, const json_t *message, json_t *items) {
    const json_t *kept = json_object_get(message, "reasoning_items");
    bool stored = !json_is_false(json_object_get(ask->params, "store"));
    for (size_t i = 0; i < json_array_size(kept); i++) {
        json_t *item = json_array_get(kept, i);
        if (stored || content_string(item, "encrypted_content")) json_array_append(items, item);
    }
}

/* A tool's result: a text, or parts where there is more than texts. */
static steno_status put_output(const wire_ask *ask, const json_t *content, json_t *item, steno_error *error) {
    bool texts = true;
    for (size_t i = 0; i < json_array_size(content); i++) texts &= is_type(json_array_get(content, i), "text");
    if (texts) {
        json_object_set_new(item, "output", content_text(content));
        return STENO_OK;
    }
    json_t *parts = json_array();
    json_object_set_new(item, "output", parts);
    return add_content(ask, content, false, parts, error);
}

static steno_status add_message(const wire_ask *ask, const json_t *message, json_t *items, steno_error *error) {
    const char *role = content_string(message, "role");
    const json_t *content = json_object_get(message, "content");
    if (!role) return steno_fail(error, STENO_INVALID, "a message has no `role`");
    if (!strcmp(role, "tool")) {
        json_t *item = typed("function_call_output", "call_id", json_incref(json_object_get(message, "tool_call_id")));
        steno_status status = put_output(ask, content, item, error);
        json_array_append_new(items, item);
        return status;
    }
    bool said = !strcmp(role, "assistant");
    if (said) add_reasoning(ask, message, items);
    json_t *parts = json_array();
    steno_status status = add_content(ask, content, said, parts, error);
    if (said && content_string(message, "refusal"))
        json_array_append_new(parts, typed("refusal", "refusal", json_incref(json_object_get(message, "refusal"))));
    if (!status && json_array_size(parts)) {
        json_t *item = typed("message", "role", json_string_nocheck(role));
        json_object_set(item, "content", parts);
        json_array_append_new(items, item);
    }
    json_decref(parts);
    add_tool_calls(message, items);
    return status;
}

static steno_status put_messages(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    json_t *items = json_array();
    steno_status status = STENO_OK;
    for (size_t i = 0; !status && i < json_array_size(value); i++)
        status = add_message(ask, json_array_get(value, i), items, error);
    json_object_set_new(body, "input", items);
    return status;
}

/* What stands in `function` elsewhere stands beside the type here. */
static json_t *flattened(const json_t *from, const char *inner) {
    json_t *made = json_copy((json_t *)(uintptr_t)from), *members = json_incref(json_object_get(from, inner));
    json_object_del(made, inner);
    json_object_update(made, members);
    json_decref(members);
    return made;
}

static steno_status put_tools(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    json_t *tools = json_array();
    (void)ask;
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *tool = flattened(json_array_get(value, i), "function");
        /* Chat completions are not strict unless told so; here it is the other way round. */
        if (is_type(tool, "function") && !json_object_get(tool, "strict"))
            json_object_set_new(tool, "strict", json_false());
        json_array_append_new(tools, tool);
    }
    return params_put(body, "tools", tools, error);
}

static steno_status put_tool_choice(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    return params_put(body, "tool_choice", json_is_object(value) ? flattened(value, "function") : json_deep_copy(value),
                      error);
}

static steno_status put_format(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    return params_put(body, "text.format", flattened(value, "json_schema"), error);
}

static const param_rule rules[] = {
    {"messages", NULL, put_messages},
    {"max_tokens", "max_output_tokens", NULL},
    {"max_completion_tokens", "max_output_tokens", NULL},
    {"temperature", "temperature", NULL},
    {"top_p", "top_p", NULL},
    {"top_logprobs", "top_logprobs", NULL},
    {"logprobs", NULL, NULL}, /* is a thing to include there */
    {"parallel_tool_calls", "parallel_tool_calls", NULL},
    {"tools", NULL, put_tools},
    {"tool_choice", NULL, put_tool_choice},
    {"reasoning_effort", "reasoning.effort", NULL},
    {"verbosity", "text.verbosity", NULL},
    {"response_format", NULL, put_format},
    {"service_tier", "service_tier", NULL},
    {"store", "store", NULL},
    {"metadata", "metadata", NULL},
    {"user", "user", NULL},
    {"safety_identifier", "safety_identifier", NULL},
    {"prompt_cache_key", "prompt_cache_key", NULL},
    {"prompt_cache_retention", "prompt_cache_retention", NULL},
    {NULL, NULL, NULL},
};

/* Adds to what the caller wants to be included. */
static void include(json_t *made, const char *what) {
    json_t *list = json_copy(json_object_get(made, "include"));
    if (!json_is_array(list)) {
        json_decref(list);
        list = json_array();
    }
    json_array_append_new(list, json_string(what));
    json_object_set_new(made, "include", list);
}

static json_t *body(const wire_ask *ask, steno_error *error) {
    json_t *made = json_object();
    json_object_set_new(made, "model", json_string_nocheck(ask->model));
    if (params_map(ask, rules, made, error)) {
        json_decref(made);
        return NULL;
    }
    if (json_is_true(json_object_get(ask->params, "logprobs"))) include(made, "message.output_text.logprobs");
    if (ask->stream) json_object_set_new(made, "stream", json_true());
    return made;
}

/* ---- replies ---- */

static json_t *list_in(json_t *message, const char *name) {
    json_t *list = json_object_get(message, name);
    if (list) return list;
    list = json_array();
    json_object_set_new(message, name, list);
    return list;
}

/* `logprobs` takes those of the text. */
static void read_message(const json_t *item, json_t *message, json_t *logprobs) {
    const json_t *parts = json_object_get(item, "content");
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i);
        content_append(message, "content", content_string(part, "text"));
        content_append(message, "refusal", content_string(part, "refusal"));
        json_array_extend(logprobs, json_object_get(part, "logprobs"));
        if (json_array_size(json_object_get(part, "annotations")))
            json_array_extend(list_in(message, "annotations"), json_object_get(part, "annotations"));
    }
}

/* Between the parts of a thought. */
#define PARAGRAPH "\n\n"

/* A thought's summary is to be read; the item itself must go back as it came. */
static void read_reasoning(const json_t *item, json_t *message) {
    static const char *const lists[] = {"summary", "content"};
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
        const json_t *parts = json_object_get(item, lists[k]);
        for (size_t i = 0; i < json_array_size(parts); i++) {
            if (content_string(message, "reasoning_content")) content_append(message, "reasoning_content", PARAGRAPH);
            content_append(message, "reasoning_content", content_string(json_array_get(parts, i), "text"));
        }
    }
    json_array_append(list_in(message, "reasoning_items"), (json_t *)(uintptr_t)item);
}

static json_t *tool_call(const json_t *item, const char *arguments) {
    const char *id = content_string(item, "call_id"), *name = content_string(item, "name");
    return json_pack("{s:s,s:s,s:{s:s,s:s}}", "id", id ? id : "", "type", "function", "function", "name",
                     name ? name : "", "arguments", arguments ? arguments : "");
}

/* NULL: it goes on, or failed. */
static const char *reason_of(const json_t *native, bool has_calls) {
    const char *status = content_string(native, "status"),
               *why = content_string(json_object_get(native, "incomplete_details"), "reason");
    if (status && (!strcmp(status, "queued") || !strcmp(status, "in_progress"))) return NULL; /* in the background */
    if (status && !strcmp(status, "incomplete"))
        return why && !strcmp(why, "content_filter") ? "content_filter" : "length";
    return has_calls ? "tool_calls" : "stop";
}

static bool has_failed(const json_t *native, steno_error *error) {
    const char *status = content_string(native, "status");
    if (!status || (strcmp(status, "failed") && strcmp(status, "cancelled"))) return false;
    if (json_is_object(json_object_get(native, "error")))
        failure_from_reply(error, 200, native, NULL);
    else
        failure_set(error, "InternalServer", 200, true, "the response's status is %s", status);
    return true;
}

/* What a response costs beside its tokens: the tier that served it, and the tools that it used. One container is one session. */
static void read_billing(const json_t *native, json_t *to) {
    static const char *const tools[][2] = {{"web_search_call", "web_search_requests"},
                                           {"file_search_call", "file_search_requests"}};
    const json_t *output = json_object_get(native, "output");
    const char *container = "";
    size_t sessions = 0;
    if (content_string(native, "service_tier"))
        json_object_set(to, "service_tier", json_object_get(native, "service_tier"));
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        size_t times = 0;
        for (size_t k = 0; k < json_array_size(output); k++) times += is_type(json_array_get(output, k), tools[i][0]);
        wire_set_tool_use(to, tools[i][1], times);
    }
    for (size_t k = 0; k < json_array_size(output); k++) {
        const json_t *item = json_array_get(output, k);
        if (!is_type(item, "code_interpreter_call")) continue;
        const char *its = content_member(item, "container_id");
        sessions += !sessions || strcmp(its, container) != 0;
        container = its;
    }
    wire_set_tool_use(to, "code_interpreter_sessions", sessions);
}

static json_t *reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error) {
    const json_t *output = json_object_get(native, "output");
    *usage = json_object_get(native, "usage");
    if (has_failed(native, error)) return NULL;
    if (!json_is_array(output)) {
        steno_fail(error, STENO_CORRUPT, "it is JSON, but has no `output`");
        return NULL;
    }
    json_t *message = json_pack("{s:s,s:n}", "role", "assistant", "content"), *logprobs = json_array();
    for (size_t i = 0; i < json_array_size(output); i++) {
        const json_t *item = json_array_get(output, i);
        if (is_type(item, "message")) read_message(item, message, logprobs);
        if (is_type(item, "reasoning")) read_reasoning(item, message);
        if (is_type(item, "function_call"))
            json_array_append_new(list_in(message, "tool_calls"), tool_call(item, content_string(item, "arguments")));
    }
    const char *model = content_string(native, "model");
    bool has_calls = json_object_get(message, "tool_calls");
    json_t *response =
        wire_response(content_string(native, "id"), model ? model : ask->model, message, reason_of(native, has_calls));
    if (json_array_size(logprobs))
        json_object_set_new(json_array_get(json_object_get(response, "choices"), 0), "logprobs",
                            json_pack("{s:O}", "content", logprobs));
    json_decref(logprobs);
    read_billing(native, response);
    return response;
}

/* ---- streams ---- */

static steno_status emit_text(wire_stream *self, const char *name, const char *text) {
    json_t *delta = json_object();
    json_object_set_new(delta, name, json_string_nocheck(text ? text : ""));
    return wire_emit(self, delta, NULL);
}

/* The place of an item, by which the pieces of its arguments find it. */
static int *block_at(wire_stream *self, const json_t *record) {
    json_int_t index = json_integer_value(json_object_get(record, "output_index"));
    return index >= 0 && index < WIRE_BLOCKS_MAX ? &self->blocks[index] : NULL;
}

static steno_status emit_call(wire_stream *self, int index, json_t *piece) {
    json_t *delta = json_object();
    json_object_set_new(piece, "index", json_integer(index));
    json_object_set_new(delta, "tool_calls", json_pack("[o]", piece));
    return wire_emit(self, delta, NULL);
}

static steno_status item_begins(wire_stream *self, const json_t *record, steno_error *error) {
    const json_t *item = json_object_get(record, "item");
    int *at = block_at(self, record);
    if (!at) return steno_fail(error, STENO_CORRUPT, "an item has an index beyond %d", WIRE_BLOCKS_MAX);
    if (!is_type(item, "function_call")) return STENO_OK;
    *at = (int)++self->tool_calls;
    return emit_call(self, *at - 1, tool_call(item, ""));
}

static steno_status item_ends(wire_stream *self, const json_t *record) {
    const json_t *item = json_object_get(record, "item");
    if (!is_type(item, "reasoning")) return STENO_OK;
    if (!self->kept) self->kept = json_array();
    json_array_append(self->kept, (json_t *)(uintptr_t)item);
    json_t *delta = json_object(); /* the last value counts: all of them so far */
    json_object_set_new(delta, "reasoning_items", json_copy(self->kept));
    return wire_emit(self, delta, NULL);
}

static steno_status arguments_go_on(wire_stream *self, const json_t *record) {
    const int *at = block_at(self, record);
    const char *piece = content_string(record, "delta");
    if (!at || !*at || !piece) return STENO_OK;
    return emit_call(self, *at - 1, json_pack("{s:{s:s}}", "function", "arguments", piece));
}

static steno_status ended(wire_stream *self, const json_t *response, steno_error *error) {
    json_t *usage = json_object_get(response, "usage");
    self->done = true;
    if (has_failed(response, error)) return STENO_FAILED;
    wire_head(self, NULL, NULL);
    read_billing(response, self->head);
    steno_status status = wire_emit(self, NULL, reason_of(response, self->tool_calls > 0));
    if (status || !json_is_object(usage)) return status;
    json_decref(self->usage);
    self->usage = json_incref(usage);
    return wire_emit_usage(self, usage_from_responses);
}

/* Events whose `delta` is a piece of a text, and which. */
static const char *text_member(const char *type) {
    static const char *const members[] = {"response.output_text.delta",
                                          "content",
                                          "response.refusal.delta",
                                          "refusal",
                                          "response.reasoning_summary_text.delta",
                                          "reasoning_content",
                                          "response.reasoning_text.delta",
                                          "reasoning_content",
                                          NULL};
    const char *member = wire_finish_reason(type, members);
    return member == type ? NULL : member;
}

static steno_status record(wire_stream *self, const char *name, const json_t *native, steno_error *error) {
    const json_t *response = json_object_get(native, "response");
    const char *type = content_string(native, "type");
    (void)name;
    if (!type) {
        if (!json_object_get(native, "error")) return steno_fail(error, STENO_CORRUPT, "an event has no type");
        failure_from_reply(error, 200, native, NULL);
        return STENO_FAILED;
    }
    if (!strcmp(type, "error")) {
        const json_t *inner = json_object_get(native, "error");
        json_t *wrapped = json_pack("{s:O}", "error", inner ? inner : native);
        failure_from_reply(error, 200, wrapped, NULL);
        json_decref(wrapped);
        return STENO_FAILED;
    }
    if (!strcmp(type, "response.created")) {
        wire_head(self, content_string(response, "id"), content_string(response, "model"));
        return wire_emit(self, NULL, NULL);
    }
    json_t *logprobs = json_object_get(native, "logprobs");
    if (json_array_size(logprobs) && !strcmp(type, "response.output_text.delta")) {
        steno_status status = wire_emit_logprobs(self, 0, json_pack("{s:O}", "content", logprobs));
        if (status) return status;
    }
    if (text_member(type)) return emit_text(self, text_member(type), content_string(native, "delta"));
    if (!strcmp(type, "response.reasoning_summary_part.added") &&
        json_integer_value(json_object_get(native, "summary_index")) > 0)
        return emit_text(self, "reasoning_content", PARAGRAPH);
    if (!strcmp(type, "response.output_item.added")) return item_begins(self, native, error);
    if (!strcmp(type, "response.output_item.done")) return item_ends(self, native);
    if (!strcmp(type, "response.function_call_arguments.delta")) return arguments_go_on(self, native);
    bool ends =
        !strcmp(type, "response.completed") || !strcmp(type, "response.incomplete") || !strcmp(type, "response.failed");
    return ends ? ended(self, response, error) : STENO_OK;
}

#define RESPONSES(at)                                                                                                 \
    {                                                                                                                 \
        .name = "responses", .framing = FRAMING_SSE, .kinds = 1 << CALL_CHAT, .call_type = "responses", .path = (at), \
        .body = body, .reply = reply, .record = record, .usage = usage_from_responses,                                \
    }

const wire wire_responses = RESPONSES(path);
const wire wire_azure_responses = RESPONSES(azure_responses_path);
