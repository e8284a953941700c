/* Gemini's generateContent. A message is a content of parts, an answer a candidate of such a content; function calls have names and no ids.
 * Source: ai.google.dev, "Generating content" and "Function calling", v1beta.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/failure.h"
#include "client/providers/content.h"
#include "client/providers/params.h"
#include "client/providers/percent.h"
#include "client/usage.h"

static const char *text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static bool ends_in(const char *text, const char *end) {
    size_t size = strlen(text), length = strlen(end);
    return size >= length && !strcmp(text + size - length, end);
}

/* "models/…" and "tunedModels/…" are names of the API's own; a bare one is a model's. */
static bool path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]) {
    char model[WIRE_PATH_BYTES / 2];
    const char *name = ask->model, *folder = "models";
    if (!strncmp(name, "models/", 7)) name += 7;
    if (!strncmp(name, "tunedModels/", 12)) name += 12, folder = "tunedModels";
    const char *verb = ask->kind == CALL_EMBEDDING ? "batchEmbedContents"
                       : ask->stream               ? "streamGenerateContent?alt=sse"
                                                   : "generateContent";
    const char *version = ends_in(base, "/v1beta") || ends_in(base, "/v1") ? "" : "/v1beta";
    if (!percent_encode(name, model, sizeof model)) return false;
    return snprintf(out, WIRE_PATH_BYTES, "%s/%s/%s:%s", version, folder, model, verb) < WIRE_PATH_BYTES;
}

/* ---- messages ---- */

static json_t *text_part(const char *text) {
    json_t *part = json_object();
    json_object_set_new(part, "text", json_string_nocheck(text));
    return part;
}

/* The type of what is at an address, by its end; the API wants to be told. */
static const char *mime_of(const char *url) {
    static const char *const ends[][2] = {{".png", "image/png"},   {".webp", "image/webp"},     {".gif", "image/gif"},
                                          {".heic", "image/heic"}, {".pdf", "application/pdf"}, {".mp4", "video/mp4"},
                                          {".mp3", "audio/mpeg"},  {".wav", "audio/wav"}};
    size_t size = strcspn(url, "?#");
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t length = strlen(ends[i][0]);
        if (size >= length && !strncasecmp(url + size - length, ends[i][0], length)) return ends[i][1];
    }
    return "image/jpeg";
}

static json_t *media_part(const content_part *from) {
    json_t *part = json_object(), *media = json_object();
    json_object_set_new(media, "mimeType",
                        from->url ? json_string(mime_of(from->url))
                                  : json_stringn_nocheck(from->mime, from->mime_size));
    json_object_set_new(media, from->url ? "fileUri" : "data", json_string_nocheck(from->url ? from->url : from->data));
    json_object_set_new(part, from->url ? "fileData" : "inlineData", media);
    return part;
}

static steno_status add_content(const wire_ask *ask, const json_t *content, json_t *parts, steno_error *error) {
    for (size_t i = 0; i < content_count(content); i++) {
        content_part part;
        steno_status status = content_part_at(content, i, &part, error);
        if (status) return status;
        if (part.kind == PART_TEXT)
            json_array_append_new(parts, text_part(part.text));
        else if (part.kind != PART_OTHER)
            json_array_append_new(parts, media_part(&part));
        else if (!ask->drop)
            return steno_fail(error, STENO_INVALID, "%s has no part of type %s", ask->model,
                              text_of(part.json, "type"));
    }
    return STENO_OK;
}

static void add_tool_calls(const json_t *message, json_t *parts) {
    const json_t *calls = json_object_get(message, "tool_calls");
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *one = json_array_get(calls, i);
        json_t *part = json_object(), *call = json_object(), *signature = json_object_get(one, "thought_signature");
        json_object_set(call, "name", json_object_get(json_object_get(one, "function"), "name"));
        json_object_set_new(call, "args", content_arguments(one));
        json_object_set_new(part, "functionCall", call);
        if (signature) json_object_set(part, "thoughtSignature", signature);
        json_array_append_new(parts, part);
    }
}

