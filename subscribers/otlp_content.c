#include "subscribers/otlp_content.h"

#include <string.h>

#include "schema/json.h"
#include "subscribers/otlp_arena.h"
#include "subscribers/otlp_names.h"

/* ---- small readers ---- */

static const char *text_at(const steno_value *map, const char *key) {
    const steno_value *value = steno_value_get(map, key);
    return steno_value_type(value) == STENO_TYPE_STRING ? steno_value_string(value, NULL) : NULL;
}

static bool is(const char *text, const char *word) { return text && !strcmp(text, word); }

static json_t *text_json(const char *text) {
    json_t *json = json_string(text);
    return json ? json : json_string(""); /* a NUL inside ends it; there is no invalid UTF-8 in an event */
}

static void set(json_t *object, const char *key, json_t *value) { json_object_set_new_nocheck(object, key, value); }

static void set_text(json_t *object, const char *key, const char *text) {
    if (text) set(object, key, text_json(text));
}

static json_t *new_part(json_t *parts, const char *type) {
    json_t *part = otlp_memory(json_object());
    set_text(part, "type", type);
    json_array_append_new(parts, part);
    return part;
}

static void add_text(json_t *parts, const char *type, const char *text) {
    if (text && *text) set_text(new_part(parts, type), "content", text);
}

/* ---- parts ---- */

/* A `data:` URL as a blob, any other as a uri. */
static void add_url(json_t *parts, const char *modality, const char *url) {
    const char *comma = !strncmp(url, "data:", 5) ? strchr(url, ',') : NULL;
    const size_t marks = comma ? (size_t)(comma - url) - 5 : 0;
    if (!comma || marks < 7 || strncmp(comma - 7, ";base64", 7)) {
        json_t *part = new_part(parts, "uri");
        set_text(part, "modality", modality);
        set_text(part, "uri", url);
        return;
    }
    json_t *part = new_part(parts, "blob");
    set_text(part, "modality", modality);
    const size_t type = strcspn(url + 5, ";,");
    if (type) set(part, "mime_type", json_stringn(url + 5, type));
    set_text(part, "content", comma + 1);
}

static void add_audio(json_t *parts, const steno_value *audio) {
    json_t *part = new_part(parts, "blob");
    char type[48];
    const char *format = text_at(audio, "format");
    snprintf(type, sizeof type, "audio/%.32s", format ? format : "*");
    set_text(part, "modality", "audio");
    if (format) set_text(part, "mime_type", type);
    const char *data = text_at(audio, "data");
    set_text(part, "content", data ? data : "");
}

static void add_file(json_t *parts, const char *modality, const steno_value *file) {
    const char *id = text_at(file, "file_id"), *data = text_at(file, "file_data"), *url = text_at(file, "file_url");
    if (!id && (data || url)) {
        add_url(parts, modality, data ? data : url);
        return;
    }
    json_t *part = new_part(parts, "file");
    set_text(part, "modality", modality);
    set_text(part, "file_id", id ? id : "");
}

/* What has no part of its own in the conventions, with all it has. */
static void add_generic(json_t *parts, const char *type, const steno_value *value) {
    json_t *part = steno_value_type(value) == STENO_TYPE_MAP ? value_to_json(value) : NULL;
    if (!part) {
        part = otlp_memory(json_object());
        set(part, "content", value_to_json(value));
    }
    set_text(part, "type", "generic");
    set_text(part, "generic_type", type);
    json_array_append_new(parts, part);
}

static void add_part(json_t *parts, const steno_value *value) {
    const char *type = text_at(value, "type");
    const steno_value *image = steno_value_get(value, "image_url"), *file = steno_value_get(value, "file");
    const char *image_url = text_at(image, "url") ? text_at(image, "url") : text_at(value, "image_url");
    if (steno_value_type(value) == STENO_TYPE_STRING)
        add_text(parts, "text", steno_value_string(value, NULL));
    else if (is(type, "text") || is(type, "input_text") || is(type, "output_text"))
        add_text(parts, "text", text_at(value, "text"));
    else if ((is(type, "image_url") || is(type, "input_image")) && image_url)
        add_url(parts, "image", image_url);
    else if (is(type, "input_image") && text_at(value, "file_id"))
        add_file(parts, "image", value);
    else if (is(type, "input_audio") && steno_value_get(value, "input_audio"))
        add_audio(parts, steno_value_get(value, "input_audio"));
    else if (is(type, "file") || is(type, "input_file"))
        add_file(parts, "document", file ? file : value);
    else
        add_generic(parts, type, value);
}

/* A message's content: a text, or a list of parts. */
static void add_content(json_t *parts, const steno_value *content) {
    if (steno_value_type(content) == STENO_TYPE_STRING)
        add_text(parts, "text", steno_value_string(content, NULL));
    else
        for (size_t i = 0; i < steno_value_count(content); i++) add_part(parts, steno_value_at(content, i));
}

/* Arguments come as JSON text; as what they are where they are that. */
static void add_tool_call(json_t *parts, const char *id, const char *name, const char *arguments) {
    json_t *part = new_part(parts, "tool_call");
    set_text(part, "id", id);
    set_text(part, "name", name ? name : "");
    if (!arguments) return;
    json_t *parsed = json_parse(arguments, strlen(arguments), NULL);
    set(part, "arguments", parsed ? parsed : text_json(arguments));
}

