/* Chat completions (plain and streamed, several choices, tool calls), embeddings, models, errors. */
#include "tests/provider/openai.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHOICES_MAX 8
#define EMBEDDING_NUMBERS 8
#define ARGUMENTS "{\"location\":\"Paris\"}"

/* ---- what the answer is about ---- */

/* Words of a message's content, a string or parts. */
static long content_words(const json_t *content) {
    long words = 0;
    if (json_is_string(content)) return route_words(json_string_value(content));
    for (size_t i = 0; i < json_array_size(content); i++) {
        const char *text = json_string_value(json_object_get(json_array_get(content, i), "text"));
        words += text ? route_words(text) : 85; /* an image */
    }
    return words;
}

static long prompt_tokens(const json_t *messages) {
    long tokens = 0;
    for (size_t i = 0; i < json_array_size(messages); i++)
        tokens += 3 + content_words(json_object_get(json_array_get(messages, i), "content"));
    return tokens;
}

/* The last message's text. */
static const char *last_text(const json_t *messages) {
    const json_t *content = json_object_get(json_array_get(messages, json_array_size(messages) - 1), "content");
    if (json_is_array(content)) content = json_object_get(json_array_get(content, 0), "text");
    const char *text = json_string_value(content);
    return text ? text : "";
}

static bool wants_tool(const json_t *request) {
    return json_array_size(json_object_get(request, "tools")) &&
           route_wants_tool(last_text(json_object_get(request, "messages")));
}

/* `asked` has the word "cached" in it: so has the usage. */
static json_t *usage(long prompt, long completion, const char *asked) {
    return json_pack("{s:I,s:I,s:I,s:{s:i,s:i},s:{s:i,s:i}}", "prompt_tokens", (json_int_t)prompt, "completion_tokens",
                     (json_int_t)completion, "total_tokens", (json_int_t)(prompt + completion), "prompt_tokens_details",
                     "cached_tokens", strstr(asked, "cached") ? 2 : 0, "audio_tokens", 0, "completion_tokens_details",
                     "reasoning_tokens", 0, "audio_tokens", 0);
}

/* OpenAI answers with the snapshot that a name stands for. */
static const char *snapshot(const char *model) {
    if (!strcmp(model, "gpt-4o-mini")) return "gpt-4o-mini-2024-07-18";
    return !strcmp(model, "gpt-4o") ? "gpt-4o-2024-08-06" : model;
}

static json_t *envelope(const json_t *request, const char *object) {
    static unsigned answers;
    char id[48];
    snprintf(id, sizeof id, "chatcmpl-%06u", __atomic_add_fetch(&answers, 1, __ATOMIC_RELAXED));
    const char *model = json_string_value(json_object_get(request, "model"));
    return json_pack("{s:s,s:s,s:I,s:s,s:s}", "id", id, "object", object, "created", (json_int_t)time(NULL), "model",
                     snapshot(model ? model : "unknown"), "system_fingerprint", "fp_steno");
}

static size_t choices_wanted(const json_t *request) {
    json_int_t n = json_integer_value(json_object_get(request, "n"));
    return n < 1 ? 1 : n > CHOICES_MAX ? CHOICES_MAX : (size_t)n;
}

/* ---- in one piece ---- */

static json_t *tool_calls(void) {
    return json_pack("[{s:s,s:s,s:{s:s,s:s}}]", "id", "call_1", "type", "function", "function", "name", "get_weather",
                     "arguments", ARGUMENTS);
}

static reply *chat_whole(const json_t *request, const char *text, const fault *faults) {
    reply *self = reply_new(200, false, faults);
    if (!self) return NULL;
    bool tool = wants_tool(request);
    json_t *body = envelope(request, "chat.completion"), *choices = json_array();
    for (size_t i = 0; i < choices_wanted(request); i++) {
        json_t *message = tool ? json_pack("{s:s,s:n,s:o}", "role", "assistant", "content", "tool_calls", tool_calls())
                               : json_pack("{s:s,s:s,s:n}", "role", "assistant", "content", text, "refusal");
        json_array_append_new(choices, json_pack("{s:i,s:o,s:n,s:s}", "index", (int)i, "message", message, "logprobs",
                                                 "finish_reason", tool ? "tool_calls" : "stop"));
    }
    json_object_set_new(body, "choices", choices);
    if (!faults->no_usage)
        json_object_set_new(body, "usage",
                            usage(prompt_tokens(json_object_get(request, "messages")),
                                  route_words(text) * (long)choices_wanted(request),
                                  last_text(json_object_get(request, "messages"))));
    reply_add_json(self, body);
    return self;
}

