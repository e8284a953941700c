/* Bedrock's Converse, and the embeddings of Amazon's Titan: parameters, tools, paths. What Converse itself has no member for goes to the model as it
 * is (additionalModelRequestFields); OpenAI's parameters without a counterpart are refused by name.
 */
#include "client/providers/bedrock.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/providers/content.h"
#include "client/providers/params.h"
#include "client/usage.h"

static bool bedrock_path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]) {
    (void)base;
    const char *operation = ask->kind == CALL_EMBEDDING ? "/invoke" : ask->stream ? "/converse-stream" : "/converse";
    *out = '\0';
    return wire_path_add(out, "/model/", false) && wire_path_add(out, ask->model, true) &&
           wire_path_add(out, operation, false);
}

static bool is_model(const wire_ask *ask, const char *part) { return strstr(ask->model, part); }

/* ---- parameters that change their shape ---- */

static steno_status put_stop(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    return params_put(body, "inferenceConfig.stopSequences", params_list(value), error);
}

static steno_status put_service_tier(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    (void)ask;
    const char *tier = json_string_value(value);
    if (!tier) return steno_fail(error, STENO_INVALID, "`service_tier` must be a string");
    return strcmp(tier, "auto") ? params_put(body, "serviceTier", json_pack("{s:s}", "type", tier), error) : STENO_OK;
}

/* The schema travels as a text. */
static steno_status put_schema(const json_t *format, json_t *body, steno_error *error) {
    const json_t *given = json_object_get(format, "json_schema");
    char *schema = json_dumps(json_object_get(given, "schema"), JSON_COMPACT);
    json_t *json =
        json_pack("{s:s,s:{s:{s:s*,s:O*,s:O*}}}", "type", "json_schema", "structure", "jsonSchema", "schema", schema,
                  "name", json_object_get(given, "name"), "description", json_object_get(given, "description"));
    free(schema);
    return params_put(body, "outputConfig.textFormat", json, error);
}

static steno_status put_response_format(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *type = content_member(value, "type");
    if (!strcmp(type, "text")) return STENO_OK;
    if (!strcmp(type, "json_schema") &&
        json_is_object(json_object_get(json_object_get(value, "json_schema"), "schema")))
        return put_schema(value, body, error);
    return steno_fail(error, STENO_INVALID,
                      "%s takes no `response_format` of type \"%.64s\": give a schema (type json_schema), or have such "
                      "parameters dropped (drop_params)",
                      ask->model, type);
}

/* ---- reasoning ---- */

/* OpenAI's words as a budget of tokens, of which 1024 are the smallest there is, and as newer Claudes and Amazon's Nova call them. */
static const struct {
    const char *asked, *claude, *nova;
    int budget;
} efforts[] = {
    {"minimal", "low", "low", 1024}, {"low", "low", "low", 1024},      {"medium", "medium", "medium", 2048},
    {"high", "high", "high", 4096},  {"xhigh", "xhigh", "high", 8192}, {"max", "max", "high", 16384},
};

