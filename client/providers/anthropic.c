/* Anthropic's Messages: OpenAI's parameters under their names there. What Claude has no counterpart for (n, seed, penalties, logprobs,
 * JSON without a schema) is refused by name.
 */
#include "client/providers/anthropic.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "client/providers/content.h"
#include "client/providers/params.h"
#include "client/usage.h"

/* max_tokens is required there and not with OpenAI: where the caller gives none, as many as every Claude since the third can give out. */
#define MAX_TOKENS_DEFAULT 4096
/* The first Claude that decides by itself how much to think; those after it refuse a budget. */
#define ADAPTIVE_MAJOR 4
#define ADAPTIVE_MINOR 6
/* A longer number in a model's name is a date, not a version. */
#define VERSION_DIGITS_MAX 2

static bool anthropic_path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]) {
    (void)ask;
    size_t length = strlen(base);
    bool versioned = length >= 3 && !strcmp(base + length - 3, "/v1");
    strcpy(out, versioned ? "/messages" : "/v1/messages");
    return true;
}

/* ---- parameters that change their shape ---- */

static steno_status put_stop(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    return params_put(body, "stop_sequences", params_list(value), error);
}

/* OpenAI's metadata are for looking calls up, and have no place; but the user's id may be among them. */
static steno_status put_metadata(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    json_t *id = json_object_get(value, "user_id");
    return json_is_string(id) ? params_put(body, "metadata.user_id", json_incref(id), error) : STENO_OK;
}

static steno_status put_service_tier(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *tier = json_string_value(value);
    if (tier && !strcmp(tier, "default")) tier = "standard_only";
    if (!tier || (strcmp(tier, "auto") && strcmp(tier, "standard_only")))
        return steno_fail(error, STENO_INVALID,
                          "%s has no `service_tier` of that name: auto and standard_only are there", ask->model);
    return params_put(body, "service_tier", json_string(tier), error);
}

static steno_status refuse_web_search(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)value;
    (void)body;
    return steno_fail(error, STENO_INVALID,
                      "%s has no parameter like `web_search_options`: give Anthropic's own tool among the `tools` "
                      "(type web_search_20250305), or have such parameters dropped (drop_params)",
                      ask->model);
}

static steno_status put_response_format(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *type = content_member(value, "type");
    json_t *schema = json_object_get(json_object_get(value, "json_schema"), "schema");
    if (!strcmp(type, "text")) return STENO_OK;
    if (strcmp(type, "json_schema") || !json_is_object(schema))
        return steno_fail(
            error, STENO_INVALID,
            "%s takes no `response_format` of type \"%s\": give a schema (type json_schema), or have such "
            "parameters dropped (drop_params)",
            ask->model, type);
    return params_put(body, "output_config.format",
                      json_pack("{s:s,s:o}", "type", "json_schema", "schema", json_deep_copy(schema)), error);
}

/* ---- thinking ---- */

/* The version in a model's name: "claude-sonnet-4-5-20250929" is 4.5, "claude-3-opus" 3.0. False: there is none. */
static bool read_version(const char *name, int *major, int *minor) {
    int *numbers[] = {major, minor};
    size_t found = 0;
    *major = *minor = 0;
    for (const char *at = name; *at && found < 2;) {
        size_t digits = strspn(at, "0123456789");
        bool apart = at == name || at[-1] == '-' || at[-1] == '.';
        if (digits && digits <= VERSION_DIGITS_MAX && apart && !isalpha((unsigned char)at[digits])) {
            for (size_t i = 0; i < digits; i++) *numbers[found] = *numbers[found] * 10 + (at[i] - '0');
            found++;
        } else if (found) {
            break; /* the minor number follows at once or not at all */
        }
        at += digits ? digits : 1;
        if (found && (*at == '-' || *at == '.')) at++;
    }
    return found > 0;
}