/* The name of the function that the call with this id was of: earlier messages say it. */
static json_t *name_of_call(const json_t *messages, const char *id) {
    for (size_t i = json_array_size(messages); id && i-- > 0;) {
        const json_t *calls = json_object_get(json_array_get(messages, i), "tool_calls");
        for (size_t k = 0; k < json_array_size(calls); k++) {
            const json_t *one = json_array_get(calls, k);
            const char *is = text_of(one, "id");
            if (is && !strcmp(is, id)) return json_object_get(json_object_get(one, "function"), "name");
        }
    }
    return NULL;
}

/* A result that is no JSON object is put into one. */
static json_t *result_object(const json_t *content) {
    json_t *text = content_text(content);
    json_t *parsed = json_loadb(json_string_value(text), json_string_length(text), JSON_ALLOW_NUL, NULL);
    if (json_is_object(parsed)) {
        json_decref(text);
        return parsed;
    }
    json_decref(parsed);
    json_t *object = json_object();
    json_object_set_new(object, "result", text);
    return object;
}

static steno_status add_tool_result(const json_t *messages, const json_t *message, json_t *parts, steno_error *error) {
    json_t *name = json_object_get(message, "name");
    if (!name) name = name_of_call(messages, text_of(message, "tool_call_id"));
    if (!name)
        return steno_fail(error, STENO_INVALID,
                          "a tool's result has tool_call_id \"%.64s\", which no earlier message asked for",
                          text_of(message, "tool_call_id") ? text_of(message, "tool_call_id") : "");
    json_t *part = json_object(), *response = json_object();
    json_object_set(response, "name", name);
    json_object_set_new(response, "response", result_object(json_object_get(message, "content")));
    json_object_set_new(part, "functionResponse", response);
    json_array_append_new(parts, part);
    return STENO_OK;
}

static json_t *parts_for(json_t *contents, const char *role) {
    json_t *last = json_array_get(contents, json_array_size(contents) - 1);
    if (last && !strcmp(text_of(last, "role"), role)) return json_object_get(last, "parts");
    json_t *content = json_object();
    json_object_set_new(content, "role", json_string(role));
    json_object_set_new(content, "parts", json_array());
    json_array_append_new(contents, content);
    return json_object_get(content, "parts");
}

static steno_status add_message(const wire_ask *ask, const json_t *messages, const json_t *message, json_t *system,
                                json_t *contents, steno_error *error) {
    const char *role = text_of(message, "role");
    const json_t *content = json_object_get(message, "content");
    if (!role) return steno_fail(error, STENO_INVALID, "a message has no `role`");
    if (!strcmp(role, "system") || !strcmp(role, "developer")) return add_content(ask, content, system, error);
    if (!strcmp(role, "tool")) return add_tool_result(messages, message, parts_for(contents, "user"), error);
    if (strcmp(role, "assistant")) return add_content(ask, content, parts_for(contents, "user"), error);
    json_t *parts = parts_for(contents, "model");
    size_t before = json_array_size(parts);
    steno_status status = add_content(ask, content, parts, error);
    const char *signature = text_of(json_array_get(json_object_get(message, "thinking_blocks"), 0), "signature");
    if (signature && json_array_size(parts) > before) /* of a text: on its last part, as it came */
        json_object_set_new(json_array_get(parts, json_array_size(parts) - 1), "thoughtSignature",
                            json_string_nocheck(signature));
    add_tool_calls(message, parts);
    return status;
}

static steno_status put_messages(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    json_t *system = json_array(), *contents = json_array();
    steno_status status = STENO_OK;
    for (size_t i = 0; !status && i < json_array_size(value); i++)
        status = add_message(ask, value, json_array_get(value, i), system, contents, error);
    if (json_array_size(system)) json_object_set_new(body, "systemInstruction", json_pack("{s:O}", "parts", system));
    json_object_set_new(body, "contents", contents);
    json_decref(system);
    return status;
}

/* ---- parameters ---- */

static steno_status put_tools(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    json_t *tools = json_array(), *functions = json_array();
    (void)ask;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *one = json_array_get(value, i), *function = json_object_get(one, "function");
        if (!function) { /* a tool of their own kind: {"googleSearch": {}} */
            json_array_append(tools, (json_t *)(uintptr_t)one);
            continue;
        }
        json_t *made = json_object();
        json_object_set(made, "name", json_object_get(function, "name"));
        if (json_object_get(function, "description"))
            json_object_set(made, "description", json_object_get(function, "description"));
        if (json_object_get(function, "parameters"))
            json_object_set(made, "parametersJsonSchema", json_object_get(function, "parameters"));
        json_array_append_new(functions, made);
    }
    if (json_array_size(functions))
        json_array_insert_new(tools, 0, json_pack("{s:O}", "functionDeclarations", functions));
    json_decref(functions);
    return params_put(body, "tools", tools, error);
}