/* ---- streamed ---- */

typedef struct streaming {
    reply *to;
    const json_t *request;
    const fault *faults;
    json_t *head;
    bool usage_wanted;
    bool ended; /* by a fault */
} streaming;

static void add_chunk(streaming *self, json_t *choices, json_t *usage_or_null) {
    if (self->ended) {
        json_decref(choices);
        json_decref(usage_or_null);
        return;
    }
    if (self->faults->error_in_stream && reply_pieces(self->to) >= (size_t)self->faults->error_in_stream) {
        reply_add_event(self->to,
                        "{\"error\":{\"message\":\"The server had a simulated error\",\"type\":\"server_error\"}}");
        json_decref(choices);
        json_decref(usage_or_null);
        self->ended = true;
        return;
    }
    json_t *chunk = json_copy(self->head);
    json_object_set_new(chunk, "choices", choices);
    if (usage_or_null)
        json_object_set_new(chunk, "usage", usage_or_null);
    else if (self->usage_wanted)
        json_object_set_new(chunk, "usage", json_null());
    reply_add_json(self->to, chunk);
}

static void add_delta(streaming *self, size_t choice, json_t *delta, const char *finish_reason) {
    json_t *one = json_pack("{s:i,s:o,s:n,s:s?}", "index", (int)choice, "delta", delta, "logprobs", "finish_reason",
                            finish_reason);
    add_chunk(self, json_pack("[o]", one), NULL);
}

static void add_tool_call(streaming *self, size_t choice) {
    add_delta(self, choice,
              json_pack("{s:s,s:n,s:[{s:i,s:s,s:s,s:{s:s,s:s}}]}", "role", "assistant", "content", "tool_calls",
                        "index", 0, "id", "call_1", "type", "function", "function", "name", "get_weather", "arguments",
                        ""),
              NULL);
    static const char *const pieces[] = {"{\"loc", "ation\":", "\"Paris\"}"};
    for (size_t i = 0; i < 3; i++)
        add_delta(self, choice,
                  json_pack("{s:[{s:i,s:{s:s}}]}", "tool_calls", "index", 0, "function", "arguments", pieces[i]), NULL);
    add_delta(self, choice, json_object(), "tool_calls");
}

static void add_text(streaming *self, size_t choice, const char *text) {
    add_delta(self, choice, json_pack("{s:s,s:s}", "role", "assistant", "content", ""), NULL);
    while (*text) {
        size_t size = strcspn(text, " ");
        size += strspn(text + size, " ");
        add_delta(self, choice, json_pack("{s:s%}", "content", text, size), NULL);
        text += size;
    }
    add_delta(self, choice, json_object(), "stop");
}

static reply *chat_streamed(const json_t *request, const char *text, const fault *faults) {
    streaming self = {.request = request, .faults = faults, .to = reply_new(200, true, faults)};
    if (!self.to) return NULL;
    self.head = envelope(request, "chat.completion.chunk");
    self.usage_wanted =
        json_is_true(json_object_get(json_object_get(request, "stream_options"), "include_usage")) && !faults->no_usage;
    size_t choices = choices_wanted(request);
    if (faults->garbage) reply_add_event(self.to, "{\"choices\": [garbage");
    for (size_t i = 0; i < choices; i++) {
        if (wants_tool(request))
            add_tool_call(&self, i);
        else
            add_text(&self, i, text);
    }
    if (self.usage_wanted)
        add_chunk(&self, json_array(),
                  usage(prompt_tokens(json_object_get(request, "messages")), route_words(text) * (long)choices,
                        last_text(json_object_get(request, "messages"))));
    if (!faults->no_done && !self.ended) reply_add_event(self.to, "[DONE]");
    json_decref(self.head);
    return self.to;
}