/* Claudes that want a budget; from 4.6 on they decide by themselves how much to think. */
static bool wants_budget(const wire_ask *ask) {
    static const char *const parts[] = {"claude-3", "-4-20", "-4-1-", "-4-5-"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (is_model(ask, parts[i])) return true;
    return false;
}

#define FIELDS "additionalModelRequestFields"

static steno_status put_claude_effort(const wire_ask *ask, size_t i, json_t *body, steno_error *error) {
    if (json_is_object(json_object_get(ask->params, "thinking"))) return STENO_OK; /* said natively: that counts */
    if (wants_budget(ask))
        return params_put(body, FIELDS ".thinking",
                          json_pack("{s:s,s:i}", "type", "enabled", "budget_tokens", efforts[i].budget), error);
    /* Without `display` they keep their thoughts to themselves. */
    steno_status status = params_put(body, FIELDS ".thinking",
                                     json_pack("{s:s,s:s}", "type", "adaptive", "display", "summarized"), error);
    return status ? status : params_put(body, FIELDS ".output_config.effort", json_string(efforts[i].claude), error);
}

static steno_status put_effort(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *asked = json_string_value(value) ? json_string_value(value) : "";
    size_t i = 0, count = sizeof efforts / sizeof *efforts;
    if (!strcmp(asked, "none")) return STENO_OK;
    while (i < count && strcmp(asked, efforts[i].asked)) i++;
    if (i == count)
        return steno_fail(
            error, STENO_INVALID,
            "`reasoning_effort` is \"%.64s\": none, minimal, low, medium, high, xhigh and max are possible", asked);
    if (is_model(ask, "claude")) return put_claude_effort(ask, i, body, error);
    if (is_model(ask, "amazon.nova"))
        return params_put(body, FIELDS ".reasoningConfig",
                          json_pack("{s:s,s:s}", "type", "enabled", "maxReasoningEffort", efforts[i].nova), error);
    if (is_model(ask, "openai.")) return params_put(body, FIELDS ".reasoning_effort", json_string(asked), error);
    return steno_fail(error, STENO_INVALID,
                      "%s has no parameter like `reasoning_effort` that is known here: give the model's own, or have "
                      "such parameters dropped (drop_params)",
                      ask->model);
}

/* What is thought counts towards maxTokens, and must leave room for an answer. */
static steno_status settle_max_tokens(const wire_ask *ask, json_t *body, steno_error *error) {
    json_t *given = json_object_get(json_object_get(body, "inferenceConfig"), "maxTokens");
    const json_t *thinking = json_object_get(json_object_get(body, FIELDS), "thinking");
    json_int_t budget = json_integer_value(json_object_get(thinking, "budget_tokens"));
    bool native = json_object_get(ask->params, "thinking") || json_object_get(ask->params, FIELDS);
    if (native || !json_is_integer(given) || json_integer_value(given) > budget) return STENO_OK;
    return params_put(body, "inferenceConfig.maxTokens", json_integer(json_integer_value(given) + budget), error);
}

/* ---- tools ---- */

static json_t *tool_of(const json_t *function) {
    json_t *spec = json_object(), *description = json_object_get(function, "description");
    params_keep(spec, "name", json_object_get(function, "name"));
    if (json_string_length(description)) params_keep(spec, "description", description);
    json_object_set_new(spec, "inputSchema",
                        json_pack("{s:o}", "json", params_schema(json_object_get(function, "parameters"))));
    if (json_is_true(json_object_get(function, "strict"))) json_object_set_new(spec, "strict", json_true());
    return json_pack("{s:o}", "toolSpec", spec);
}

/* Functions are mapped; what is in Converse's own form passes through. */
static steno_status put_tools(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    json_t *tools = json_array();
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *tool = json_array_get(value, i);
        const char *type = content_member(tool, "type");
        if (!strcmp(type, "function")) {
            json_array_append_new(tools, tool_of(json_object_get(tool, "function")));
            bedrock_add_cache_point(tools, tool);
        } else if (!*type && json_is_object(tool)) {
            json_array_append(tools, tool);
        } else if (!ask->drop) {
            json_decref(tools);
            return steno_fail(error, STENO_INVALID,
                              "%s takes no tool of type \"%.64s\": functions are possible, or have what it can't take "
                              "dropped (drop_params)",
                              ask->model, type);
        }
    }
    if (json_array_size(tools)) return params_put(body, "toolConfig.tools", tools, error);
    json_decref(tools);
    return STENO_OK;
}

static bool asks_for_no_tool(const wire_ask *ask) {
    return !strcmp(content_member(ask->params, "tool_choice"), "none");
}

static steno_status put_tool_choice(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error) {
    const char *word = json_string_value(value), *name = content_member(json_object_get(value, "function"), "name");
    if (asks_for_no_tool(ask)) return STENO_OK; /* see settle_tools */
    json_t *choice = word && !strcmp(word, "auto")       ? json_pack("{s:{}}", "auto")
                     : word && !strcmp(word, "required") ? json_pack("{s:{}}", "any")
                     : *name                             ? json_pack("{s:{s:s}}", "tool", "name", name)
                                                         : NULL;
    if (choice) return params_put(body, "toolConfig.toolChoice", choice, error);
    return steno_fail(error, STENO_INVALID,
                      "`tool_choice` has no form that %s knows: auto, required, none, or a function by its name",
                      ask->model);
}

static bool has_tools_in_history(const wire_ask *ask) {
    const json_t *messages = json_object_get(ask->params, "messages");
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        if (!strcmp(content_member(message, "role"), "tool") || json_array_size(json_object_get(message, "tool_calls")))
            return true;
    }
    return false;
}