static steno_status put_tool_choice(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    static const char *const modes[] = {"auto", "AUTO", "none", "NONE", "required", "ANY", NULL};
    const char *word = json_string_value(value), *name = text_of(json_object_get(value, "function"), "name");
    (void)ask;
    if (word)
        return params_put(body, "toolConfig.functionCallingConfig.mode",
                          json_string_nocheck(wire_finish_reason(word, modes)), error);
    if (!name) return steno_fail(error, STENO_INVALID, "tool_choice names no function");
    return params_put(body, "toolConfig.functionCallingConfig",
                      json_pack("{s:s,s:[s]}", "mode", "ANY", "allowedFunctionNames", name), error);
}

static steno_status put_format(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *type = text_of(value, "type");
    json_t *schema = json_object_get(json_object_get(value, "json_schema"), "schema");
    if (type && !strcmp(type, "text")) return STENO_OK;
    if (!type || (strcmp(type, "json_object") && strcmp(type, "json_schema")))
        return steno_fail(error, STENO_INVALID, "%s knows no response_format \"%s\"", ask->model, type ? type : "");
    steno_status status = params_put(body, "generationConfig.responseMimeType", json_string("application/json"), error);
    if (status || !schema) return status;
    return params_put(body, "generationConfig.responseJsonSchema", json_deep_copy(schema), error);
}

static steno_status put_stop(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    return params_put(body, "generationConfig.stopSequences", params_list(value), error);
}

/* Tokens to think with for each effort, as Google's own OpenAI-compatible endpoint has it. */
static steno_status put_effort(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    static const struct {
        const char *effort;
        int tokens;
    } budgets[] = {{"none", 0}, {"minimal", 1024}, {"low", 1024}, {"medium", 8192}, {"high", 24576}};
    const char *effort = json_string_value(value);
    for (size_t i = 0; effort && i < sizeof budgets / sizeof *budgets; i++)
        if (!strcmp(effort, budgets[i].effort))
            return params_put(
                body, "generationConfig.thinkingConfig",
                json_pack("{s:i,s:b}", "thinkingBudget", budgets[i].tokens, "includeThoughts", budgets[i].tokens > 0),
                error);
    return steno_fail(error, STENO_INVALID, "%s knows no reasoning_effort \"%s\"", ask->model, effort ? effort : "");
}

static const param_rule rules[] = {
    {"messages", NULL, put_messages},
    {"max_tokens", "generationConfig.maxOutputTokens", NULL},
    {"max_completion_tokens", "generationConfig.maxOutputTokens", NULL},
    {"temperature", "generationConfig.temperature", NULL},
    {"top_p", "generationConfig.topP", NULL},
    {"top_k", "generationConfig.topK", NULL},
    {"n", "generationConfig.candidateCount", NULL},
    {"seed", "generationConfig.seed", NULL},
    {"frequency_penalty", "generationConfig.frequencyPenalty", NULL},
    {"presence_penalty", "generationConfig.presencePenalty", NULL},
    {"logprobs", "generationConfig.responseLogprobs", NULL},
    {"top_logprobs", "generationConfig.logprobs", NULL},
    {"stop", NULL, put_stop},
    {"tools", NULL, put_tools},
    {"tool_choice", NULL, put_tool_choice},
    {"response_format", NULL, put_format},
    {"reasoning_effort", NULL, put_effort},
    {NULL, NULL, NULL},
};

static json_t *embedding_request(const wire_ask *ask, const json_t *text) {
    json_t *one = json_object(), *dimensions = json_object_get(ask->params, "dimensions");
    json_object_set_new(one, "model", json_sprintf("%s%s", strchr(ask->model, '/') ? "" : "models/", ask->model));
    json_object_set_new(one, "content", json_pack("{s:[{s:O}]}", "parts", "text", text));
    if (dimensions) json_object_set(one, "outputDimensionality", dimensions);
    return one;
}

