/* Anthropic's Messages: whole and streamed, tools, thinking, the cache. It is as strict as the original: what is not a field of a request, an
 * empty text, a result without its call, a thought with a wrong signature are errors.
 */
#include "tests/provider/anthropic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_HEADER "anthropic-version"
#define THOUGHT "The user wants an answer."
#define SIGNATURE "c2lnbmVkLWJ5LXN0ZW5v"
#define CALL_ID "toolu_000001"
/* What is read from the cache where the last text says "cached". */
#define CACHED_TOKENS 2

static const char *const fields[] = {
    "model",         "max_tokens", "messages",       "system",       "temperature",
    "top_p",         "top_k",      "stream",         "tool_choice",  "tools",
    "thinking",      "metadata",   "stop_sequences", "service_tier", "cache_control",
    "output_config", "container",  "inference_geo",  "mcp_servers",  "context_management",
};

/* ---- what is asked ---- */

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static bool is_type(const json_t *block, const char *type) { return !strcmp(text_of(block, "type"), type); }

/* The text of a content, a string or blocks: the last block's that has one. */
static const char *content_text(const json_t *content) {
    const char *text = json_string_value(content);
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *block = json_array_get(content, i);
        if (is_type(block, "text")) text = text_of(block, "text");
        if (is_type(block, "tool_result")) text = content_text(json_object_get(block, "content"));
    }
    return text ? text : "";
}

static long content_words(const json_t *content) {
    long words = json_is_string(content) ? route_words(json_string_value(content)) : 0;
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *block = json_array_get(content, i);
        words += is_type(block, "image") || is_type(block, "document") ? 85 : route_words(text_of(block, "text"));
        words += content_words(json_object_get(block, "content"));
    }
    return words;
}

static const json_t *messages_of(const json_t *request) { return json_object_get(request, "messages"); }

static const char *last_text(const json_t *request) {
    const json_t *messages = messages_of(request);
    return content_text(json_object_get(json_array_get(messages, json_array_size(messages) - 1), "content"));
}

static long prompt_tokens(const json_t *request) {
    long tokens = content_words(json_object_get(request, "system"));
    for (size_t i = 0; i < json_array_size(messages_of(request)); i++)
        tokens += 3 + content_words(json_object_get(json_array_get(messages_of(request), i), "content"));
    return tokens;
}

static bool wants_thinking(const json_t *request) {
    const json_t *thinking = json_object_get(request, "thinking");
    return is_type(thinking, "enabled") || is_type(thinking, "adaptive");
}

static bool wants_tool(const json_t *request) {
    return json_array_size(json_object_get(request, "tools")) && route_wants_tool(last_text(request)) &&
           !is_type(json_object_get(request, "tool_choice"), "none");
}

/* ---- what is wrong with it ---- */

static bool is_field(const char *name) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!strcmp(name, fields[i])) return true;
    return false;
}

/* What is wrong with a block; NULL: nothing. *calls: ids of the calls so far. */
static const char *wrong_block(const json_t *block, bool of_user, json_t *calls) {
    const char *id = text_of(block, "tool_use_id");
    if (is_type(block, "text") && !*text_of(block, "text")) return "text content blocks must be non-empty";
    if (is_type(block, "thinking") && strcmp(text_of(block, "signature"), SIGNATURE))
        return "Invalid `signature` in `thinking` block";
    if (is_type(block, "tool_use") && (of_user || !json_is_object(json_object_get(block, "input"))))
        return "`tool_use` blocks need an `input` that is an object, and belong to the assistant";
    if (is_type(block, "tool_use")) json_object_set_new(calls, text_of(block, "id"), json_true());
    if (is_type(block, "tool_result") && !(of_user && json_object_get(calls, id)))
        return "each `tool_result` block must have a corresponding `tool_use` block in the previous message";
    return *text_of(block, "type") ? NULL : "content.type: Field required";
}

static const char *wrong_message(const json_t *message, json_t *calls) {
    const json_t *content = json_object_get(message, "content");
    bool of_user = !strcmp(text_of(message, "role"), "user");
    if (!of_user && strcmp(text_of(message, "role"), "assistant"))
        return "messages.role: Input should be 'user' or 'assistant'";
    if (json_is_string(content) ? !json_string_length(content) : !json_array_size(content))
        return "messages: all messages must have non-empty content";
    for (size_t i = 0; i < json_array_size(content); i++) {
        const char *wrong = wrong_block(json_array_get(content, i), of_user, calls);
        if (wrong) return wrong;
    }
    return NULL;
}

static const char *wrong_tools(const json_t *request) {
    const json_t *tools = json_object_get(request, "tools");
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *tool = json_array_get(tools, i);
        const char *type = text_of(json_object_get(tool, "input_schema"), "type");
        if (!json_object_get(tool, "type") && (strcmp(type, "object") || !*text_of(tool, "name")))
            return "tools.0.custom.input_schema.type: Field required";
    }
    return NULL;
}

