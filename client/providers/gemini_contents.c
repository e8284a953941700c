/* OpenAI's messages as Gemini's contents: system prompts apart, parts, turns that alternate between user and model. A tool's result names its
 * function there, which OpenAI's does not: the call is looked up among the messages before it.
 */
#include <string.h>
#include <strings.h>

#include "client/providers/content.h"
#include "client/providers/gemini.h"
#include "schema/json.h"

/* What Google says to send in place of a signature where there is none, for calls that another model made: without it the request is refused. */
#define NO_SIGNATURE "skip_thought_signature_validator"

/* What there is no place for: STENO_OK where it is to be left out. */
static steno_status refuse(const wire_ask *ask, const char *type, steno_error *error) {
    if (ask->drop) return STENO_OK;
    return steno_fail(error, STENO_INVALID,
                      "%s has no place in a message for a part of type %s: leave it out, or have such parts dropped "
                      "(drop_params)",
                      ask->model, type);
}

/* A string that says something; NULL: there is none. */
static json_t *string_of(const json_t *object, const char *name) {
    json_t *text = json_object_get(object, name);
    return json_string_length(text) ? text : NULL;
}

/* ---- parts ---- */

/* What is at an address, by how it ends; NULL: it can't be seen, Gemini then finds it out. */
static const char *mime_of(const char *url) {
    static const char *const mimes[][2] = {
        {"png", "image/png"},       {"jpg", "image/jpeg"},  {"jpeg", "image/jpeg"}, {"webp", "image/webp"},
        {"gif", "image/gif"},       {"heic", "image/heic"}, {"heif", "image/heif"}, {"pdf", "application/pdf"},
        {"mp3", "audio/mpeg"},      {"wav", "audio/wav"},   {"mp4", "video/mp4"},   {"webm", "video/webm"},
        {"mov", "video/quicktime"}, {"txt", "text/plain"},  {"csv", "text/csv"},    {"html", "text/html"},
    };
    size_t length = strcspn(url, "?#");
    const char *dot = memrchr(url, '.', length);
    if (!dot) return NULL;
    size_t size = (size_t)(url + length - dot) - 1;
    for (size_t i = 0; i < sizeof mimes / sizeof *mimes; i++)
        if (strlen(mimes[i][0]) == size && !strncasecmp(dot + 1, mimes[i][0], size)) return mimes[i][1];
    return NULL;
}

static json_t *media_part(const content_part *part) {
    if (part->data)
        return json_pack("{s:{s:s%,s:s}}", "inlineData", "mimeType", part->mime, part->mime_size, "data", part->data);
    return json_pack("{s:{s:s*,s:s}}", "fileData", "mimeType", mime_of(part->url), "fileUri", part->url);
}

/* Part `index` of a content, a new reference; NULL where it is empty or left out. */
static steno_status part_at(const wire_ask *ask, const json_t *content, size_t index, json_t **out,
                            steno_error *error) {
    content_part part;
    steno_status status = content_part_at(content, index, &part, error);
    *out = NULL;
    if (status) return status;
    json_t *text = json_is_string(part.json) ? (json_t *)(uintptr_t)part.json : json_object_get(part.json, "text");
    switch (part.kind) {
    case PART_TEXT:
        if (*part.text) *out = json_pack("{s:O}", "text", text);
        break;
    case PART_IMAGE:
    case PART_AUDIO:
    case PART_FILE: *out = media_part(&part); break;
    case PART_OTHER:
        if (string_of(part.json, "refusal"))
            *out = json_pack("{s:O}", "text", string_of(part.json, "refusal"));
        else
            status = refuse(ask, content_member(part.json, "type"), error);
        break;
    }
    return status;
}

static steno_status add_content(const wire_ask *ask, const json_t *content, json_t *parts, steno_error *error) {
    for (size_t i = 0; i < content_count(content); i++) {
        json_t *part;
        steno_status status = part_at(ask, content, i, &part, error);
        if (status) return status;
        if (part) json_array_append_new(parts, part);
    }
    return STENO_OK;
}

/* ---- what the model said ---- */

/* The signatures of texts go back on the texts; what is left of them, on empty ones, as they can come, too. */
static void sign_texts(const json_t *message, json_t *parts) {
    const json_t *blocks = json_object_get(message, "thinking_blocks");
    size_t next = 0;
    for (size_t i = 0; i < json_array_size(blocks); i++) {
        const json_t *block = json_array_get(blocks, i);
        json_t *signature = string_of(block, "signature");
        if (strcmp(content_member(block, "type"), GEMINI_SIGNATURE) || !signature) continue;
        if (next == json_array_size(parts)) json_array_append_new(parts, json_pack("{s:s}", "text", ""));
        json_object_set(json_array_get(parts, next++), "thoughtSignature", signature);
    }
}

/* The signature of a call, which OpenAI has no place for: where we put it, or where Google's own OpenAI protocol does. */
static json_t *signature_of(const json_t *call) {
    json_t *signature = string_of(call, "thought_signature");
    const json_t *extra = json_object_get(json_object_get(call, "extra_content"), "google");
    return signature ? signature : string_of(extra, "thought_signature");
}

/* An id that Gemini gave; NULL: it is none of its own. */
static json_t *native_id(json_t *id) {
    const char *text = json_string_value(id);
    return text && *text && strncmp(text, GEMINI_ID_MADE, strlen(GEMINI_ID_MADE)) ? id : NULL;
}