static json_t *embedding_body(const wire_ask *ask, steno_error *error) {
    const json_t *input = json_object_get(ask->params, "input");
    json_t *list = params_list(input), *requests = json_array();
    bool texts = true;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *text = json_array_get(list, i);
        texts = texts && json_is_string(text);
        if (texts) json_array_append_new(requests, embedding_request(ask, text));
    }
    json_decref(list);
    if (texts) return json_pack("{s:o}", "requests", requests);
    json_decref(requests);
    steno_fail(error, STENO_INVALID, "%s embeds texts, not tokens", ask->model);
    return NULL;
}

static json_t *body(const wire_ask *ask, steno_error *error) {
    if (ask->kind == CALL_EMBEDDING) return embedding_body(ask, error);
    json_t *made = json_object();
    if (!params_map(ask, rules, made, error)) return made;
    json_decref(made);
    return NULL;
}

/* ---- replies ---- */

static const char *const reasons[] = {"STOP", "stop", "MAX_TOKENS", "length", "SAFETY", "content_filter", "RECITATION",
                                      "content_filter", "BLOCKLIST", "content_filter", "PROHIBITED_CONTENT",
                                      "content_filter", "SPII", "content_filter", "IMAGE_SAFETY", "content_filter",
                                      "LANGUAGE", "stop", "OTHER", "stop",
                                      /* what it wanted to call can't be read, so there is no call to make */
                                      "MALFORMED_FUNCTION_CALL", "stop", NULL};

static json_t *tool_call(const json_t *part, size_t number) {
    const json_t *from = json_object_get(part, "functionCall"), *args = json_object_get(from, "args");
    json_t *call = json_object(), *function = json_object(), *id = json_object_get(from, "id");
    char made[32];
    char *arguments = args ? json_dumps(args, JSON_COMPACT) : NULL;
    snprintf(made, sizeof made, "call_%zu", number);
    const char *name = text_of(from, "name");
    json_object_set_new(function, "name", json_string_nocheck(name ? name : ""));
    json_object_set_new(function, "arguments", json_string_nocheck(arguments ? arguments : "{}"));
    if (json_is_string(id))
        json_object_set(call, "id", id);
    else
        json_object_set_new(call, "id", json_string(made));
    json_object_set_new(call, "type", json_string("function"));
    json_object_set_new(call, "function", function);
    if (text_of(part, "thoughtSignature"))
        json_object_set(call, "thought_signature", json_object_get(part, "thoughtSignature"));
    free(arguments);
    return call;
}

static void append_text(json_t *to, const char *name, const char *text) {
    const char *before = text_of(to, name);
    json_object_set_new(to, name, json_sprintf("%s%s", before ? before : "", text));
}

static void append_to(json_t *to, const char *name, json_t *value) {
    json_t *list = json_object_get(to, name);
    if (!list) {
        list = json_array();
        json_object_set_new(to, name, list);
    }
    json_array_append_new(list, value);
}

/* What the parts of a candidate add to a message, or are as a delta. *calls counts the function calls so far. */
static void read_parts(const json_t *candidate, json_t *to, size_t *calls, bool delta) {
    const json_t *parts = json_object_get(json_object_get(candidate, "content"), "parts");
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i);
        const char *text = text_of(part, "text"), *signature = text_of(part, "thoughtSignature");
        if (json_object_get(part, "functionCall")) {
            json_t *call = tool_call(part, *calls);
            if (delta) json_object_set_new(call, "index", json_integer((json_int_t)*calls));
            append_to(to, "tool_calls", call);
            ++*calls;
            continue;
        }
        if (text)
            append_text(to, json_is_true(json_object_get(part, "thought")) ? "reasoning_content" : "content", text);
        if (signature)
            append_to(to, "thinking_blocks",
                      json_pack("{s:i,s:s,s:s}", "index", 0, "type", "thinking", "signature", signature));
    }
}

static const char *reason_of(const json_t *candidate, size_t calls) {
    const char *reason = wire_finish_reason(text_of(candidate, "finishReason"), reasons);
    return reason && calls && !strcmp(reason, "stop") ? "tool_calls" : reason;
}

/* The prompt itself was refused. */
static bool is_blocked(const json_t *native, steno_error *error) {
    const char *reason = text_of(json_object_get(native, "promptFeedback"), "blockReason");
    if (!reason || json_array_size(json_object_get(native, "candidates"))) return false;
    failure_set(error, "ContentPolicy", 200, false, "the provider blocked the prompt: %s", reason);
    return true;
}

