/* Cohere's v2 API: chat whole and streamed, tools with a plan, embeddings. What is no field of a request is an error, as with the original. */
#include "tests/provider/cohere.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAN "I will look up the weather."

static const char *const fields[] = {
    "model",    "messages", "tools",       "tool_choice",       "stream",           "max_tokens",     "temperature",
    "p",        "k",        "seed",        "frequency_penalty", "presence_penalty", "stop_sequences", "response_format",
    "logprobs", "thinking", "safety_mode", "documents"};

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static reply *error(unsigned status, const char *message, const char *type, const char *code, const fault *faults) {
    reply *self = reply_new(status, false, faults);
    char text[256];
    (void)type;
    snprintf(text, sizeof text, "%s%s%s", message, code ? " " : "", code ? code : "");
    if (self) reply_add_json(self, json_pack("{s:s,s:s}", "id", "err-1", "message", text));
    return self;
}

static const char *content_text(const json_t *content) {
    const char *text = json_string_value(content);
    for (size_t i = 0; i < json_array_size(content); i++)
        if (*text_of(json_array_get(content, i), "text")) text = text_of(json_array_get(content, i), "text");
    return text ? text : "";
}

static const char *stranger_in(const json_t *request) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)request, name, value) {
        size_t i = 0;
        while (i < sizeof fields / sizeof *fields && strcmp(fields[i], name)) i++;
        if (i == sizeof fields / sizeof *fields) return name;
    }
    return NULL;
}

static json_t *usage(long prompt, long completion, bool cached) {
    return json_pack("{s:{s:I,s:I},s:{s:I,s:I},s:i}", "billed_units", "input_tokens", (json_int_t)prompt,
                     "output_tokens", (json_int_t)completion, "tokens", "input_tokens", (json_int_t)prompt + 70,
                     "output_tokens", (json_int_t)completion + 2, "cached_tokens", cached ? 2 : 0);
}

static json_t *tool_call(const char *arguments) {
    return json_pack("{s:s,s:s,s:{s:s,s:s}}", "id", "get_weather_1", "type", "function", "function", "name",
                     "get_weather", "arguments", arguments);
}

typedef struct answering {
    reply *to;
    const fault *faults;
    bool ended;
} answering;

static void add(answering *self, json_t *event) {
    if (!self->ended && self->faults->error_in_stream &&
        reply_pieces(self->to) >= (size_t)self->faults->error_in_stream) {
        reply_add_json(self->to, json_pack("{s:s,s:s}", "id", "err-2", "message", "internal server error, simulated"));
        self->ended = true;
    }
    if (self->ended)
        json_decref(event);
    else
        reply_add_json(self->to, event);
}

static void add_word(const char *word, size_t size, void *ctx) {
    add(ctx, json_pack("{s:s,s:i,s:{s:{s:{s:s%}}}}", "type", "content-delta", "index", 0, "delta", "message", "content",
                       "text", word, size));
}

static void stream_call(answering *self) {
    static const char *const pieces[] = {"{\"loc", "ation\":", "\"Paris\"}"};
    add(self, json_pack("{s:s,s:{s:{s:s}}}", "type", "tool-plan-delta", "delta", "message", "tool_plan", PLAN));
    add(self, json_pack("{s:s,s:i,s:{s:{s:o}}}", "type", "tool-call-start", "index", 0, "delta", "message",
                        "tool_calls", tool_call("")));
    for (size_t i = 0; i < 3; i++)
        add(self, json_pack("{s:s,s:i,s:{s:{s:{s:{s:s}}}}}", "type", "tool-call-delta", "index", 0, "delta", "message",
                            "tool_calls", "function", "arguments", pieces[i]));
    add(self, json_pack("{s:s,s:i}", "type", "tool-call-end", "index", 0));
}

static reply *chat(const exchange *with) {
    const json_t *messages = json_object_get(with->body, "messages");
    const char *asked =
        content_text(json_object_get(json_array_get(messages, json_array_size(messages) - 1), "content"));
    const char *stranger = stranger_in(with->body);
    if (stranger) return error(422, "unknown field in the request", NULL, stranger, with->faults);
    if (!json_array_size(messages))
        return error(400, "invalid request: messages must not be empty", NULL, NULL, with->faults);
    bool stream = json_is_true(json_object_get(with->body, "stream")), cached = strstr(asked, "cached");
    bool tool = json_array_size(json_object_get(with->body, "tools")) && route_wants_tool(asked);
    long prompt = 0;
    for (size_t i = 0; i < json_array_size(messages); i++)
        prompt += 3 + route_words(content_text(json_object_get(json_array_get(messages, i), "content")));
    char *text = route_answer(with, asked);
    json_t *counts = with->faults->no_usage ? NULL : usage(prompt, route_words(text), cached);
    const char *reason = tool ? "TOOL_CALL" : "COMPLETE";
    answering self = {.to = reply_new(200, stream, with->faults), .faults = with->faults};
    if (stream) {
        if (with->faults->garbage) reply_add_event(self.to, "{\"type\": garbage");
        add(&self, json_pack("{s:s,s:s,s:{s:{s:s}}}", "type", "message-start", "id", "co-1", "delta", "message", "role",
                             "assistant"));
        if (tool)
            stream_call(&self);
        else
            route_each_word(text, add_word, &self);
        add(&self,
            json_pack("{s:s,s:{s:s,s:o?}}", "type", "message-end", "delta", "finish_reason", reason, "usage", counts));
    } else {
        json_t *message =
            tool ? json_pack("{s:s,s:s,s:[o]}", "role", "assistant", "tool_plan", PLAN, "tool_calls",
                             tool_call("{\"location\":\"Paris\"}"))
                 : json_pack("{s:s,s:[{s:s,s:s}]}", "role", "assistant", "content", "type", "text", "text", text);
        reply_add_json(self.to, json_pack("{s:s,s:s,s:o,s:o?}", "id", "co-1", "finish_reason", reason, "message",
                                          message, "usage", counts));
    }
    free(text);
    return self.to;
}

static reply *embed(const exchange *with) {
    const json_t *texts = json_object_get(with->body, "texts");
    if (!*text_of(with->body, "input_type") || !json_array_size(texts))
        return error(400, "invalid request: texts and input_type are needed", NULL, NULL, with->faults);
    json_t *vectors = json_array();
    long words = 0;
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const char *text = json_string_value(json_array_get(texts, i));
        words += route_words(text ? text : "");
        json_array_append_new(vectors, route_vector(text ? text : ""));
    }
    reply *self = reply_new(200, false, with->faults);
    reply_add_json(self, json_pack("{s:s,s:{s:o},s:{s:{s:I}}}", "id", "co-2", "embeddings", "float", vectors, "meta",
                                   "billed_units", "input_tokens", (json_int_t)words));
    return self;
}

const route cohere_routes[] = {
    {"/v2/chat", "", "Authorization", chat, error},
    {"/v2/embed", "", "Authorization", embed, error},
    {0},
};