static steno_status add_calls(const wire_ask *ask, const json_t *message, json_t *parts, steno_error *error) {
    const json_t *calls = json_object_get(message, "tool_calls");
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *call = json_array_get(calls, i);
        json_t *name = string_of(json_object_get(call, "function"), "name"), *signature = signature_of(call);
        if (!name) return steno_fail(error, STENO_INVALID, "tool call %zu of an assistant's message lacks its name", i);
        json_t *part = json_pack("{s:{s:O,s:o,s:O*}}", "functionCall", "name", name, "args", content_arguments(call),
                                 "id", native_id(json_object_get(call, "id")));
        if (signature)
            json_object_set(part, "thoughtSignature", signature);
        else if (i == 0 && gemini_is_third(ask->model)) /* of calls side by side only the first has one */
            json_object_set_new(part, "thoughtSignature", json_string(NO_SIGNATURE));
        json_array_append_new(parts, part);
    }
    return STENO_OK;
}

static steno_status add_assistant(const wire_ask *ask, const json_t *message, json_t *parts, steno_error *error) {
    steno_status status = add_content(ask, json_object_get(message, "content"), parts, error);
    json_t *refusal = string_of(message, "refusal");
    if (refusal) json_array_append_new(parts, json_pack("{s:O}", "text", refusal));
    sign_texts(message, parts);
    return status ? status : add_calls(ask, message, parts, error);
}

/* ---- what the tools said ---- */

/* The function of the call with this id, the last before message `end`; NULL: there is none. */
static json_t *function_called(const json_t *messages, size_t end, const char *id) {
    while (end-- > 0) {
        const json_t *calls = json_object_get(json_array_get(messages, end), "tool_calls");
        for (size_t i = 0; i < json_array_size(calls); i++) {
            const json_t *call = json_array_get(calls, i);
            if (!strcmp(content_member(call, "id"), id)) return string_of(json_object_get(call, "function"), "name");
        }
    }
    return NULL;
}

/* A result is an object there: a text that is one, or else one with the text in it. New reference. */
static json_t *response_of(const json_t *content) {
    json_t *text = content_text(content);
    json_t *json = json_parse(json_string_value(text), json_string_length(text), NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        json = json_pack("{s:O}", "result", text);
    }
    json_decref(text);
    return json;
}

static steno_status add_result(const wire_ask *ask, const json_t *messages, size_t index, json_t *parts,
                               steno_error *error) {
    const json_t *message = json_array_get(messages, index), *content = json_object_get(message, "content");
    const char *id = content_member(message, "tool_call_id");
    json_t *name = *id ? function_called(messages, index, id) : NULL;
    if (!name) name = string_of(message, "name");
    if (!name)
        return steno_fail(error, STENO_INVALID,
                          "a message with role tool answers call \"%s\", which no message before it makes", id);
    for (size_t i = 0; json_is_array(content) && i < json_array_size(content); i++) {
        const char *type = content_member(json_array_get(content, i), "type");
        steno_status status = strcmp(type, "text") ? refuse(ask, type, error) : STENO_OK;
        if (status) return status;
    }
    json_t *result = json_pack("{s:{s:O,s:o,s:O*}}", "functionResponse", "name", name, "response", response_of(content),
                               "id", native_id(json_object_get(message, "tool_call_id")));
    return json_array_append_new(parts, result) ? steno_fail(error, STENO_NO_MEMORY, "no memory for the request")
                                                : STENO_OK;
}

/* ---- messages ---- */

/* Adds parts, which are taken over, as a turn, or to the last one where that has the same role. */
static void add_turn(json_t *contents, const char *role, json_t *parts) {
    json_t *last = json_array_get(contents, json_array_size(contents) - 1);
    if (json_array_size(parts) && !strcmp(content_member(last, "role"), role))
        json_array_extend(json_object_get(last, "parts"), parts);
    else if (json_array_size(parts))
        json_array_append_new(contents, json_pack("{s:s,s:O}", "role", role, "parts", parts));
    json_decref(parts);
}

static steno_status add_message(const wire_ask *ask, const json_t *messages, size_t index, json_t *system,
                                json_t *contents, steno_error *error) {
    const json_t *message = json_array_get(messages, index);
    const char *role = content_member(message, "role");
    bool of_model = !strcmp(role, "assistant");
    if (!strcmp(role, "system") || !strcmp(role, "developer"))
        return add_content(ask, json_object_get(message, "content"), system, error);
    json_t *parts = json_array();
    steno_status status;
    if (of_model)
        status = add_assistant(ask, message, parts, error);
    else if (!strcmp(role, "user"))
        status = add_content(ask, json_object_get(message, "content"), parts, error);
    else if (!strcmp(role, "tool"))
        status = add_result(ask, messages, index, parts, error);
    else
        status = steno_fail(error, STENO_INVALID,
                            "a message's role is \"%s\": system, user, assistant and tool are possible", role);
    add_turn(contents, of_model ? "model" : "user", parts);
    return status;
}

steno_status gemini_put_contents(const wire_ask *ask, json_t *body, steno_error *error) {
    const json_t *messages = json_object_get(ask->params, "messages");
    if (!json_is_array(messages)) return steno_fail(error, STENO_INVALID, "the request has no list of `messages`");
    json_t *system = json_array(), *contents = json_array();
    steno_status status = STENO_OK;
    for (size_t i = 0; !status && i < json_array_size(messages); i++)
        status = add_message(ask, messages, i, system, contents, error);
    if (!status && json_array_size(system))
        json_object_set_new(body, "systemInstruction", json_pack("{s:O}", "parts", system));
    if (!status && json_object_set(body, "contents", contents))
        status = steno_fail(error, STENO_NO_MEMORY, "no memory for the request");
    json_decref(system);
    json_decref(contents);
    return status;
}
