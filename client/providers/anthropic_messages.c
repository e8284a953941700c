/* OpenAI's messages as Anthropic's: system prompts apart, every content a list of blocks, turns that alternate. Invariant: no block is empty,
 * no message without blocks, and no two neighbours have the same role; Anthropic refuses such requests.
 */
#include <string.h>

#include "client/providers/anthropic.h"
#include "client/providers/content.h"

/* Parts that are Anthropic's own and pass through. */
static const char *const native_parts[] = {"image", "document", "search_result"};

/* What there is no place for: STENO_OK where it is to be left out. */
static steno_status refuse(const wire_ask *ask, const char *what, const char *detail, steno_error *error) {
    if (ask->drop) return STENO_OK;
    return steno_fail(error, STENO_INVALID,
                      "%s has no place in a message for %s%s: leave it out, or have such parts dropped (drop_params)",
                      ask->model, what, detail);
}

static bool is_type(const json_t *object, const char *type) {
    const char *its = json_string_value(json_object_get(object, "type"));
    return its && !strcmp(its, type);
}

static json_t *member(const json_t *object, const char *name) {
    json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

static void keep_cache_control(json_t *block, const json_t *from) {
    json_t *cache = member(from, "cache_control");
    if (cache && block) json_object_set_nocheck(block, "cache_control", cache);
}

/* ---- parts ---- */

static json_t *text_block(json_t *text) { return json_pack("{s:s,s:O}", "type", "text", "text", text); }

/* Where an image or a file comes from; NULL: from nowhere that Anthropic knows. New reference. */
static json_t *source_of(const content_part *part) {
    if (part->data)
        return json_pack("{s:s,s:s%,s:s}", "type", "base64", "media_type", part->mime, part->mime_size, "data",
                         part->data);
    bool is_id = part->kind == PART_FILE && !strstr(part->url, "://");
    return is_id ? json_pack("{s:s,s:s}", "type", "file", "file_id", part->url)
                 : json_pack("{s:s,s:s}", "type", "url", "url", part->url);
}

static bool has_mime(const content_part *part, const char *begins) {
    return part->mime_size >= strlen(begins) && !strncmp(part->mime, begins, strlen(begins));
}

static steno_status add_file(const wire_ask *ask, const content_part *part, json_t **out, steno_error *error) {
    bool image = part->data && has_mime(part, "image/");
    if (part->data && !image && !has_mime(part, "application/pdf"))
        return refuse(ask, "a file that is neither PDF nor image: ", part->name ? part->name : "it has no name", error);
    *out = json_pack("{s:s,s:o}", "type", image ? "image" : "document", "source", source_of(part));
    if (part->name && !image) json_object_set_new(*out, "title", json_string(part->name));
    return STENO_OK;
}

static steno_status add_other(const wire_ask *ask, const content_part *part, json_t **out, steno_error *error) {
    json_t *refusal = json_object_get(part->json, "refusal");
    for (size_t i = 0; i < sizeof native_parts / sizeof *native_parts; i++)
        if (is_type(part->json, native_parts[i])) *out = json_deep_copy(part->json);
    if (!*out && json_string_length(refusal)) *out = text_block(refusal);
    const char *type = json_string_value(json_object_get(part->json, "type"));
    return *out ? STENO_OK : refuse(ask, "a part of type ", type ? type : "unknown", error);
}

/* Part `index` as a block, a new reference; NULL where it is empty or left out. */
static steno_status block_at(const wire_ask *ask, const json_t *content, size_t index, json_t **out,
                             steno_error *error) {
    content_part part;
    steno_status status = content_part_at(content, index, &part, error);
    *out = NULL;
    if (status) return status;
    switch (part.kind) {
    case PART_TEXT:
        if (*part.text)
            *out = text_block(json_is_string(part.json) ? (json_t *)(uintptr_t)part.json
                                                        : json_object_get(part.json, "text"));
        break;
    case PART_IMAGE: *out = json_pack("{s:s,s:o}", "type", "image", "source", source_of(&part)); break;
    case PART_FILE: status = add_file(ask, &part, out, error); break;
    case PART_AUDIO: status = refuse(ask, "audio", "", error); break;
    case PART_OTHER: status = add_other(ask, &part, out, error); break;
    }
    keep_cache_control(*out, part.json);
    return status;
}

static steno_status add_content(const wire_ask *ask, const json_t *content, json_t *blocks, steno_error *error) {
    for (size_t i = 0; i < content_count(content); i++) {
        json_t *block;
        steno_status status = block_at(ask, content, i, &block, error);
        if (status) return status;
        if (block) json_array_append_new(blocks, block);
    }
    return STENO_OK;
}

/* ---- messages ---- */

/* What the model thought goes back as it came, or its signatures are worth nothing; blocks that others signed stay here. */
static void add_thinking(const json_t *message, json_t *blocks) {
    const json_t *thoughts = json_object_get(message, "thinking_blocks");
    for (size_t i = 0; i < json_array_size(thoughts); i++) {
        const json_t *thought = json_array_get(thoughts, i);
        json_t *text = json_object_get(thought, "thinking"), *signature = json_object_get(thought, "signature"),
               *data = json_object_get(thought, "data");
        if (is_type(thought, "thinking") && json_string_length(signature))
            json_array_append_new(blocks, json_pack("{s:s,s:o,s:O}", "type", "thinking", "thinking",
                                                    json_is_string(text) ? json_incref(text) : json_string(""),
                                                    "signature", signature));
        else if (is_type(thought, "redacted_thinking") && json_is_string(data))
            json_array_append_new(blocks, json_pack("{s:s,s:O}", "type", "redacted_thinking", "data", data));
    }
}

static steno_status add_tool_uses(const json_t *message, json_t *blocks, steno_error *error) {
    const json_t *calls = json_object_get(message, "tool_calls");
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *call = json_array_get(calls, i);
        json_t *id = json_object_get(call, "id"), *name = json_object_get(json_object_get(call, "function"), "name");
        if (!json_is_string(id) || !json_is_string(name))
            return steno_fail(error, STENO_INVALID, "tool call %zu of an assistant's message lacks its id or its name",
                              i);
        json_array_append_new(blocks, json_pack("{s:s,s:O,s:O,s:o}", "type", "tool_use", "id", id, "name", name,
                                                "input", content_arguments(call)));
    }
    return STENO_OK;
}