/* A Claude without a number in its name is newer than those that wanted a budget; what is no Claude and speaks this protocol is not. */
static bool thinks_adaptively(const char *model) {
    int major, minor;
    const char *name = strstr(model, "claude");
    if (!name) return false;
    if (!read_version(name, &major, &minor)) return true;
    return major > ADAPTIVE_MAJOR || (major == ADAPTIVE_MAJOR && minor >= ADAPTIVE_MINOR);
}

static bool says_thinking(const wire_ask *ask) { return json_is_object(json_object_get(ask->params, "thinking")); }

/* OpenAI's words, what Claude calls it, and as a budget of tokens; 1024 is the smallest there is. */
static const struct {
    const char *asked, *effort;
    int budget;
} efforts[] = {
    {"minimal", "low", 1024}, {"low", "low", 1024},     {"medium", "medium", 2048},
    {"high", "high", 4096},   {"xhigh", "xhigh", 8192}, {"max", "max", 16384},
};

static steno_status put_effort(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *asked = json_string_value(value) ? json_string_value(value) : "";
    if (!strcmp(asked, "none") || says_thinking(ask)) return STENO_OK; /* said natively: that counts */
    for (size_t i = 0; i < sizeof efforts / sizeof *efforts; i++) {
        if (strcmp(asked, efforts[i].asked)) continue;
        if (!thinks_adaptively(ask->model))
            return params_put(body, "thinking",
                              json_pack("{s:s,s:i}", "type", "enabled", "budget_tokens", efforts[i].budget), error);
        /* Without `display` the newer ones keep their thoughts to themselves. */
        steno_status status =
            params_put(body, "thinking", json_pack("{s:s,s:s}", "type", "adaptive", "display", "summarized"), error);
        return status ? status : params_put(body, "output_config.effort", json_string(efforts[i].effort), error);
    }
    return steno_fail(error, STENO_INVALID,
                      "`reasoning_effort` is \"%s\": none, minimal, low, medium, high, xhigh and max are possible",
                      asked);
}

/* Sees to it that there is a max_tokens, and that thinking, which counts towards it, leaves room for an answer. */
static steno_status settle_max_tokens(const wire_ask *ask, json_t *body, steno_error *error) {
    json_t *given = json_object_get(body, "max_tokens");
    json_int_t budget = json_integer_value(json_object_get(json_object_get(body, "thinking"), "budget_tokens"));
    if (given && (!json_is_integer(given) || says_thinking(ask))) return STENO_OK;
    json_int_t max_tokens = given ? json_integer_value(given) : MAX_TOKENS_DEFAULT;
    if (max_tokens <= budget && budget < INT32_MAX) max_tokens += budget;
    return params_put(body, "max_tokens", json_integer(max_tokens), error);
}

/* ---- tools ---- */

static json_t *tool_of(const json_t *tool) {
    const json_t *function = json_object_get(tool, "function");
    json_t *cache = json_object_get(tool, "cache_control"), *json = json_object();
    params_keep(json, "name", json_object_get(function, "name"));
    params_keep(json, "description", json_object_get(function, "description"));
    json_object_set_new(json, "input_schema", params_schema(json_object_get(function, "parameters")));
    if (json_is_true(json_object_get(function, "strict"))) json_object_set_new(json, "strict", json_true());
    params_keep(json, "cache_control", cache ? cache : json_object_get(function, "cache_control"));
    return json;
}

/* Functions are mapped; Anthropic's own tools (web search, …) pass through. */
static steno_status put_tools(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    json_t *tools = json_array();
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *tool = json_array_get(value, i);
        if (json_is_object(json_object_get(tool, "function"))) {
            json_array_append_new(tools, tool_of(tool));
        } else if (json_is_object(tool) && !json_object_get(tool, "custom")) {
            json_array_append_new(tools, json_deep_copy(tool));
        } else if (!ask->drop) {
            json_decref(tools);
            return steno_fail(error, STENO_INVALID,
                              "tool %zu is not a function, and %s has no other tools of OpenAI's kinds", i, ask->model);
        }
    }
    if (json_array_size(tools)) return params_put(body, "tools", tools, error);
    json_decref(tools);
    return STENO_OK;
}

