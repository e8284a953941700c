/* Gemini's API: generateContent whole and streamed (with CRLF, as the original), functions, thinking, the cache, embeddings. Fields that are not
 * those of a request, functions without a name and calls without their signature are errors, as there.
 */
#include "tests/provider/gemini.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE "/v1beta/"
#define GENERATE ":generateContent"
#define STREAM ":streamGenerateContent"
#define EMBED ":batchEmbedContents"
#define THOUGHT "The user wants an answer."
#define SIGNATURE "c2lnbmVkLWJ5LXN0ZW5v"
#define NO_SIGNATURE "skip_thought_signature_validator"
#define CANDIDATES_MAX 8
/* What is read from the cache where the last text says "cached". */
#define CACHED_TOKENS 2

static const char *const fields[] = {
    "contents",      "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig",
    "cachedContent", "serviceTier",       "store", "labels",     "model",
};

/* ---- what is asked ---- */

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static long parts_words(const json_t *content) {
    const json_t *parts = json_object_get(content, "parts");
    long words = 0;
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i);
        bool media = json_object_get(part, "inlineData") || json_object_get(part, "fileData");
        words += media ? 258 : route_words(text_of(part, "text"));
    }
    return words;
}

static long prompt_tokens(const json_t *request) {
    const json_t *contents = json_object_get(request, "contents");
    long tokens = parts_words(json_object_get(request, "systemInstruction"));
    for (size_t i = 0; i < json_array_size(contents); i++) tokens += 3 + parts_words(json_array_get(contents, i));
    return tokens;
}

/* The last text of the last content: what the user said, or a function's result. */
static const char *last_text(const json_t *request) {
    const json_t *contents = json_object_get(request, "contents"),
                 *parts = json_object_get(json_array_get(contents, json_array_size(contents) - 1), "parts");
    const char *text = "";
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i), *response = json_object_get(part, "functionResponse");
        if (json_object_get(part, "text")) text = text_of(part, "text");
        if (response) text = text_of(json_object_get(response, "response"), "result");
    }
    return text;
}

static const json_t *config_of(const json_t *request) { return json_object_get(request, "generationConfig"); }

static bool wants_thoughts(const json_t *request) {
    return json_is_true(json_object_get(json_object_get(config_of(request), "thinkingConfig"), "includeThoughts"));
}

/* The first function that is declared; "" if there is none. */
static const char *function_of(const json_t *request) {
    const json_t *tools = json_object_get(request, "tools");
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *declared = json_object_get(json_array_get(tools, i), "functionDeclarations");
        if (json_array_size(declared)) return text_of(json_array_get(declared, 0), "name");
    }
    return "";
}

static bool wants_call(const json_t *request) {
    const json_t *calling = json_object_get(json_object_get(request, "toolConfig"), "functionCallingConfig");
    return *function_of(request) && route_wants_tool(last_text(request)) && strcmp(text_of(calling, "mode"), "NONE");
}

static size_t candidates_wanted(const json_t *request) {
    json_int_t count = json_integer_value(json_object_get(config_of(request), "candidateCount"));
    return count < 1 ? 1 : count > CANDIDATES_MAX ? CANDIDATES_MAX : (size_t)count;
}

/* ---- what is wrong with it ---- */

static const char *wrong_part(const json_t *part, bool of_model) {
    const json_t *call = json_object_get(part, "functionCall"), *response = json_object_get(part, "functionResponse");
    const char *signature = text_of(part, "thoughtSignature");
    if (json_object_size(part) == 0) return "contents.parts must not be empty.";
    if (call && (!of_model || !*text_of(call, "name") || !json_is_object(json_object_get(call, "args"))))
        return "A function call has a name and arguments, and comes from the model.";
    if (response && (of_model || !*text_of(response, "name") || !json_is_object(json_object_get(response, "response"))))
        return "GenerateContentRequest.contents.parts.function_response.name: Name cannot be empty.";
    if (*signature && strcmp(signature, SIGNATURE) && strcmp(signature, NO_SIGNATURE))
        return "Corrupted thought signature.";
    return NULL;
}