/* Converse has no "none": the tools are left out. But it refuses messages with tool calls where there are no tools. */
static steno_status settle_tools(const wire_ask *ask, json_t *body, steno_error *error) {
    if (!asks_for_no_tool(ask) || !json_object_get(body, "toolConfig")) return STENO_OK;
    if (!has_tools_in_history(ask)) {
        json_object_del(body, "toolConfig");
        return STENO_OK;
    }
    if (ask->drop) return STENO_OK;
    return steno_fail(
        error, STENO_INVALID,
        "%s can't be told by `tool_choice` to call none of its tools while there are tool calls among the "
        "messages: leave it out, or have such parameters dropped (drop_params)",
        ask->model);
}

/* ---- the body ---- */

static const param_rule chat_rules[] = {
    {"messages", NULL, NULL},
    {"max_tokens", "inferenceConfig.maxTokens", NULL},
    {"max_completion_tokens", "inferenceConfig.maxTokens", NULL},
    {"temperature", "inferenceConfig.temperature", NULL},
    {"top_p", "inferenceConfig.topP", NULL},
    {"stop", NULL, put_stop},
    {"tools", NULL, put_tools},
    {"tool_choice", NULL, put_tool_choice},
    {"reasoning_effort", NULL, put_effort},
    {"response_format", NULL, put_response_format},
    {"service_tier", NULL, put_service_tier},
    {0},
};

/* Converse's own members; any other is the model's. */
static bool is_member(const char *name) {
    static const char *const members[] = {"additionalModelRequestFields",
                                          "additionalModelResponseFieldPaths",
                                          "guardrailConfig",
                                          "inferenceConfig",
                                          "messages",
                                          "outputConfig",
                                          "performanceConfig",
                                          "promptVariables",
                                          "requestMetadata",
                                          "serviceTier",
                                          "system",
                                          "toolConfig"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (!strcmp(name, members[i])) return true;
    return false;
}

static steno_status move_fields(json_t *body, steno_error *error) {
    const char *name;
    json_t *value;
    void *next;
    json_t *fields = json_object();
    json_object_foreach_safe(body, next, name, value) {
        if (is_member(name)) continue;
        json_object_set_nocheck(fields, name, value);
        json_object_del(body, name);
    }
    if (json_object_size(fields)) return params_put(body, FIELDS, fields, error);
    json_decref(fields);
    return STENO_OK;
}

static steno_status write_chat(const wire_ask *ask, json_t *body, steno_error *error) {
    steno_status status = params_map(ask, chat_rules, body, error);
    if (!status) status = bedrock_put_messages(ask, body, error);
    if (!status) status = settle_tools(ask, body, error);
    if (!status) status = move_fields(body, error);
    return status ? status : settle_max_tokens(ask, body, error);
}

/* ---- embeddings ---- */

/* Titan takes one text at a time. */
static steno_status put_input(const wire_ask *ask, json_t *body, steno_error *error) {
    json_t *input = json_object_get(ask->params, "input");
    json_t *text = json_array_size(input) == 1 ? json_array_get(input, 0) : input;
    if (json_is_string(text)) return params_put(body, "inputText", json_incref(text), error);
    return steno_fail(error, STENO_INVALID, "%s embeds one text a call: make a call of each", ask->model);
}

static const param_rule embedding_rules[] = {{"input", NULL, NULL}, {"dimensions", "dimensions", NULL}, {0}};

static steno_status write_embedding(const wire_ask *ask, json_t *body, steno_error *error) {
    if (!is_model(ask, "titan-embed-text"))
        return steno_fail(error, STENO_INVALID,
                          "%s: of Bedrock's embeddings those of amazon.titan-embed-text-… are possible here",
                          ask->model);
    steno_status status = put_input(ask, body, error);
    return status ? status : params_map(ask, embedding_rules, body, error);
}

static json_t *bedrock_body(const wire_ask *ask, steno_error *error) {
    json_t *body = json_object();
    steno_status status = !body ? steno_fail(error, STENO_NO_MEMORY, "no memory for the request")
                          : ask->kind == CALL_EMBEDDING ? write_embedding(ask, body, error)
                                                        : write_chat(ask, body, error);
    if (!status) return body;
    json_decref(body);
    return NULL;
}

const wire wire_bedrock = {
    .name = "bedrock",
    .framing = FRAMING_FRAMES,
    .kinds = 1 << CALL_CHAT | 1 << CALL_EMBEDDING,
    .path = bedrock_path,
    .body = bedrock_body,
    .reply = bedrock_reply,
    .record = bedrock_record,
    .usage = usage_from_bedrock,
};