static steno_status put_tool_choice(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    static const char *const natives[] = {"auto", "any", "none", "tool"};
    const char *word = json_string_value(value), *type = content_member(value, "type");
    json_t *name = json_object_get(json_object_get(value, "function"), "name"), *choice = NULL;
    if (word && !strcmp(word, "required")) word = "any";
    if (word && (!strcmp(word, "auto") || !strcmp(word, "none") || !strcmp(word, "any")))
        choice = json_pack("{s:s}", "type", word);
    else if (!strcmp(type, "function") && json_is_string(name))
        choice = json_pack("{s:s,s:O}", "type", "tool", "name", name);
    for (size_t i = 0; !choice && i < sizeof natives / sizeof *natives; i++)
        if (!strcmp(type, natives[i])) choice = json_deep_copy(value);
    if (choice) return params_put(body, "tool_choice", choice, error);
    return steno_fail(error, STENO_INVALID,
                      "%s has no `tool_choice` like this one: auto, none, required and one function are possible",
                      ask->model);
}

/* parallel_tool_calls = false is part of the choice there; of none at all there is nothing to say. */
static steno_status settle_parallel(const wire_ask *ask, json_t *body, steno_error *error) {
    if (!json_is_false(json_object_get(ask->params, "parallel_tool_calls")) || !json_object_get(body, "tools"))
        return STENO_OK;
    json_t *choice = json_object_get(body, "tool_choice");
    if (!strcmp(content_member(choice, "type"), "none")) return STENO_OK;
    json_t *more = json_pack("{s:b}", "disable_parallel_tool_use", 1);
    if (!choice) json_object_set_new(more, "type", json_string("auto"));
    return params_put(body, "tool_choice", more, error);
}

/* ---- the body ---- */

static const param_rule rules[] = {
    {.name = "messages"},
    {.name = "system"},              /* joins the system prompts among the messages */
    {.name = "parallel_tool_calls"}, /* settle_parallel */
    {"max_tokens", .path = "max_tokens"},
    {"max_completion_tokens", .path = "max_tokens"},
    {"temperature", .path = "temperature"},
    {"top_p", .path = "top_p"},
    {"user", .path = "metadata.user_id"},
    {"safety_identifier", .path = "metadata.user_id"},
    {"metadata", .put = put_metadata},
    {"stop", .put = put_stop},
    {"tools", .put = put_tools},
    {"tool_choice", .put = put_tool_choice},
    {"reasoning_effort", .put = put_effort},
    {"response_format", .put = put_response_format},
    {"service_tier", .put = put_service_tier},
    {"web_search_options", .put = refuse_web_search},
    {0},
};

static json_t *anthropic_body(const wire_ask *ask, steno_error *error) {
    json_t *body = json_pack("{s:s}", "model", ask->model);
    steno_status status = body ? STENO_OK : steno_fail(error, STENO_NO_MEMORY, "no memory for the request");
    if (!status) status = anthropic_put_messages(ask, body, error);
    if (!status) status = params_map(ask, rules, body, error);
    if (!status) status = settle_max_tokens(ask, body, error);
    if (!status) status = settle_parallel(ask, body, error);
    if (!status && ask->stream) json_object_set_new(body, "stream", json_true());
    if (!status) return body;
    json_decref(body);
    return NULL;
}

const wire wire_anthropic = {
    .name = "anthropic",
    .framing = FRAMING_SSE,
    .kinds = 1 << CALL_CHAT,
    .path = anthropic_path,
    .body = anthropic_body,
    .reply = anthropic_reply,
    .record = anthropic_record,
    .usage = usage_from_anthropic,
};