/* What is wrong with a request, as Anthropic would say it; NULL: nothing. */
static const char *wrong(const json_t *request, char text[160]) {
    const json_t *max_tokens = json_object_get(request, "max_tokens");
    json_int_t budget = json_integer_value(json_object_get(json_object_get(request, "thinking"), "budget_tokens"));
    const char *name, *problem = NULL;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)request, name, value) {
        if (is_field(name)) continue;
        snprintf(text, 160, "%s: Extra inputs are not permitted", name);
        return text;
    }
    if (!json_is_integer(max_tokens)) return "max_tokens: Field required";
    if (json_integer_value(max_tokens) <= budget) return "`max_tokens` must be greater than `thinking.budget_tokens`.";
    if (!json_array_size(messages_of(request))) return "messages: at least one message is required";
    json_t *calls = json_object();
    for (size_t i = 0; !problem && i < json_array_size(messages_of(request)); i++)
        problem = wrong_message(json_array_get(messages_of(request), i), calls);
    json_decref(calls);
    return problem ? problem : wrong_tools(request);
}

/* ---- answers ---- */

/* An answer while it is given. */
typedef struct answering {
    const json_t *request;
    const fault *faults;
    reply *to;
    const char *text;
    int block;
    bool ended; /* by a fault */
} answering;

static json_t *usage(const json_t *request, long completion) {
    long cached = strstr(last_text(request), "cached") ? CACHED_TOKENS : 0;
    return json_pack("{s:I,s:I,s:I,s:{s:i,s:i},s:I,s:s}", "input_tokens", (json_int_t)(prompt_tokens(request) - cached),
                     "cache_read_input_tokens", (json_int_t)cached, "cache_creation_input_tokens", (json_int_t)0,
                     "cache_creation", "ephemeral_5m_input_tokens", 0, "ephemeral_1h_input_tokens", 0, "output_tokens",
                     (json_int_t)completion, "service_tier", "standard");
}

static long completion_tokens(const answering *self) {
    return route_words(self->text) + (wants_thinking(self->request) ? route_words(THOUGHT) : 0);
}

static json_t *envelope(const json_t *request) {
    static unsigned answers;
    char id[48];
    snprintf(id, sizeof id, "msg_%06u", __atomic_add_fetch(&answers, 1, __ATOMIC_RELAXED));
    return json_pack("{s:s,s:s,s:s,s:s,s:[],s:n,s:n}", "id", id, "type", "message", "role", "assistant", "model",
                     text_of(request, "model"), "content", "stop_reason", "stop_sequence");
}

static const char *tool_name(const json_t *request) {
    return text_of(json_array_get(json_object_get(request, "tools"), 0), "name");
}

static reply *whole(const answering *self) {
    json_t *body = envelope(self->request), *content = json_array();
    bool tool = wants_tool(self->request);
    if (wants_thinking(self->request))
        json_array_append_new(
            content, json_pack("{s:s,s:s,s:s}", "type", "thinking", "thinking", THOUGHT, "signature", SIGNATURE));
    json_array_append_new(content, tool ? json_pack("{s:s,s:s,s:s,s:{s:s}}", "type", "tool_use", "id", CALL_ID, "name",
                                                    tool_name(self->request), "input", "location", "Paris")
                                        : json_pack("{s:s,s:s}", "type", "text", "text", self->text));
    json_object_set_new(body, "content", content);
    json_object_set_new(body, "stop_reason", json_string(tool ? "tool_use" : "end_turn"));
    if (!self->faults->no_usage) json_object_set_new(body, "usage", usage(self->request, completion_tokens(self)));
    reply_add_json(self->to, body);
    return self->to;
}

/* Adds an event, whose name is its type, unless a fault ends the stream here. */
static void add(answering *self, const char *type, json_t *event) {
    if (self->ended) {
        json_decref(event);
        return;
    }
    if (self->faults->error_in_stream && reply_pieces(self->to) >= (size_t)self->faults->error_in_stream) {
        json_decref(event);
        self->ended = true;
        reply_add_named(self->to, "error",
                        json_pack("{s:s,s:{s:s,s:s,s:n}}", "type", "error", "error", "type", "overloaded_error",
                                  "message", "Overloaded", "details"));
        return;
    }
    json_object_set_new(event, "type", json_string(type));
    reply_add_named(self->to, type, event);
}

static void start_block(answering *self, json_t *block) {
    add(self, "content_block_start", json_pack("{s:i,s:o}", "index", self->block, "content_block", block));
}

static void add_delta(answering *self, const char *type, const char *name, const char *text, size_t size) {
    add(self, "content_block_delta",
        json_pack("{s:i,s:{s:s,s:s%}}", "index", self->block, "delta", "type", type, name, text, size));
}

