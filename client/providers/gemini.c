/* Gemini's generateContent and batchEmbedContents: where a model is, and OpenAI's parameters under their names there. Whatever is not OpenAI's
 * (safetySettings, cachedContent, generationConfig, …) passes through.
 */
#include "client/providers/gemini.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/providers/content.h"
#include "client/providers/params.h"
#include "client/usage.h"

/* ---- the path ---- */

/* Where models are; a name may say it by itself. */
#define MODELS "models/"
#define TUNED_MODELS "tunedModels/"

/* What stands before the model's name in its path, and, in *rest, the name without it. */
static const char *collection_of(const char *model, const char **rest) {
    static const char *const collections[] = {MODELS, TUNED_MODELS};
    for (size_t i = 0; i < sizeof collections / sizeof *collections; i++)
        if (!strncmp(model, collections[i], strlen(collections[i]))) {
            *rest = model + strlen(collections[i]);
            return collections[i];
        }
    *rest = model;
    return MODELS;
}

static bool has_version(const char *base) {
    const char *slash = strrchr(base, '/');
    return slash && (!strcmp(slash, "/v1beta") || !strcmp(slash, "/v1") || !strcmp(slash, "/v1alpha"));
}

/* Adds `text`, percent-encoded; false: it is too long. */
static bool add_encoded(char out[WIRE_PATH_BYTES], const char *text) {
    size_t length = strlen(out);
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = (byte < 128 && isalnum(byte)) || strchr("-._~", byte);
        int size = snprintf(out + length, WIRE_PATH_BYTES - length, plain ? "%c" : "%%%02X", byte);
        length += (size_t)size;
        if (length >= WIRE_PATH_BYTES) return false;
    }
    return true;
}

static bool gemini_path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]) {
    const char *name, *method = ask->kind == CALL_EMBEDDING ? ":batchEmbedContents"
                                : ask->stream               ? ":streamGenerateContent?alt=sse"
                                                            : ":generateContent";
    const char *collection = collection_of(ask->model, &name);
    snprintf(out, WIRE_PATH_BYTES, "%s/%s", has_version(base) ? "" : "/v1beta", collection);
    if (!add_encoded(out, name) || strlen(out) + strlen(method) >= WIRE_PATH_BYTES) return false;
    strcat(out, method);
    return true;
}

/* ---- parameters that change their shape ---- */

static steno_status put_stop(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    return params_put(body, "generationConfig.stopSequences", params_list(value), error);
}

static steno_status put_modalities(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(value); i++) {
        char word[16] = "";
        const char *modality = json_string_value(json_array_get(value, i));
        for (size_t at = 0; modality && modality[at] && at < sizeof word - 1; at++)
            word[at] = (char)toupper((unsigned char)modality[at]);
        json_array_append_new(list, json_string(word));
    }
    return params_put(body, "generationConfig.responseModalities", list, error);
}

static steno_status put_response_format(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *type = content_member(value, "type");
    json_t *schema = json_object_get(json_object_get(value, "json_schema"), "schema");
    bool by_schema = !strcmp(type, "json_schema");
    if (!strcmp(type, "text")) return STENO_OK;
    if ((!by_schema && strcmp(type, "json_object")) || (by_schema && !json_is_object(schema)))
        return steno_fail(error, STENO_INVALID,
                          "%s takes no `response_format` of type \"%s\": json_object and json_schema with its schema "
                          "are possible",
                          ask->model, type);
    steno_status status = params_put(body, "generationConfig.responseMimeType", json_string("application/json"), error);
    if (status || !by_schema) return status;
    return params_put(body, "generationConfig.responseJsonSchema", json_deep_copy(schema), error);
}

static steno_status put_service_tier(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *tier = json_string_value(value);
    if (tier && !strcmp(tier, "auto")) return STENO_OK;
    if (tier && !strcmp(tier, "default")) tier = "standard";
    if (!tier || (strcmp(tier, "standard") && strcmp(tier, "flex") && strcmp(tier, "priority")))
        return steno_fail(error, STENO_INVALID,
                          "%s has no `service_tier` of that name: auto, default, flex and priority are possible",
                          ask->model);
    return params_put(body, "serviceTier", json_string(tier), error);
}