static const char *wrong_content(const json_t *content, bool signatures_needed) {
    const json_t *parts = json_object_get(content, "parts");
    bool of_model = !strcmp(text_of(content, "role"), "model"), first_call = true;
    if (!of_model && strcmp(text_of(content, "role"), "user")) return "Please use a valid role: user, model.";
    if (!json_array_size(parts)) return "contents.parts must not be empty.";
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i);
        const char *problem = wrong_part(part, of_model);
        if (problem) return problem;
        bool call = json_object_get(part, "functionCall");
        if (call && first_call && signatures_needed && !*text_of(part, "thoughtSignature"))
            return "Function call is missing a thought_signature in functionCall parts.";
        first_call = first_call && !call;
    }
    return NULL;
}

static bool is_field(const char *name) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!strcmp(name, fields[i])) return true;
    return false;
}

/* What is wrong with a request, as Google would say it; NULL: nothing. */
static const char *wrong(const json_t *request, const char *model, char text[160]) {
    const json_t *contents = json_object_get(request, "contents");
    const json_t *thinking = json_object_get(config_of(request), "thinkingConfig");
    const char *name, *problem = NULL;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)request, name, value) {
        if (is_field(name)) continue;
        snprintf(text, 160, "Invalid JSON payload received. Unknown name \"%s\": Cannot find field.", name);
        return text;
    }
    if (json_object_get(thinking, "thinkingBudget") && json_object_get(thinking, "thinkingLevel"))
        return "You can only set only one of thinking budget and thinking level.";
    if (!json_array_size(contents)) return "GenerateContentRequest.contents: contents is not specified";
    for (size_t i = 0; !problem && i < json_array_size(contents); i++)
        problem = wrong_content(json_array_get(contents, i), strstr(model, "gemini-3"));
    return problem;
}

/* ---- answers ---- */

/* An answer while it is given. */
typedef struct answering {
    const json_t *request;
    const fault *faults;
    reply *to;
    const char *text, *model;
    char id[32];
    long said; /* words so far */
    size_t candidate;
    bool ended; /* by a fault */
} answering;

static json_t *usage(const answering *self, long completion) {
    long prompt = prompt_tokens(self->request), thoughts = wants_thoughts(self->request) ? route_words(THOUGHT) : 0;
    json_t *json =
        json_pack("{s:I,s:I,s:I,s:[{s:s,s:I}]}", "promptTokenCount", (json_int_t)prompt, "candidatesTokenCount",
                  (json_int_t)completion, "totalTokenCount", (json_int_t)(prompt + completion + thoughts),
                  "promptTokensDetails", "modality", "TEXT", "tokenCount", (json_int_t)prompt);
    if (thoughts) json_object_set_new(json, "thoughtsTokenCount", json_integer(thoughts));
    if (strstr(last_text(self->request), "cached"))
        json_object_set_new(json, "cachedContentTokenCount", json_integer(CACHED_TOKENS));
    return json;
}

static json_t *thought_part(const char *text, size_t size) {
    return json_pack("{s:s%,s:b}", "text", text, size, "thought", 1);
}

static json_t *call_part(const answering *self) {
    return json_pack("{s:{s:s,s:{s:s}},s:s}", "functionCall", "name", function_of(self->request), "args", "location",
                     "Paris", "thoughtSignature", SIGNATURE);
}

/* A reply, or a piece of one, with this part of this candidate; `finish_reason` may be NULL. */
static json_t *candidate_of(const answering *self, json_t *parts, const char *finish_reason) {
    json_t *candidate = json_pack("{s:{s:o,s:s}}", "content", "parts", parts, "role", "model");
    if (finish_reason) json_object_set_new(candidate, "finishReason", json_string(finish_reason));
    if (self->candidate) json_object_set_new(candidate, "index", json_integer((json_int_t)self->candidate));
    return candidate;
}

static json_t *envelope(const answering *self, json_t *candidates, long completion) {
    json_t *body =
        json_pack("{s:o,s:s,s:s}", "candidates", candidates, "modelVersion", self->model, "responseId", self->id);
    if (!self->faults->no_usage) json_object_set_new(body, "usageMetadata", usage(self, completion));
    return body;
}

