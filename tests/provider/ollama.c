/* Ollama: chat, generate and embed; streams lines of JSON unless told not to. Strict where the original is: arguments are objects, results have a tool's
 * name, sampling stands in `options`.
 */
#include "tests/provider/ollama.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THOUGHT "The user wants an answer."

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static reply *error(unsigned status, const char *message, const char *type, const char *code, const fault *faults) {
    reply *self = reply_new(status, false, faults);
    char text[256];
    (void)type;
    snprintf(text, sizeof text, "%s%s%s", message, code ? " " : "", code ? code : "");
    if (self) reply_add_json(self, json_pack("{s:s}", "error", text));
    return self;
}

/* NULL: it is as it must be. */
static const char *wrong_in(const json_t *request) {
    static const char *const strangers[] = {"max_tokens", "temperature",    "top_p",          "stop",
                                            "seed",       "stream_options", "response_format"};
    const json_t *messages = json_object_get(request, "messages");
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (json_object_get(request, strangers[i])) return "a parameter that belongs into options";
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i), *calls = json_object_get(message, "tool_calls");
        if (!json_is_string(json_object_get(message, "content"))) return "content must be a string";
        if (!strcmp(text_of(message, "role"), "tool") && !*text_of(message, "tool_name"))
            return "a result needs tool_name";
        for (size_t k = 0; k < json_array_size(calls); k++)
            if (!json_is_object(json_object_get(json_object_get(json_array_get(calls, k), "function"), "arguments")))
                return "arguments must be an object";
    }
    return NULL;
}

static long prompt_words(const json_t *messages) {
    long words = 0;
    for (size_t i = 0; i < json_array_size(messages); i++)
        words += 3 + route_words(text_of(json_array_get(messages, i), "content"));
    return words;
}

static void add_counts(json_t *last, long prompt, long completion, const fault *faults) {
    json_object_set_new(last, "done", json_true());
    json_object_set_new(last, "done_reason", json_string("stop"));
    json_object_set_new(last, "total_duration", json_integer(1234567));
    if (faults->no_usage) return;
    json_object_set_new(last, "prompt_eval_count", json_integer(prompt));
    json_object_set_new(last, "eval_count", json_integer(completion));
    json_object_set_new(last, "eval_duration", json_integer(1000000));
}

typedef struct answering {
    reply *to;
    const json_t *request;
    const fault *faults;
    bool chat, ended;
} answering;

/* Takes over `message`; NULL in a text completion, which has `text`. */
static json_t *line_of(const answering *self, json_t *message, const char *text) {
    json_t *line = json_pack("{s:O,s:s,s:b}", "model", json_object_get(self->request, "model"), "created_at",
                             "2026-11-01T00:00:00Z", "done", 0);
    if (message)
        json_object_set_new(line, "message", message);
    else
        json_object_set_new(line, "response", json_string(text));
    return line;
}

static void add_line(answering *self, json_t *line) {
    const fault *faults = self->faults;
    if (!self->ended && faults->error_in_stream && reply_pieces(self->to) >= (size_t)faults->error_in_stream) {
        reply_add_line(self->to, json_pack("{s:s}", "error", "llama runner had a simulated error"));
        self->ended = true;
    }
    if (self->ended)
        json_decref(line);
    else
        reply_add_line(self->to, line);
}

static void add_word(const char *word, size_t size, void *ctx) {
    answering *self = ctx;
    char *text = strndup(word, size);
    json_t *message = self->chat ? json_pack("{s:s,s:s}", "role", "assistant", "content", text) : NULL;
    add_line(self, line_of(self, message, text));
    free(text);
}

static json_t *tool_message(void) {
    return json_pack("{s:s,s:s,s:[{s:{s:s,s:{s:s}}}]}", "role", "assistant", "content", "", "tool_calls", "function",
                     "name", "get_weather", "arguments", "location", "Paris");
}

static reply *answer(const exchange *with, bool chat, const char *asked, long prompt) {
    const json_t *stream = json_object_get(with->body, "stream");
    bool streams = !json_is_false(stream),
         tool = json_array_size(json_object_get(with->body, "tools")) && route_wants_tool(asked);
    answering self = {
        .to = reply_new(200, streams, with->faults), .request = with->body, .faults = with->faults, .chat = chat};
    char *text = route_answer(with, asked);
    json_t *last;
    if (streams) {
        reply_set_type(self.to, "application/x-ndjson");
        if (with->faults->garbage) reply_add(self.to, strdup("{\"model\": garbage\n"));
        if (json_object_get(with->body, "think") && !json_is_false(json_object_get(with->body, "think")))
            add_line(&self,
                     line_of(&self, json_pack("{s:s,s:s,s:s}", "role", "assistant", "content", "", "thinking", THOUGHT),
                             NULL));
        if (tool)
            add_line(&self, line_of(&self, tool_message(), NULL));
        else
            route_each_word(text, add_word, &self);
        last = line_of(&self, chat ? json_pack("{s:s,s:s}", "role", "assistant", "content", "") : NULL, "");
    } else {
        json_t *message = tool ? tool_message() : json_pack("{s:s,s:s}", "role", "assistant", "content", text);
        last = line_of(&self, chat ? message : NULL, text);
        if (!chat) json_decref(message);
    }
    add_counts(last, prompt, route_words(text), with->faults);
    if (streams)
        add_line(&self, last);
    else
        reply_add_json(self.to, last);
    free(text);
    return self.to;
}

static reply *chat(const exchange *with) {
    const json_t *messages = json_object_get(with->body, "messages");
    const char *wrong = wrong_in(with->body);
    if (wrong) return error(400, wrong, NULL, NULL, with->faults);
    if (strstr(text_of(with->body, "model"), "does-not-exist"))
        return error(404, "model not found, try pulling it first", NULL, NULL, with->faults);
    return answer(with, true, text_of(json_array_get(messages, json_array_size(messages) - 1), "content"),
                  prompt_words(messages));
}

static reply *generate(const exchange *with) {
    const char *prompt = text_of(with->body, "prompt");
    return answer(with, false, prompt, route_words(prompt));
}

static reply *embed(const exchange *with) {
    const json_t *input = json_object_get(with->body, "input");
    json_t *vectors = json_array();
    long words = 0;
    for (size_t i = 0; i < (json_is_array(input) ? json_array_size(input) : 1); i++) {
        const char *text = json_string_value(json_is_array(input) ? json_array_get(input, i) : input);
        words += route_words(text ? text : "");
        json_array_append_new(vectors, route_vector(text ? text : ""));
    }
    reply *self = reply_new(200, false, with->faults);
    reply_add_json(self, json_pack("{s:O,s:o,s:I}", "model", json_object_get(with->body, "model"), "embeddings",
                                   vectors, "prompt_eval_count", (json_int_t)words));
    return self;
}

const route ollama_routes[] = {
    {"/api/chat", "", NULL, chat, error},
    {"/api/generate", "", NULL, generate, error},
    {"/api/embed", "", NULL, embed, error},
    {0},
};
