/* OpenAI's Responses API: items in, items out, whole and streamed. What chat completions call otherwise is an error. */
#include "tests/provider/responses.h"

#include <stdlib.h>
#include <string.h>

#include "tests/provider/openai.h"

#define THOUGHT "The user wants an answer."

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* The text of an item: its parts', or a result's. */
static const char *item_text(const json_t *item) {
    const json_t *content = json_object_get(item, "content");
    const char *text = json_string_value(content);
    for (size_t i = 0; i < json_array_size(content); i++)
        if (*text_of(json_array_get(content, i), "text")) text = text_of(json_array_get(content, i), "text");
    return text ? text : text_of(item, "output");
}

static const char *wrong_in(const json_t *request) {
    static const char *const strangers[] = {
        "messages",        "max_tokens",     "max_completion_tokens", "stop", "n", "seed",
        "response_format", "stream_options", "reasoning_effort"};
    const json_t *tools = json_object_get(request, "tools");
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (json_object_get(request, strangers[i])) return strangers[i];
    for (size_t i = 0; i < json_array_size(tools); i++)
        if (json_object_get(json_array_get(tools, i), "function")) return "tools[].function";
    return json_object_get(request, "input") ? NULL : "input";
}

static json_t *usage(long input, long output, bool cached) {
    return json_pack("{s:I,s:{s:i},s:I,s:{s:i},s:I}", "input_tokens", (json_int_t)input, "input_tokens_details",
                     "cached_tokens", cached ? 2 : 0, "output_tokens", (json_int_t)output, "output_tokens_details",
                     "reasoning_tokens", 1, "total_tokens", (json_int_t)(input + output));
}

static json_t *reasoning_item(void) {
    return json_pack("{s:s,s:s,s:[{s:s,s:s}]}", "type", "reasoning", "id", "rs_1", "summary", "type", "summary_text",
                     "text", THOUGHT);
}

static json_t *call_item(const char *arguments) {
    return json_pack("{s:s,s:s,s:s,s:s,s:s}", "type", "function_call", "id", "fc_1", "call_id", "call_1", "name",
                     "get_weather", "arguments", arguments);
}

static json_t *message_item(const char *text) {
    return json_pack("{s:s,s:s,s:s,s:[{s:s,s:s,s:[]}]}", "type", "message", "id", "msg_1", "role", "assistant",
                     "content", "type", "output_text", "text", text, "annotations");
}

typedef struct answering {
    reply *to;
    const fault *faults;
    int number;
    bool ended;
} answering;

/* Takes over `event`. */
static void add(answering *self, const char *type, json_t *event) {
    if (!self->ended && self->faults->error_in_stream && self->number >= self->faults->error_in_stream) {
        reply_add_named(
            self->to, "error",
            json_pack("{s:s,s:s,s:s}", "type", "error", "code", "server_error", "message", "a simulated error"));
        self->ended = true;
    }
    if (self->ended) {
        json_decref(event);
        return;
    }
    json_object_set_new(event, "type", json_string(type));
    json_object_set_new(event, "sequence_number", json_integer(self->number++));
    reply_add_named(self->to, type, event);
}

static void add_word(const char *word, size_t size, void *ctx) {
    add(ctx, "response.output_text.delta",
        json_pack("{s:i,s:i,s:s%}", "output_index", 1, "content_index", 0, "delta", word, size));
}

static void stream_output(answering *self, bool tool, const char *text) {
    static const char *const pieces[] = {"{\"loc", "ation\":", "\"Paris\"}"};
    add(self, "response.output_item.added", json_pack("{s:i,s:{s:s}}", "output_index", 0, "item", "type", "reasoning"));
    add(self, "response.reasoning_summary_text.delta", json_pack("{s:i,s:s}", "output_index", 0, "delta", THOUGHT));
    add(self, "response.output_item.done", json_pack("{s:i,s:o}", "output_index", 0, "item", reasoning_item()));
    add(self, "response.output_item.added",
        json_pack("{s:i,s:o}", "output_index", 1, "item", tool ? call_item("") : message_item("")));
    for (size_t i = 0; tool && i < 3; i++)
        add(self, "response.function_call_arguments.delta",
            json_pack("{s:i,s:s}", "output_index", 1, "delta", pieces[i]));
    if (!tool) route_each_word(text, add_word, self);
}

static reply *answer(const exchange *with) {
    const json_t *input = json_object_get(with->body, "input");
    const char *wrong = wrong_in(with->body),
               *asked = json_is_string(input) ? json_string_value(input)
                                              : item_text(json_array_get(input, json_array_size(input) - 1));
    if (wrong) return openai_error(400, "Unknown or missing parameter.", "invalid_request_error", wrong, with->faults);
    bool stream = json_is_true(json_object_get(with->body, "stream"));
    bool tool = json_array_size(json_object_get(with->body, "tools")) && route_wants_tool(asked);
    long words = json_is_string(input) ? route_words(asked) : 0;
    for (size_t i = 0; i < json_array_size(input); i++) words += 3 + route_words(item_text(json_array_get(input, i)));
    char *text = route_answer(with, asked);
    json_t *counts = with->faults->no_usage ? NULL : usage(words, route_words(text) + 1, strstr(asked, "cached"));
    json_t *whole = json_pack("{s:s,s:s,s:s,s:O,s:[o,o],s:o?}", "id", "resp_1", "object", "response", "status",
                              "completed", "model", json_object_get(with->body, "model"), "output", reasoning_item(),
                              tool ? call_item("{\"location\":\"Paris\"}") : message_item(text), "usage", counts);
    answering self = {.to = reply_new(200, stream, with->faults), .faults = with->faults};
    if (stream) {
        if (with->faults->garbage) reply_add_event(self.to, "{\"type\": garbage");
        add(&self, "response.created",
            json_pack("{s:{s:s,s:s,s:O}}", "response", "id", "resp_1", "status", "in_progress", "model",
                      json_object_get(with->body, "model")));
        stream_output(&self, tool, text);
        add(&self, "response.completed", json_pack("{s:o}", "response", whole));
    } else {
        reply_add_json(self.to, whole);
    }
    free(text);
    return self.to;
}

const route responses_routes[] = {
    {"/v1/responses", "", "Authorization", answer, openai_error},
    {"/openai/v1/responses", "", "api-key", answer, openai_error},
    {0},
};