static json_t *whole(answering *self) {
    json_t *candidates = json_array();
    size_t count = candidates_wanted(self->request);
    for (self->candidate = 0; self->candidate < count; self->candidate++) {
        json_t *parts = json_array();
        if (wants_thoughts(self->request)) json_array_append_new(parts, thought_part(THOUGHT, strlen(THOUGHT)));
        json_array_append_new(parts, wants_call(self->request)
                                         ? call_part(self)
                                         : json_pack("{s:s,s:s}", "text", self->text, "thoughtSignature", SIGNATURE));
        json_array_append_new(candidates, candidate_of(self, parts, "STOP"));
    }
    return envelope(self, candidates, route_words(self->text) * (long)count);
}

/* Adds a record with a part, which is taken over, unless a fault ends the stream here. */
static void add(answering *self, json_t *part, const char *finish_reason) {
    if (self->ended) {
        json_decref(part);
        return;
    }
    if (self->faults->error_in_stream && reply_pieces(self->to) >= (size_t)self->faults->error_in_stream) {
        json_decref(part);
        self->ended = true;
        reply_add_json(self->to,
                       json_pack("{s:{s:i,s:s,s:s}}", "error", "code", 503, "message",
                                 "The model is overloaded. Please try again later.", "status", "UNAVAILABLE"));
        return;
    }
    reply_add_json(self->to, envelope(self, json_pack("[o]", candidate_of(self, json_pack("[o]", part), finish_reason)),
                                      self->said));
}

static void add_thought(const char *word, size_t size, void *ctx) { add(ctx, thought_part(word, size), NULL); }

static void add_word(const char *word, size_t size, void *ctx) {
    answering *self = ctx;
    self->said++;
    add(self, json_pack("{s:s%}", "text", word, size), NULL);
}

static void stream_text(answering *self) {
    char *first = self->faults->chunk_bytes ? malloc((size_t)self->faults->chunk_bytes) : NULL;
    if (first) {
        memset(first, 'x', (size_t)self->faults->chunk_bytes);
        add(self, json_pack("{s:s%}", "text", first, (size_t)self->faults->chunk_bytes), NULL);
        free(first);
    }
    route_each_word(self->text, add_word, self);
    add(self, json_pack("{s:s,s:s}", "text", "", "thoughtSignature", SIGNATURE), self->faults->no_done ? NULL : "STOP");
}

static void stream_call(answering *self) {
    self->said += route_words(self->text);
    add(self, call_part(self), NULL);
    add(self, json_pack("{s:s}", "text", ""), self->faults->no_done ? NULL : "STOP");
}

static void stream(answering *self) {
    if (self->faults->garbage) reply_add_event(self->to, "{\"candidates\": [garbage");
    size_t count = candidates_wanted(self->request);
    for (self->candidate = 0; self->candidate < count; self->candidate++) {
        if (wants_thoughts(self->request)) route_each_word(THOUGHT, add_thought, self);
        if (wants_call(self->request))
            stream_call(self);
        else
            stream_text(self);
    }
}

/* ---- errors and routes ---- */

static reply *error(unsigned status, const char *message, const char *type, const char *code, const fault *faults) {
    static const struct {
        unsigned status;
        const char *name;
    } names[] = {{400, "INVALID_ARGUMENT"}, {401, "UNAUTHENTICATED"},    {403, "PERMISSION_DENIED"},
                 {404, "NOT_FOUND"},        {429, "RESOURCE_EXHAUSTED"}, {500, "INTERNAL"},
                 {503, "UNAVAILABLE"},      {504, "DEADLINE_EXCEEDED"}};
    const char *name = "UNKNOWN";
    (void)type;
    (void)code;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].status == status) name = names[i].name;
    if (*faults->code) name = faults->code;
    reply *self = reply_new(status, false, faults);
    if (self)
        reply_add_json(
            self, json_pack("{s:{s:i,s:s,s:s}}", "error", "code", (int)status, "message", message, "status", name));
    return self;
}