static steno_status put_parallel(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)body;
    if (!json_is_false(value)) return STENO_OK;
    return steno_fail(error, STENO_INVALID,
                      "%s always may call several tools at once: leave `parallel_tool_calls` out, or have such "
                      "parameters dropped (drop_params)",
                      ask->model);
}

/* ---- thinking ---- */

bool gemini_is_third(const char *model) {
    const char *name = strstr(model, "gemini-");
    if (!name) return false;
    name += strlen("gemini-");
    return !isdigit((unsigned char)*name) || strtol(name, NULL, 10) >= 3; /* "gemini-flash-latest" is a new one */
}

/* As Google's own OpenAI protocol maps them. The third Gemini can't do without thinking, and of its levels all models know low and high. */
static const struct {
    const char *asked, *level;
    int budget;
} efforts[] = {
    {"none", "low", 0},         {"minimal", "low", 1024}, {"low", "low", 1024},
    {"medium", "medium", 8192}, {"high", "high", 24576},  {"xhigh", "high", 24576},
};

static steno_status put_effort(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *asked = json_string_value(value) ? json_string_value(value) : "";
    for (size_t i = 0; i < sizeof efforts / sizeof *efforts; i++) {
        if (strcmp(asked, efforts[i].asked)) continue;
        json_t *config = json_pack("{s:b}", "includeThoughts", i > 0);
        if (gemini_is_third(ask->model))
            json_object_set_new(config, "thinkingLevel", json_string(efforts[i].level));
        else
            json_object_set_new(config, "thinkingBudget", json_integer(efforts[i].budget));
        return params_put(body, "generationConfig.thinkingConfig", config, error);
    }
    return steno_fail(error, STENO_INVALID,
                      "`reasoning_effort` is \"%s\": none, minimal, low, medium, high and xhigh are possible", asked);
}

/* ---- tools ---- */

/* Adds an entry, taken over, to the body's tools. */
static steno_status add_tool(json_t *body, json_t *tool, steno_error *error) {
    json_t *tools = json_object_get(body, "tools");
    if (!tools && !json_object_set_new(body, "tools", json_array())) tools = json_object_get(body, "tools");
    return json_array_append_new(tools, tool) ? steno_fail(error, STENO_NO_MEMORY, "no memory for the request")
                                              : STENO_OK;
}

static steno_status put_web_search(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    return json_is_object(value) ? add_tool(body, json_pack("{s:{}}", "googleSearch"), error) : STENO_OK;
}

static json_t *declaration_of(const json_t *function) {
    static const char *const members[][2] = {
        {"name", "name"}, {"description", "description"}, {"parameters", "parametersJsonSchema"}};
    json_t *declaration = json_object();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *value = json_object_get(function, members[i][0]);
        if (value && !json_is_null(value)) json_object_set(declaration, members[i][1], value);
    }
    return declaration;
}

/* Functions are declared in one entry; Gemini's own tools (googleSearch, codeExecution, …), which have no type, pass through. */
static steno_status put_tools(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    json_t *declarations = json_array();
    steno_status status = STENO_OK;
    for (size_t i = 0; !status && i < json_array_size(value); i++) {
        json_t *tool = json_array_get(value, i);
        const json_t *function = json_object_get(tool, "function");
        if (json_is_object(function))
            json_array_append_new(declarations, declaration_of(function));
        else if (json_is_object(tool) && !json_object_get(tool, "type"))
            status = add_tool(body, json_deep_copy(tool), error);
        else if (!ask->drop)
            status =
                steno_fail(error, STENO_INVALID,
                           "tool %zu is not a function, and %s has no other tools of OpenAI's kinds", i, ask->model);
    }
    if (!status && json_array_size(declarations))
        status = add_tool(body, json_pack("{s:O}", "functionDeclarations", declarations), error);
    json_decref(declarations);
    return status;
}

