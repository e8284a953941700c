/* OpenAI's chat completions, text completions and embeddings, which most providers speak: passed through as they are. */
#include <string.h>

#include "client/failure.h"
#include "client/providers/content.h"
#include "client/providers/openai.h"
#include "client/usage.h"

bool openai_path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]) {
    static const char *const paths[CALL_KINDS] = {
        [CALL_CHAT] = "/chat/completions", [CALL_TEXT] = "/completions", [CALL_EMBEDDING] = "/embeddings"};
    (void)base;
    strcpy(out, paths[ask->kind]);
    return true;
}

/* The new name of `name`, by "old=new old=new"; NULL: it keeps its own. *size: its length. */
static const char *renamed(const char *renames, const char *name, size_t *size) {
    size_t length = strlen(name);
    for (const char *at = renames; at && *at;) {
        const char *end = at + strcspn(at, " ");
        if (!strncmp(at, name, length) && at[length] == '=') {
            *size = (size_t)(end - at) - length - 1;
            return at + length + 1;
        }
        at = end + strspn(end, " ");
    }
    return NULL;
}

static bool add_params(const wire_ask *ask, json_t *body) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)ask->params, name, value) {
        char other[64];
        size_t size;
        const char *found = renamed(ask->renames, name, &size);
        if (found && size < sizeof other) {
            memcpy(other, found, size);
            other[size] = '\0';
            name = other;
        }
        if (json_object_set_nocheck(body, name, value)) return false;
    }
    return true;
}

json_t *openai_body(const wire_ask *ask, steno_error *error) {
    json_t *body = json_object();
    if (!body || json_object_set_new_nocheck(body, "model", json_string_nocheck(ask->model)) ||
        !add_params(ask, body)) {
        json_decref(body);
        steno_fail(error, STENO_NO_MEMORY, "no memory for the request");
        return NULL;
    }
    if (ask->stream) {
        json_object_set_new(body, "stream", json_true());
        /* Without it there is no usage, and so no cost, in a stream. */
        if (!json_object_get(body, "stream_options"))
            json_object_set_new(body, "stream_options", json_pack("{s:b}", "include_usage", 1));
    }
    return body;
}

/* Content as parts (Mistral's reasoning models): its text is the content, and the parts stay beside it, as in an assembled stream. */
static void flatten(json_t *message) {
    json_t *content = json_object_get(message, "content");
    if (!json_is_array(content)) return;
    json_object_set_nocheck(message, "content_parts", content);
    json_object_set_new_nocheck(message, "content", content_text(content));
}

/* Where `json` says that it failed: itself, or one of its choices (OpenRouter, when the provider behind it breaks off). NULL: nowhere. */
static const json_t *failed_part(const json_t *json) {
    const json_t *error = json_object_get(json, "error"), *choices = json_object_get(json, "choices");
    if (json_object_size(error) || json_string_length(error)) return json;
    for (size_t i = 0; i < json_array_size(choices); i++)
        if (json_object_size(json_object_get(json_array_get(choices, i), "error"))) return json_array_get(choices, i);
    return NULL;
}

json_t *openai_reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error) {
    const char *needed = ask->kind == CALL_EMBEDDING ? "data" : "choices";
    json_t *list = json_object_get(native, needed);
    *usage = json_object_get(native, "usage");
    const json_t *failed = failed_part(native);
    if (failed) {
        failure_from_reply(error, 200, failed, NULL);
        return NULL;
    }
    if (!json_is_array(list)) {
        steno_fail(error, STENO_CORRUPT, "it is JSON, but has no `%s`", needed);
        return NULL;
    }
    json_t *response = json_copy((json_t *)(uintptr_t)native);
    json_object_del(response, "usage");
    for (size_t i = 0; ask->kind == CALL_CHAT && i < json_array_size(list); i++)
        flatten(json_object_get(json_array_get(list, i), "message"));
    return response;
}

/* Usage is cumulative: of each figure the last counts, and one that is not said again is not taken back. */
static bool take_usage(wire_stream *self, const json_t *usage) {
    if (!json_is_object(usage)) return true;
    if (!self->usage) return (self->usage = json_copy((json_t *)(uintptr_t)usage));
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)usage, name, value) {
        if (!json_is_null(value) && json_object_set_nocheck(self->usage, name, value)) return false;
    }
    return true;
}

steno_status openai_record(wire_stream *self, const char *name, const json_t *record, steno_error *error) {
    (void)name;
    if (!json_is_object(record)) return steno_fail(error, STENO_CORRUPT, "it is no JSON object");
    const json_t *failed = failed_part(record);
    if (failed) {
        failure_from_reply(error, 200, failed, NULL);
        return STENO_FAILED;
    }
    if (!take_usage(self, json_object_get(record, "usage")))
        return steno_fail(error, STENO_NO_MEMORY, "no memory for the usage");
    return self->on_chunk((json_t *)(uintptr_t)record, self->ctx);
}

const wire wire_openai = {
    .name = "openai",
    .framing = FRAMING_SSE,
    .kinds = 1 << CALL_CHAT | 1 << CALL_TEXT | 1 << CALL_EMBEDDING,
    .path = openai_path,
    .body = openai_body,
    .reply = openai_reply,
    .record = openai_record,
    .usage = usage_from_openai,
};