static steno_status add_assistant(const wire_ask *ask, const json_t *message, json_t *blocks, steno_error *error) {
    add_thinking(message, blocks);
    steno_status status = add_content(ask, json_object_get(message, "content"), blocks, error);
    json_t *refusal = json_object_get(message, "refusal");
    if (!status && json_string_length(refusal)) json_array_append_new(blocks, text_block(refusal));
    return status ? status : add_tool_uses(message, blocks, error);
}

static steno_status add_tool_result(const wire_ask *ask, const json_t *message, json_t *blocks, steno_error *error) {
    json_t *id = json_object_get(message, "tool_call_id"), *content = json_array();
    if (!json_is_string(id)) {
        json_decref(content);
        return steno_fail(error, STENO_INVALID, "a message with role tool lacks its tool_call_id");
    }
    steno_status status = add_content(ask, json_object_get(message, "content"), content, error);
    json_t *block = json_pack("{s:s,s:O}", "type", "tool_result", "tool_use_id", id);
    if (json_array_size(content)) json_object_set(block, "content", content);
    json_decref(content);
    json_array_append_new(blocks, block);
    return status;
}

/* Adds blocks, which are taken over, as a message, or to the last one where that has the same role. */
static void add_turn(json_t *messages, const char *role, json_t *blocks) {
    json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    const char *before = json_string_value(json_object_get(last, "role"));
    if (!json_array_size(blocks)) {
        json_decref(blocks);
    } else if (before && !strcmp(before, role)) {
        json_array_extend(json_object_get(last, "content"), blocks);
        json_decref(blocks);
    } else {
        json_array_append_new(messages, json_pack("{s:s,s:o}", "role", role, "content", blocks));
    }
}

static steno_status add_message(const wire_ask *ask, const json_t *message, json_t *system, json_t *messages,
                                steno_error *error) {
    const char *role = json_string_value(json_object_get(message, "role"));
    const json_t *content = json_object_get(message, "content");
    json_t *blocks = json_array();
    steno_status status;
    if (!role) role = "missing";
    bool to_system = !strcmp(role, "system") || !strcmp(role, "developer"), to_assistant = !strcmp(role, "assistant");
    if (to_system || !strcmp(role, "user"))
        status = add_content(ask, content, blocks, error);
    else if (to_assistant)
        status = add_assistant(ask, message, blocks, error);
    else if (!strcmp(role, "tool"))
        status = add_tool_result(ask, message, blocks, error);
    else
        status = steno_fail(error, STENO_INVALID,
                            "a message's role is %s: system, user, assistant and tool are possible", role);
    keep_cache_control(json_array_get(blocks, json_array_size(blocks) - 1), message);
    if (!status && to_system) json_array_extend(system, blocks);
    if (status || to_system)
        json_decref(blocks);
    else
        add_turn(messages, to_assistant ? "assistant" : "user", blocks);
    return status;
}

steno_status anthropic_put_messages(const wire_ask *ask, json_t *body, steno_error *error) {
    const json_t *given = json_object_get(ask->params, "messages");
    if (!json_is_array(given)) return steno_fail(error, STENO_INVALID, "the request has no list of `messages`");
    json_t *system = json_array(), *messages = json_array();
    steno_status status = add_content(ask, json_object_get(ask->params, "system"), system, error);
    for (size_t i = 0; !status && i < json_array_size(given); i++)
        status = add_message(ask, json_array_get(given, i), system, messages, error);
    if (!status && json_array_size(system)) json_object_set(body, "system", system);
    if (!status && json_object_set(body, "messages", messages))
        status = steno_fail(error, STENO_NO_MEMORY, "no memory for the request");
    json_decref(system);
    json_decref(messages);
    return status;
}
