/* Bytes of text, divided: what a family's tokens have on average in English prose. Texts are counted wherever they stand in messages and replies; what is
 * no text has tokens that its length does not tell, so there is no estimate.
 */
#include "subscribers/cost_estimate.h"

#include <string.h>

#include "schema/json.h"

/* Quarters of a byte that a token has. */
#define QUARTERS_USUAL 16     /* 4 bytes */
#define QUARTERS_ANTHROPIC 14 /* 3.5 bytes */
/* What stands around each message: its role, and where it begins and ends. */
#define MESSAGE_TOKENS 4

/* The bytes of the texts in a part of an event. */
typedef struct measure {
    int64_t bytes;
    bool other; /* an image, audio, a file, …: no text */
} measure;

static void add_text(measure *self, const steno_value *value) {
    size_t size = 0;
    if (steno_value_type(value) == STENO_TYPE_STRING && steno_value_string(value, &size)) self->bytes += (int64_t)size;
}

/* A string, or an array of parts. */
static void add_content(measure *self, const steno_value *content) {
    add_text(self, content);
    for (size_t i = 0; i < steno_value_count(content) && steno_value_type(content) == STENO_TYPE_ARRAY; i++) {
        const steno_value *part = steno_value_at(content, i), *text = steno_value_get(part, "text");
        if (steno_value_type(part) == STENO_TYPE_STRING)
            add_text(self, part);
        else if (steno_value_type(text) == STENO_TYPE_STRING)
            add_text(self, text);
        else
            self->other = true;
    }
}

static void add_message(measure *self, const steno_value *message) {
    const steno_value *calls = steno_value_get(message, "tool_calls");
    add_content(self, steno_value_get(message, "content"));
    add_text(self, steno_value_get(message, "reasoning_content"));
    for (size_t i = 0; i < steno_value_count(calls); i++) {
        const steno_value *function = steno_value_get(steno_value_at(calls, i), "function");
        add_text(self, steno_value_get(function, "name"));
        add_text(self, steno_value_get(function, "arguments"));
    }
    if (steno_value_type(steno_value_get(message, "audio")) != STENO_TYPE_NIL) self->other = true;
}

/* What tools the model may call is part of its prompt, too: as JSON. */
static void add_tools(measure *self, const steno_value *tools) {
    if (steno_value_type(tools) != STENO_TYPE_ARRAY) return;
    json_t *json = value_to_json(tools);
    self->bytes += (int64_t)json_dumpb(json, NULL, 0, JSON_FLAGS_OUT);
    json_decref(json);
}

static int64_t tokens_of(const measure *text, const char *provider) {
    const int64_t quarters = provider && !strcmp(provider, "anthropic") ? QUARTERS_ANTHROPIC : QUARTERS_USUAL;
    return (text->bytes * 4 + quarters - 1) / quarters;
}

/* False: the event does not have what was asked. */
static bool measure_prompt(const steno_event *event, measure *out, int64_t *messages) {
    const steno_value *list = steno_event_get(event, "messages");
    *messages = (int64_t)steno_value_count(list);
    for (size_t i = 0; i < steno_value_count(list); i++) add_message(out, steno_value_at(list, i));
    add_content(out, steno_event_get(event, "input"));
    add_content(out, steno_event_get(event, "prompt"));
    add_tools(out, steno_value_get(steno_event_get(event, "optional_params"), "tools"));
    return *messages || out->bytes;
}

/* False: there is no reply. */
static bool measure_reply(const steno_event *event, measure *out) {
    const steno_value *response = steno_event_get(event, "response");
    if (steno_value_type(response) != STENO_TYPE_MAP) response = steno_event_get(event, "complete_streaming_response");
    const steno_value *choices = steno_value_get(response, "choices");
    for (size_t i = 0; i < steno_value_count(choices); i++) {
        const steno_value *choice = steno_value_at(choices, i);
        add_message(out, steno_value_get(choice, "message"));
        add_text(out, steno_value_get(choice, "text"));
    }
    return steno_value_type(response) == STENO_TYPE_MAP;
}

/* Whether the texts are as they were sent and received. */
static bool whole(const steno_event *event) {
    return steno_value_type(steno_event_get(event, "truncated")) == STENO_TYPE_NIL &&
           steno_value_type(steno_event_get(event, "redacted")) == STENO_TYPE_NIL;
}

bool cost_estimate(const steno_event *event, steno_usage *usage) {
    const char *provider = steno_event_string(event, "provider");
    measure prompt = {0}, reply = {0};
    int64_t messages;
    if (usage->prompt_tokens != STENO_UNKNOWN && usage->completion_tokens != STENO_UNKNOWN) return false;
    if (!whole(event) || !measure_prompt(event, &prompt, &messages) || !measure_reply(event, &reply)) return false;
    if (prompt.other || reply.other) return false;
    if (usage->prompt_tokens == STENO_UNKNOWN)
        usage->prompt_tokens = tokens_of(&prompt, provider) + messages * MESSAGE_TOKENS;
    if (usage->completion_tokens == STENO_UNKNOWN) usage->completion_tokens = tokens_of(&reply, provider);
    return true;
}
