/* OpenAI's operations as Azure has them: filter results in every reply, a first chunk without choices, the base model's name for an answer. */
#include "tests/provider/azure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* What every deployment is of. */
#define BASE_MODEL "gpt-4o-2024-11-20"

/* ---- errors ---- */

static reply *azure_error(unsigned status, const char *message, const char *type, const char *code,
                          const fault *faults) {
    char number[16];
    (void)type;
    snprintf(number, sizeof number, "%u", status);
    reply *self = reply_new(status, false, faults);
    if (self)
        reply_add_json(self, json_pack("{s:{s:s,s:s}}", "error", "code", code ? code : number, "message", message));
    return self;
}

static reply *filtered(const fault *faults) {
    reply *self = reply_new(400, false, faults);
    if (self)
        reply_add_json(
            self, json_pack("{s:{s:s,s:n,s:s,s:s,s:i,s:{s:s,s:{s:{s:b,s:s}}}}}", "error", "message",
                            "The response was filtered due to the prompt triggering Azure OpenAI's content management "
                            "policy. Please modify your prompt and retry.",
                            "type", "param", "prompt", "code", "content_filter", "status", 400, "innererror", "code",
                            "ResponsibleAIPolicyViolation", "content_filter_result", "violence", "filtered", 1,
                            "severity", "high"));
    return self;
}

static bool is_dated(const exchange *with) { return !strncmp(with->path, "/openai/deployments/", 20); }

static const char *argument(const exchange *with, const char *name) {
    return MHD_lookup_connection_value(with->connection, MHD_GET_ARGUMENT_KIND, name);
}

static reply *refusal(const exchange *with) {
    const char *key = MHD_lookup_connection_value(with->connection, MHD_HEADER_KIND, "api-key"),
               *bearer = MHD_lookup_connection_value(with->connection, MHD_HEADER_KIND, "Authorization"),
               *version = argument(with, "api-version"),
               *model = json_string_value(json_object_get(with->body, "model"));
    if (!(key && *key) && !(bearer && !strncmp(bearer, "Bearer ", 7) && bearer[7]))
        return azure_error(401, "Access denied due to invalid subscription key or wrong API endpoint.", NULL, "401",
                           with->faults);
    if (is_dated(with) && (!version || strlen(version) < 10 || version[4] != '-'))
        return azure_error(404, "Resource not found", NULL, "404", with->faults);
    if (!is_dated(with) && version && strcmp(version, "preview"))
        return azure_error(400, "API version not supported", NULL, "BadRequest", with->faults);
    if ((!is_dated(with) && !model) || strstr(is_dated(with) ? with->path : model, "does-not-exist"))
        return azure_error(404, "The API deployment for this resource does not exist.", NULL, "DeploymentNotFound",
                           with->faults);
    return NULL;
}

/* ---- chat ---- */

static const char *last_text(const json_t *messages) {
    const json_t *content = json_object_get(json_array_get(messages, json_array_size(messages) - 1), "content");
    if (json_is_array(content)) content = json_object_get(json_array_get(content, 0), "text");
    const char *text = json_string_value(content);
    return text ? text : "";
}

static json_t *usage(const json_t *messages, const char *text) {
    long prompt = 0, completion = route_words(text);
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const char *said = json_string_value(json_object_get(json_array_get(messages, i), "content"));
        prompt += 3 + (said ? route_words(said) : 10);
    }
    return json_pack("{s:I,s:I,s:I,s:{s:i,s:i},s:{s:i}}", "prompt_tokens", (json_int_t)prompt, "completion_tokens",
                     (json_int_t)completion, "total_tokens", (json_int_t)(prompt + completion), "prompt_tokens_details",
                     "cached_tokens", strcasestr(last_text(messages), "cached") ? 2 : 0, "audio_tokens", 0,
                     "completion_tokens_details", "reasoning_tokens", 0);
}

static json_t *severities(void) { return json_pack("{s:{s:b,s:s}}", "hate", "filtered", 0, "severity", "safe"); }

static json_t *prompt_filter(void) {
    return json_pack("[{s:i,s:o}]", "prompt_index", 0, "content_filter_results", severities());
}

static json_t *tool_calls(const char *arguments) {
    return json_pack("[{s:i,s:s,s:s,s:{s:s,s:s}}]", "index", 0, "id", "call_1", "type", "function", "function", "name",
                     "get_weather", "arguments", arguments);
}

static json_t *envelope(const char *object) {
    return json_pack("{s:s,s:s,s:I,s:s,s:s}", "id", "chatcmpl-azure", "object", object, "created",
                     (json_int_t)time(NULL), "model", BASE_MODEL, "system_fingerprint", "fp_azure");
}

static reply *chat_whole(const exchange *with, const char *text, bool tool) {
    reply *self = reply_new(200, false, with->faults);
    if (!self) return NULL;
    json_t *message = tool ? json_pack("{s:s,s:n,s:o}", "role", "assistant", "content", "tool_calls",
                                       tool_calls("{\"location\":\"Paris\"}"))
                           : json_pack("{s:s,s:s,s:n}", "role", "assistant", "content", text, "refusal");
    json_t *body = envelope("chat.completion");
    json_object_set_new(body, "choices",
                        json_pack("[{s:i,s:o,s:s,s:o}]", "index", 0, "message", message, "finish_reason",
                                  tool ? "tool_calls" : "stop", "content_filter_results", severities()));
    json_object_set_new(body, "prompt_filter_results", prompt_filter());
    if (!with->faults->no_usage)
        json_object_set_new(body, "usage", usage(json_object_get(with->body, "messages"), text));
    reply_add_json(self, body);
    return self;
}

