/* Mapping parameters. */
#include "client/providers/params.h"

#include <string.h>

/* What OpenAI's chat completions take: a name that is here and in no rule of a family has no counterpart there. */
static const char *const openai_names[] = {
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
    /* of embeddings and text completions */
    "best_of",
    "dimensions",
    "echo",
    "encoding_format",
    "suffix",
};

/* Those that say something about the call and nothing about the answer: without a counterpart they are left out. */
static const char *const harmless[] = {
    "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "stream_options", "store", "metadata"};

static bool is_in(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}
#define IS_IN(name, names) is_in(name, names, sizeof names / sizeof *names)

/* What asks for nothing beyond what everybody does anyway. */
static bool is_default(const char *name, const json_t *value) {
    if (!strcmp(name, "parallel_tool_calls")) return json_is_true(value);
    if (!strcmp(name, "web_search_options")) return false; /* an empty one asks for a search, too */
    if (json_is_false(value)) return true;
    if (json_is_array(value) || json_is_object(value)) return json_array_size(value) + json_object_size(value) == 0;
    if (!strcmp(name, "n") || !strcmp(name, "best_of")) return json_number_value(value) == 1;
    if (!strcmp(name, "encoding_format"))
        return !strcmp(json_string_value(value) ? json_string_value(value) : "", "float");
    if (!strcmp(name, "frequency_penalty") || !strcmp(name, "presence_penalty")) return json_number_value(value) == 0;
    return false;
}

static const param_rule *rule_of(const param_rule *rules, const char *name) {
    for (; rules->name; rules++)
        if (!strcmp(rules->name, name)) return rules;
    return NULL;
}

steno_status params_put(json_t *body, const char *path, json_t *value, steno_error *error) {
    json_t *at = body;
    for (const char *dot; at && (dot = strchr(path, '.')); path = dot + 1) {
        char name[64];
        size_t size = (size_t)(dot - path);
        if (size >= sizeof name) break;
        memcpy(name, path, size);
        name[size] = '\0';
        json_t *next = json_object_get(at, name);
        if (!next && !json_object_set_new(at, name, json_object())) next = json_object_get(at, name);
        at = next;
    }
    json_t *there = json_object_get(at, path);
    int failed;
    if (json_is_object(there) && json_is_object(value)) {
        failed = json_object_update_recursive(there, value);
        json_decref(value);
    } else {
        failed = json_object_set_new_nocheck(at, path, value);
    }
    return failed ? steno_fail(error, STENO_NO_MEMORY, "no memory for the request") : STENO_OK;
}

static steno_status apply(const wire_ask *ask, const param_rule *rule, const char *name, json_t *value, json_t *body,
                          steno_error *error) {
    if (rule && rule->put) {
        steno_status status = rule->put(ask, value, body, error);
        /* What is asked is never dropped: half a conversation is another one. */
        return status == STENO_INVALID && ask->drop && strcmp(name, "messages") ? STENO_OK : status;
    }
    if (rule && !rule->path) return STENO_OK;
    if (rule || !IS_IN(name, openai_names)) /* a copy: merging must not change the request's */
        return params_put(body, rule ? rule->path : name, json_deep_copy(value), error);
    if (ask->drop || IS_IN(name, harmless) || is_default(name, value)) return STENO_OK;
    return steno_fail(error, STENO_INVALID,
                      "%s has no parameter like `%s`: leave it out, or have such parameters dropped (drop_params)",
                      ask->model, name);
}

steno_status params_map(const wire_ask *ask, const param_rule *rules, json_t *body, steno_error *error) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)ask->params, name, value) {
        if (json_is_null(value)) continue;
        steno_status status = apply(ask, rule_of(rules, name), name, value, body, error);
        if (status) return status;
    }
    return STENO_OK;
}

json_t *params_list(const json_t *value) {
    if (json_is_array(value)) return json_deep_copy(value);
    json_t *list = json_array();
    json_array_append(list, (json_t *)(uintptr_t)value);
    return list;
}

void params_keep(json_t *to, const char *name, json_t *value) {
    if (value && !json_is_null(value)) json_object_set_nocheck(to, name, value);
}

json_t *params_schema(const json_t *parameters) {
    json_t *schema = json_is_object(parameters) ? json_copy((json_t *)(uintptr_t)parameters) : json_object();
    if (!json_object_get(schema, "type")) json_object_set_new(schema, "type", json_string("object"));
    if (!json_object_size(parameters)) json_object_set_new(schema, "properties", json_object());
    return schema;
}