static json_t *read_embeddings(const wire_ask *ask, const json_t *native, steno_error *error) {
    const json_t *embeddings = json_object_get(native, "embeddings");
    if (!json_is_array(embeddings)) {
        steno_fail(error, STENO_CORRUPT, "it is JSON, but has no `embeddings`");
        return NULL;
    }
    json_t *vectors = json_array();
    for (size_t i = 0; i < json_array_size(embeddings); i++)
        json_array_append(vectors, json_object_get(json_array_get(embeddings, i), "values"));
    return wire_embeddings(ask->model, vectors);
}

static json_t *read_candidate(const json_t *candidate, size_t place) {
    json_t *message = json_pack("{s:s,s:n}", "role", "assistant", "content"), *choice = json_object();
    const json_t *index = json_object_get(candidate, "index");
    size_t calls = 0;
    read_parts(candidate, message, &calls, false);
    json_t *blocks = json_object_get(message, "thinking_blocks");
    for (size_t i = 0; i < json_array_size(blocks); i++) json_object_del(json_array_get(blocks, i), "index");
    const char *reason = reason_of(candidate, calls);
    json_object_set_new(choice, "index",
                        json_integer(json_is_integer(index) ? json_integer_value(index) : (json_int_t)place));
    json_object_set_new(choice, "message", message);
    json_object_set_new(choice, "finish_reason", reason ? json_string_nocheck(reason) : json_null());
    return choice;
}

static json_t *reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error) {
    const json_t *candidates = json_object_get(native, "candidates");
    *usage = json_object_get(native, "usageMetadata");
    if (ask->kind == CALL_EMBEDDING) return read_embeddings(ask, native, error);
    if (is_blocked(native, error)) return NULL;
    if (!json_is_array(candidates)) {
        steno_fail(error, STENO_CORRUPT, "it is JSON, but has no `candidates`");
        return NULL;
    }
    const char *model = text_of(native, "modelVersion");
    json_t *response = wire_response(text_of(native, "responseId"), model ? model : ask->model, NULL, NULL),
           *choices = json_array();
    for (size_t i = 0; i < json_array_size(candidates); i++)
        json_array_append_new(choices, read_candidate(json_array_get(candidates, i), i));
    json_object_set_new(response, "choices", choices);
    return response;
}

/* ---- streams ---- */

static steno_status record(wire_stream *self, const char *name, const json_t *native, steno_error *error) {
    const json_t *candidates = json_object_get(native, "candidates");
    json_t *usage = json_object_get(native, "usageMetadata");
    (void)name;
    if (!json_is_object(native)) return steno_fail(error, STENO_CORRUPT, "it is no JSON object");
    if (json_object_get(native, "error")) {
        failure_from_reply(error, 200, native, NULL);
        return STENO_FAILED;
    }
    if (is_blocked(native, error)) return STENO_FAILED;
    wire_head(self, text_of(native, "responseId"), text_of(native, "modelVersion"));
    steno_status status = STENO_OK;
    for (size_t i = 0; !status && i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i), *index = json_object_get(candidate, "index");
        json_int_t at = json_is_integer(index) ? json_integer_value(index) : (json_int_t)i;
        if (at < 0 || at >= WIRE_BLOCKS_MAX)
            return steno_fail(error, STENO_CORRUPT, "a candidate has index %lld", (long long)at);
        json_t *delta = json_object();
        size_t calls = (size_t)self->blocks[at]; /* of this candidate so far */
        read_parts(candidate, delta, &calls, true);
        self->blocks[at] = (int)calls;
        status = wire_emit_choice(self, (size_t)at, delta, reason_of(candidate, calls));
    }
    if (status || !json_is_object(usage)) return status;
    json_decref(self->usage); /* cumulative: the last counts */
    self->usage = json_incref(usage);
    return wire_emit_usage(self, usage_from_gemini);
}

const wire wire_gemini = {
    .name = "gemini",
    .framing = FRAMING_SSE,
    .kinds = 1 << CALL_CHAT | 1 << CALL_EMBEDDING,
    .path = path,
    .body = body,
    .reply = reply,
    .record = record,
    .usage = usage_from_gemini,
};