static void stop_block(answering *self) {
    add(self, "content_block_stop", json_pack("{s:i}", "index", self->block));
    self->block++;
}

static void add_word(const char *word, size_t size, void *ctx) { add_delta(ctx, "text_delta", "text", word, size); }

static void add_thought(const char *word, size_t size, void *ctx) {
    add_delta(ctx, "thinking_delta", "thinking", word, size);
}

static void stream_text(answering *self) {
    start_block(self, json_pack("{s:s,s:s}", "type", "text", "text", ""));
    char *first = self->faults->chunk_bytes ? malloc((size_t)self->faults->chunk_bytes) : NULL;
    if (first) {
        memset(first, 'x', (size_t)self->faults->chunk_bytes);
        add_word(first, (size_t)self->faults->chunk_bytes, self);
        free(first);
    }
    route_each_word(self->text, add_word, self);
    stop_block(self);
}

static void stream_tool(answering *self) {
    static const char *const pieces[] = {"", "{\"loc", "ation\": ", "\"Paris\"}"};
    start_block(self, json_pack("{s:s,s:s,s:s,s:{}}", "type", "tool_use", "id", CALL_ID, "name",
                                tool_name(self->request), "input"));
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        add_delta(self, "input_json_delta", "partial_json", pieces[i], strlen(pieces[i]));
    stop_block(self);
}

static void stream_thinking(answering *self) {
    start_block(self, json_pack("{s:s,s:s,s:s}", "type", "thinking", "thinking", "", "signature", ""));
    route_each_word(THOUGHT, add_thought, self);
    add_delta(self, "signature_delta", "signature", SIGNATURE, strlen(SIGNATURE));
    stop_block(self);
}

static reply *streamed(answering *self) {
    bool tool = wants_tool(self->request);
    json_t *message = envelope(self->request),
           *end = json_pack("{s:{s:s,s:n}}", "delta", "stop_reason", tool ? "tool_use" : "end_turn", "stop_sequence");
    if (!self->faults->no_usage) {
        json_object_set_new(message, "usage", usage(self->request, 1));
        json_object_set_new(end, "usage", json_pack("{s:I}", "output_tokens", (json_int_t)completion_tokens(self)));
    }
    if (self->faults->garbage) reply_add_event(self->to, "{\"type\": garbage");
    add(self, "message_start", json_pack("{s:o}", "message", message));
    add(self, "ping", json_object());
    if (wants_thinking(self->request)) stream_thinking(self);
    if (tool)
        stream_tool(self);
    else
        stream_text(self);
    add(self, "message_delta", end);
    if (!self->faults->no_done) add(self, "message_stop", json_object());
    return self->to;
}

/* ---- errors and routes ---- */

static reply *error(unsigned status, const char *message, const char *type, const char *code, const fault *faults) {
    static const struct {
        unsigned status;
        const char *type;
    } types[] = {
        {401, "authentication_error"}, {402, "billing_error"},    {403, "permission_error"}, {404, "not_found_error"},
        {413, "request_too_large"},    {429, "rate_limit_error"}, {500, "api_error"},        {504, "timeout_error"},
        {529, "overloaded_error"}};
    (void)code;
    if (status >= 500) type = "api_error";
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].status == status) type = types[i].type;
    if (*faults->code) type = faults->code;
    reply *self = reply_new(status, false, faults);
    if (self)
        reply_add_json(self, json_pack("{s:s,s:{s:s?,s:s},s:s}", "type", "error", "error", "type", type, "message",
                                       message, "request_id", "req_steno"));
    return self;
}

static reply *messages(const exchange *with) {
    char text[160];
    const char *problem = wrong(with->body, text), *model = text_of(with->body, "model");
    if (!MHD_lookup_connection_value(with->connection, MHD_HEADER_KIND, VERSION_HEADER))
        problem = VERSION_HEADER ": header is required";
    if (problem) return error(400, problem, "invalid_request_error", NULL, with->faults);
    if (strstr(model, "does-not-exist")) return error(404, "model: does-not-exist", NULL, NULL, with->faults);
    if (strstr(last_text(with->body), "endless"))
        return error(400, "prompt is too long: 200001 tokens > 200000 maximum", "invalid_request_error", NULL,
                     with->faults);
    bool stream = json_is_true(json_object_get(with->body, "stream"));
    char *words = route_answer(with, last_text(with->body));
    answering self = {
        .request = with->body, .faults = with->faults, .text = words, .to = reply_new(200, stream, with->faults)};
    if (words && self.to) self.to = stream ? streamed(&self) : whole(&self);
    free(words);
    return self.to;
}

const route anthropic_routes[] = {
    {"/v1/messages", "", "x-api-key", messages, error},
    {0},
};