static steno_status put_tool_choice(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    static const char *const modes[][2] = {{"auto", "AUTO"}, {"none", "NONE"}, {"required", "ANY"}};
    const char *word = json_string_value(value);
    json_t *name = json_object_get(json_object_get(value, "function"), "name"), *choice = NULL;
    if (!strcmp(content_member(value, "type"), "function") && json_is_string(name))
        choice = json_pack("{s:s,s:[O]}", "mode", "ANY", "allowedFunctionNames", name);
    for (size_t i = 0; word && i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(word, modes[i][0])) choice = json_pack("{s:s}", "mode", modes[i][1]);
    if (choice) return params_put(body, "toolConfig.functionCallingConfig", choice, error);
    return steno_fail(error, STENO_INVALID,
                      "%s has no `tool_choice` like this one: auto, none, required and one function are possible",
                      ask->model);
}

/* ---- the bodies ---- */

static const param_rule rules[] = {
    {.name = "messages"},
    {"max_tokens", .path = "generationConfig.maxOutputTokens"},
    {"max_completion_tokens", .path = "generationConfig.maxOutputTokens"},
    {"temperature", .path = "generationConfig.temperature"},
    {"top_p", .path = "generationConfig.topP"},
    {"top_k", .path = "generationConfig.topK"},
    {"n", .path = "generationConfig.candidateCount"},
    {"seed", .path = "generationConfig.seed"},
    {"frequency_penalty", .path = "generationConfig.frequencyPenalty"},
    {"presence_penalty", .path = "generationConfig.presencePenalty"},
    {"logprobs", .path = "generationConfig.responseLogprobs"},
    {"top_logprobs", .path = "generationConfig.logprobs"},
    {"stop", .put = put_stop},
    {"modalities", .put = put_modalities},
    {"response_format", .put = put_response_format},
    {"reasoning_effort", .put = put_effort},
    {"service_tier", .put = put_service_tier},
    {"tools", .put = put_tools},
    {"tool_choice", .put = put_tool_choice},
    {"parallel_tool_calls", .put = put_parallel},
    {"web_search_options", .put = put_web_search},
    {0},
};

static json_t *chat_body(const wire_ask *ask, steno_error *error) {
    json_t *body = json_object();
    steno_status status = gemini_put_contents(ask, body, error);
    if (!status) status = params_map(ask, rules, body, error);
    if (!status) return body;
    json_decref(body);
    return NULL;
}

static const param_rule embedding_rules[] = {
    {.name = "input"},
    {"dimensions", .path = "outputDimensionality"},
    {0},
};

/* Adds a request, which is a copy of `like`, for one text. */
static steno_status add_request(json_t *requests, const json_t *like, json_t *text, steno_error *error) {
    if (!json_is_string(text))
        return steno_fail(error, STENO_INVALID, "`input` is a text or a list of texts; Gemini takes no tokens");
    json_t *request = json_deep_copy(like);
    json_object_set_new(request, "content", json_pack("{s:[{s:O}]}", "parts", "text", text));
    return json_array_append_new(requests, request) ? steno_fail(error, STENO_NO_MEMORY, "no memory for the request")
                                                    : STENO_OK;
}

/* Each text is a request of its own, and each has all the parameters. */
static json_t *embedding_body(const wire_ask *ask, steno_error *error) {
    json_t *input = json_object_get(ask->params, "input"), *requests = json_array();
    const char *name, *collection = collection_of(ask->model, &name);
    json_t *like = json_pack("{s:s+}", "model", collection, name);
    steno_status status = like ? params_map(ask, embedding_rules, like, error)
                               : steno_fail(error, STENO_NO_MEMORY, "no memory for the request");
    if (!status && !json_is_array(input)) status = add_request(requests, like, input, error);
    for (size_t i = 0; !status && i < json_array_size(input); i++)
        status = add_request(requests, like, json_array_get(input, i), error);
    json_decref(like);
    if (!status) return json_pack("{s:o}", "requests", requests);
    json_decref(requests);
    return NULL;
}

static json_t *gemini_body(const wire_ask *ask, steno_error *error) {
    return ask->kind == CALL_EMBEDDING ? embedding_body(ask, error) : chat_body(ask, error);
}

const wire wire_gemini = {
    .name = "gemini",
    .framing = FRAMING_SSE,
    .kinds = 1 << CALL_CHAT | 1 << CALL_EMBEDDING,
    .path = gemini_path,
    .body = gemini_body,
    .reply = gemini_reply,
    .record = gemini_record,
    .usage = usage_from_gemini,
};