typedef struct streaming {
    reply *to;
    const fault *faults;
    bool ended; /* by a fault */
} streaming;

/* Takes over both; `more` are further members of the chunk, or NULL. */
static void add_chunk(streaming *self, json_t *choices, json_t *more) {
    json_t *chunk = envelope("chat.completion.chunk");
    json_object_set_new(chunk, "choices", choices);
    if (more) json_object_update(chunk, more);
    json_decref(more);
    int after = self->faults->error_in_stream;
    if (!self->ended && after && reply_pieces(self->to) >= (size_t)after) {
        reply_add_event(self->to, "{\"error\":{\"code\":\"server_error\",\"message\":\"The server had a simulated "
                                  "error\"}}");
        self->ended = true;
    }
    if (self->ended)
        json_decref(chunk);
    else
        reply_add_json(self->to, chunk);
}

static void add_delta(streaming *self, json_t *delta, const char *finish_reason) {
    add_chunk(self,
              json_pack("[{s:i,s:o,s:s?,s:o}]", "index", 0, "delta", delta, "finish_reason", finish_reason,
                        "content_filter_results", severities()),
              NULL);
}

static void add_word(const char *word, size_t size, void *ctx) {
    add_delta(ctx, json_pack("{s:s%}", "content", word, size), NULL);
}

static reply *chat_streamed(const exchange *with, const char *text, bool tool) {
    streaming self = {.to = reply_new(200, true, with->faults), .faults = with->faults};
    const json_t *options = json_object_get(with->body, "stream_options");
    if (!self.to) return NULL;
    if (with->faults->garbage) reply_add_event(self.to, "{\"choices\": [garbage");
    add_chunk(&self, json_array(),
              json_pack("{s:s,s:s,s:o}", "id", "", "model", "", "prompt_filter_results", prompt_filter()));
    add_delta(&self, json_pack("{s:s,s:s}", "role", "assistant", "content", ""), NULL);
    if (tool) {
        add_delta(&self, json_pack("{s:o}", "tool_calls", tool_calls("")), NULL);
        add_delta(&self,
                  json_pack("{s:[{s:i,s:{s:s}}]}", "tool_calls", "index", 0, "function", "arguments",
                            "{\"location\":\"Paris\"}"),
                  NULL);
    } else {
        route_each_word(text, add_word, &self);
    }
    add_delta(&self, json_object(), tool ? "tool_calls" : "stop");
    if (json_is_true(json_object_get(options, "include_usage")) && !with->faults->no_usage)
        add_chunk(&self, json_array(),
                  json_pack("{s:o}", "usage", usage(json_object_get(with->body, "messages"), text)));
    if (!with->faults->no_done && !self.ended) reply_add_event(self.to, "[DONE]");
    return self.to;
}

static reply *chat(const exchange *with) {
    const json_t *messages = json_object_get(with->body, "messages");
    const char *asked = last_text(messages);
    reply *refused = refusal(with);
    if (refused) return refused;
    if (!json_array_size(messages))
        return azure_error(400, "Missing required parameter: 'messages'.", NULL, "BadRequest", with->faults);
    if (strcasestr(asked, "forbidden")) return filtered(with->faults);
    bool tool = json_array_size(json_object_get(with->body, "tools")) && route_wants_tool(asked);
    char *text = route_answer(with, asked);
    reply *self = !text                                                 ? NULL
                  : json_is_true(json_object_get(with->body, "stream")) ? chat_streamed(with, text, tool)
                                                                        : chat_whole(with, text, tool);
    free(text);
    return self;
}

/* ---- the rest ---- */

static reply *embeddings(const exchange *with) {
    const json_t *input = json_object_get(with->body, "input");
    reply *refused = refusal(with);
    if (refused) return refused;
    if (!input) return azure_error(400, "Missing required parameter: 'input'.", NULL, "BadRequest", with->faults);
    reply *self = reply_new(200, false, with->faults);
    if (!self) return NULL;
    json_t *data = json_array();
    long tokens = 0;
    for (size_t i = 0; i < (json_is_array(input) ? json_array_size(input) : 1); i++) {
        const char *text = json_string_value(json_is_array(input) ? json_array_get(input, i) : input);
        tokens += text ? route_words(text) : 1;
        json_array_append_new(data, json_pack("{s:s,s:i,s:o}", "object", "embedding", "index", (int)i, "embedding",
                                              route_vector(text ? text : "")));
    }
    json_t *body = json_pack("{s:s,s:o,s:s}", "object", "list", "data", data, "model", "text-embedding-3-small");
    if (!with->faults->no_usage)
        json_object_set_new(
            body, "usage",
            json_pack("{s:I,s:I}", "prompt_tokens", (json_int_t)tokens, "total_tokens", (json_int_t)tokens));
    reply_add_json(self, body);
    return self;
}

const route azure_routes[] = {
    {"/openai/v1/chat/completions", "", NULL, chat, azure_error},
    {"/openai/v1/embeddings", "", NULL, embeddings, azure_error},
    {"/openai/deployments/", "/chat/completions", NULL, chat, azure_error},
    {"/openai/deployments/", "/embeddings", NULL, embeddings, azure_error},
    {0},
};