static reply *chat(const exchange *with) {
    const json_t *messages = json_object_get(with->body, "messages");
    if (!json_array_size(messages))
        return openai_error(400, "Missing required parameter: 'messages'.", "invalid_request_error",
                            "missing_required_parameter", with->faults);
    const char *model = json_string_value(json_object_get(with->body, "model"));
    if (model && strstr(model, "does-not-exist"))
        return openai_error(404, "The model does not exist or you do not have access to it.", "invalid_request_error",
                            "model_not_found", with->faults);
    char *text = route_answer(with, last_text(messages));
    if (!text) return NULL;
    reply *self = json_is_true(json_object_get(with->body, "stream")) ? chat_streamed(with->body, text, with->faults)
                                                                      : chat_whole(with->body, text, with->faults);
    free(text);
    return self;
}

/* ---- the rest ---- */

static reply *embeddings(const exchange *with) {
    const json_t *request = with->body;
    const fault *faults = with->faults;
    const json_t *input = json_object_get(request, "input");
    reply *self = input ? reply_new(200, false, faults) : NULL;
    if (!input)
        return openai_error(400, "Missing required parameter: 'input'.", "invalid_request_error",
                            "missing_required_parameter", faults);
    if (!self) return NULL;
    size_t count = json_is_array(input) ? json_array_size(input) : 1;
    json_t *data = json_array();
    long tokens = 0;
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_is_array(input) ? json_array_get(input, i) : input);
        tokens += text ? route_words(text) : 1;
        json_array_append_new(data, json_pack("{s:s,s:i,s:o}", "object", "embedding", "index", (int)i, "embedding",
                                              route_vector(text ? text : "")));
    }
    json_t *body =
        json_pack("{s:s,s:o,s:O?}", "object", "list", "data", data, "model", json_object_get(request, "model"));
    if (!faults->no_usage)
        json_object_set_new(
            body, "usage",
            json_pack("{s:I,s:I}", "prompt_tokens", (json_int_t)tokens, "total_tokens", (json_int_t)tokens));
    reply_add_json(self, body);
    return self;
}

static reply *models(const exchange *with) {
    reply *self = reply_new(200, false, with->faults);
    if (self)
        reply_add_json(self, json_pack("{s:s,s:[{s:s,s:s},{s:s,s:s}]}", "object", "list", "data", "id", "gpt-4o-mini",
                                       "object", "model", "id", "text-embedding-3-small", "object", "model"));
    return self;
}

reply *openai_error(unsigned status, const char *message, const char *type, const char *code, const fault *faults) {
    reply *self = reply_new(status, false, faults);
    if (self)
        reply_add_json(self, json_pack("{s:{s:s,s:s,s:n,s:s?}}", "error", "message", message, "type", type, "param",
                                       "code", code));
    return self;
}

/* Text completion: the prompt is continued. */
static reply *completions(const exchange *with) {
    const char *prompt = json_string_value(json_object_get(with->body, "prompt"));
    if (!prompt)
        return openai_error(400, "Missing required parameter: 'prompt'.", "invalid_request_error",
                            "missing_required_parameter", with->faults);
    bool stream = json_is_true(json_object_get(with->body, "stream"));
    char *text = route_answer(with, prompt);
    reply *self = reply_new(200, stream, with->faults);
    json_t *head = envelope(with->body, "text_completion"),
           *counts = usage(route_words(prompt), route_words(text ? text : ""), prompt);
    for (const char *at = text; stream && at && *at;) {
        size_t size = strcspn(at, " ");
        size += strspn(at + size, " ");
        json_t *chunk = json_copy(head);
        json_object_set_new(
            chunk, "choices",
            json_pack("[{s:i,s:s%,s:s?}]", "index", 0, "text", at, size, "finish_reason", at[size] ? NULL : "stop"));
        reply_add_json(self, chunk);
        at += size;
    }
    json_object_set_new(head, "choices",
                        stream ? json_array()
                               : json_pack("[{s:i,s:s?,s:s}]", "index", 0, "text", text, "finish_reason", "stop"));
    json_object_set_new(head, "usage", counts);
    reply_add_json(self, head);
    if (stream) reply_add_event(self, "[DONE]");
    free(text);
    return self;
}

const route openai_routes[] = {
    {"/v1/chat/completions", "", "Authorization", chat, openai_error},
    {"/v1/completions", "", "Authorization", completions, openai_error},
    {"/v1/embeddings", "", "Authorization", embeddings, openai_error},
    {"/v1/models", "", "Authorization", models, openai_error},
    {0},
};