static bool ends_in(const char *path, const char *end) {
    size_t length = strlen(path), size = strlen(end);
    return length >= size && !strcmp(path + length - size, end);
}

/* The model in a path: "/v1beta/models/gemini-2.5-flash:generateContent". */
static void read_model(const char *path, char out[128]) {
    path += strlen(BASE);
    const char *slash = strchr(path, '/');
    const char *name = slash ? slash + 1 : path, *colon = strrchr(name, ':');
    snprintf(out, 128, "%.*s", (int)(colon ? colon - name : 0), name);
}

/* Without alt=sse a stream is a list in one piece. */
static void answer_in(answering *self, bool by_stream, bool by_events) {
    if (by_stream && by_events)
        stream(self);
    else
        reply_add_json(self->to, by_stream ? json_pack("[o]", whole(self)) : whole(self));
}

static reply *generate(const exchange *with) {
    static unsigned answers;
    char text[160], model[128];
    read_model(with->path, model);
    const char *asked = last_text(with->body), *problem = wrong(with->body, model, text);
    bool by_stream = ends_in(with->path, STREAM);
    const char *alt = MHD_lookup_connection_value(with->connection, MHD_GET_ARGUMENT_KIND, "alt");
    bool by_events = by_stream && alt && !strcmp(alt, "sse");
    if (problem) return error(400, problem, NULL, NULL, with->faults);
    if (strstr(model, "does-not-exist"))
        return error(404, "models/does-not-exist is not found.", NULL, NULL, with->faults);
    if (strstr(asked, "endless"))
        return error(400, "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).",
                     NULL, NULL, with->faults);
    fault faults = *with->faults;
    faults.crlf |= by_events;
    char *words = route_answer(with, asked);
    answering self = {.request = with->body,
                      .faults = with->faults,
                      .text = words,
                      .model = model,
                      .to = reply_new(200, by_events, &faults)};
    snprintf(self.id, sizeof self.id, "steno-%06u", __atomic_add_fetch(&answers, 1, __ATOMIC_RELAXED));
    if (self.to && strstr(asked, "forbidden"))
        reply_add_json(self.to, json_pack("{s:{s:s},s:o}", "promptFeedback", "blockReason", "PROHIBITED_CONTENT",
                                          "usageMetadata", usage(&self, 0)));
    else if (words && self.to)
        answer_in(&self, by_stream, by_events);
    free(words);
    return self.to;
}

static reply *embed(const exchange *with) {
    const json_t *requests = json_object_get(with->body, "requests");
    json_t *embeddings = json_array();
    char model[128], asked[160];
    long tokens = 0;
    read_model(with->path, model);
    snprintf(asked, sizeof asked, "models/%s", model);
    for (size_t i = 0; i < json_array_size(requests); i++) {
        const json_t *request = json_array_get(requests, i), *content = json_object_get(request, "content");
        const char *text = text_of(json_array_get(json_object_get(content, "parts"), 0), "text");
        if (strcmp(text_of(request, "model"), asked)) {
            json_decref(embeddings);
            return error(400, "BatchEmbedContentsRequest.requests.model must match the model of the batch.", NULL, NULL,
                         with->faults);
        }
        json_t *vector = route_vector(text);
        json_int_t dimensions = json_integer_value(json_object_get(request, "outputDimensionality"));
        while (dimensions > 0 && json_array_size(vector) > (size_t)dimensions)
            json_array_remove(vector, json_array_size(vector) - 1);
        tokens += route_words(text);
        json_array_append_new(embeddings, json_pack("{s:o}", "values", vector));
    }
    reply *self = reply_new(200, false, with->faults);
    json_t *body = json_pack("{s:o}", "embeddings", embeddings);
    if (!with->faults->no_usage)
        json_object_set_new(body, "usageMetadata", json_pack("{s:I}", "promptTokenCount", (json_int_t)tokens));
    if (self) reply_add_json(self, body);
    return self;
}

const route gemini_routes[] = {
    {BASE, GENERATE, "x-goog-api-key", generate, error},
    {BASE, STREAM, "x-goog-api-key", generate, error},
    {BASE, EMBED, "x-goog-api-key", embed, error},
    {0},
};