static void add_tool_calls(json_t *parts, const steno_value *message) {
    const steno_value *calls = steno_value_get(message, "tool_calls"), *old = steno_value_get(message, "function_call");
    for (size_t i = 0; i < steno_value_count(calls); i++) {
        const steno_value *call = steno_value_at(calls, i), *function = steno_value_get(call, "function");
        if (function)
            add_tool_call(parts, text_at(call, "id"), text_at(function, "name"), text_at(function, "arguments"));
        else
            add_generic(parts, text_at(call, "type"), call);
    }
    if (old) add_tool_call(parts, NULL, text_at(old, "name"), text_at(old, "arguments"));
}

static void add_tool_response(json_t *parts, const char *id, const steno_value *response) {
    json_t *part = new_part(parts, "tool_call_response");
    set_text(part, "id", id);
    json_t *value = value_to_json(response);
    set(part, "response", value ? value : json_null());
}

/* ---- messages ---- */

static json_t *new_message(json_t *messages, const char *role) {
    json_t *message = otlp_memory(json_object());
    set_text(message, "role", role);
    set(message, "parts", json_array());
    json_array_append_new(messages, message);
    return message;
}

static json_t *parts_of(json_t *message) { return json_object_get(message, "parts"); }

static json_t *add_message(json_t *messages, const steno_value *value, const char *otherwise) {
    const char *role = text_at(value, "role");
    json_t *message = new_message(messages, role ? role : otherwise), *parts = parts_of(message);
    set_text(message, "name", text_at(value, "name"));
    const steno_value *content = steno_value_get(value, "content");
    if (is(role, "tool") || is(role, "function")) {
        add_tool_response(parts, text_at(value, "tool_call_id"), content);
        return message;
    }
    add_text(parts, "reasoning", text_at(value, "reasoning_content"));
    add_content(parts, content);
    add_text(parts, "text", text_at(value, "refusal"));
    add_tool_calls(parts, value);
    return message;
}

/* An item of the Responses API's input. */
static void add_item(json_t *messages, const steno_value *item) {
    const char *type = text_at(item, "type");
    if (is(type, "function_call"))
        add_tool_call(parts_of(new_message(messages, "assistant")), text_at(item, "call_id"), text_at(item, "name"),
                      text_at(item, "arguments"));
    else if (is(type, "function_call_output"))
        add_tool_response(parts_of(new_message(messages, "tool")), text_at(item, "call_id"),
                          steno_value_get(item, "output"));
    else if (text_at(item, "role"))
        add_message(messages, item, "user");
    else
        add_generic(parts_of(new_message(messages, "assistant")), type, item);
}

/* A text, or a list of texts, as the user's. */
static void add_prompts(json_t *messages, const steno_value *prompt) {
    const bool list = steno_value_type(prompt) == STENO_TYPE_ARRAY;
    for (size_t i = 0; i < (list ? steno_value_count(prompt) : 1); i++) {
        const steno_value *each = list ? steno_value_at(prompt, i) : prompt;
        if (steno_value_type(each) == STENO_TYPE_STRING)
            add_text(parts_of(new_message(messages, "user")), "text", steno_value_string(each, NULL));
        else if (steno_value_type(each) == STENO_TYPE_MAP)
            add_item(messages, each);
    }
}

static json_t *unless_empty(json_t *list) {
    if (json_array_size(list)) return list;
    json_decref(list);
    return NULL;
}

bool otlp_content_fits(const steno_event *event) {
    size_t size;
    steno_event_body(event, &size);
    return size <= OTLP_CONTENT_EVENT_BYTES_MAX;
}

json_t *otlp_input_messages(const steno_event *event) {
    json_t *messages = otlp_memory(json_array());
    const steno_value *asked = steno_event_get(event, "messages"), *input = steno_event_get(event, "input");
    const bool embedding = !strcmp(otlp_operation(steno_event_string(event, "call_type")), "embeddings");
    for (size_t i = 0; i < steno_value_count(asked); i++) add_message(messages, steno_value_at(asked, i), "user");
    if (!asked && input && !embedding) add_prompts(messages, input);
    if (!asked && steno_event_get(event, "prompt")) add_prompts(messages, steno_event_get(event, "prompt"));
    return unless_empty(messages);
}

json_t *otlp_output_messages(const steno_event *event) {
    json_t *messages = otlp_memory(json_array());
    const bool failed = steno_event_kind_of(event) == STENO_FAILURE;
    const steno_value *choices = steno_value_get(steno_event_get(event, "response"), "choices");
    for (size_t i = 0; i < steno_value_count(choices); i++) {
        const steno_value *choice = steno_value_at(choices, i), *said = steno_value_get(choice, "message");
        json_t *message = said ? add_message(messages, said, "assistant") : new_message(messages, "assistant");
        if (!said) add_text(parts_of(message), "text", text_at(choice, "text"));
        set_text(message, "finish_reason", otlp_finish_reason(text_at(choice, "finish_reason"), failed));
    }
    return unless_empty(messages);
}

json_t *otlp_system_instructions(const steno_event *event) {
    json_t *parts = otlp_memory(json_array());
    add_content(parts, steno_value_get(steno_event_get(event, "optional_params"), "instructions"));
    return unless_empty(parts);
}

json_t *otlp_tool_definitions(const steno_event *event) {
    json_t *list = otlp_memory(json_array());
    const steno_value *tools = steno_value_get(steno_event_get(event, "optional_params"), "tools");
    for (size_t i = 0; i < steno_value_count(tools); i++) {
        const steno_value *tool = steno_value_at(tools, i), *function = steno_value_get(tool, "function");
        json_t *definition = value_to_json(function ? function : tool);
        if (!json_is_object(definition)) {
            json_decref(definition);
            continue;
        }
        if (function) set_text(definition, "type", "function");
        json_array_append_new(list, definition);
    }
    return unless_empty(list);
}
