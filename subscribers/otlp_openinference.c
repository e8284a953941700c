/* OpenInference's attributes (its semantic_conventions.md), which Phoenix reads: lists are flattened into numbered names, numbers from 0. */
#include <string.h>

#include "subscribers/otlp_content.h"
#include "subscribers/otlp_span.h"

static const char *text_at(const steno_value *map, const char *key) {
    const steno_value *value = steno_value_get(map, key);
    return steno_value_type(value) == STENO_TYPE_STRING ? steno_value_string(value, NULL) : NULL;
}

static const char *key(otlp_attributes *out, const char *list, size_t index, const char *rest) {
    return otlp_arena_format(out->arena, "%s.%zu.%s", list, index, rest);
}

/* ---- messages ---- */

static void put_parts(otlp_attributes *out, const char *message, const steno_value *parts) {
    const char *list = otlp_arena_format(out->arena, "%s.contents", message);
    for (size_t i = 0; i < steno_value_count(parts); i++) {
        const steno_value *part = steno_value_at(parts, i);
        const char *text = text_at(part, "text"), *url = text_at(steno_value_get(part, "image_url"), "url");
        if (!url) url = text_at(part, "image_url");
        if (!text && !url) continue; /* no word for it */
        otlp_put_text(out, key(out, list, i, "message_content.type"), url ? "image" : "text");
        otlp_put_text(out, key(out, list, i, "message_content.text"), text);
        otlp_put_text(out, key(out, list, i, "message_content.image.image.url"), url);
    }
}

static void put_tool_calls(otlp_attributes *out, const char *message, const steno_value *calls) {
    const char *list = otlp_arena_format(out->arena, "%s.tool_calls", message);
    for (size_t i = 0; i < steno_value_count(calls); i++) {
        const steno_value *call = steno_value_at(calls, i), *function = steno_value_get(call, "function");
        otlp_put_text(out, key(out, list, i, "tool_call.id"), text_at(call, "id"));
        otlp_put_text(out, key(out, list, i, "tool_call.function.name"), text_at(function, "name"));
        otlp_put_text(out, key(out, list, i, "tool_call.function.arguments"), text_at(function, "arguments"));
    }
}

static void put_message(otlp_attributes *out, const char *list, size_t index, const steno_value *value,
                        const char *otherwise) {
    const char *message = key(out, list, index, "message"), *role = text_at(value, "role");
    const steno_value *content = steno_value_get(value, "content");
    otlp_put_text(out, otlp_arena_format(out->arena, "%s.role", message), role ? role : otherwise);
    if (steno_value_type(content) == STENO_TYPE_ARRAY)
        put_parts(out, message, content);
    else
        otlp_put_string_of(out, otlp_arena_format(out->arena, "%s.content", message), content);
    otlp_put_text(out, otlp_arena_format(out->arena, "%s.name", message), text_at(value, "name"));
    otlp_put_text(out, otlp_arena_format(out->arena, "%s.tool_call_id", message), text_at(value, "tool_call_id"));
    put_tool_calls(out, message, steno_value_get(value, "tool_calls"));
}

/* A text, or each text of a list, as LIST.N.REST. */
static void put_list(otlp_attributes *out, const char *list, const char *rest, const steno_value *value) {
    const bool many = steno_value_type(value) == STENO_TYPE_ARRAY;
    for (size_t i = 0; i < (many ? steno_value_count(value) : 1); i++)
        otlp_put_string_of(out, key(out, list, i, rest), many ? steno_value_at(value, i) : value);
}

/* ---- what was asked and answered ---- */

static void put_value(otlp_attributes *out, const char *name, const char *type_name, const steno_value *value) {
    if (!value) return;
    const bool text = steno_value_type(value) == STENO_TYPE_STRING;
    if (text)
        otlp_put_string_of(out, name, value);
    else
        otlp_put_json_of(out, name, value);
    otlp_put_text(out, type_name, text ? "text/plain" : "application/json");
}

static void put_content(otlp_attributes *out, const otlp_call *call) {
    const steno_event *event = call->event;
    const steno_value *messages = steno_event_get(event, "messages"), *input = steno_event_get(event, "input");
    const steno_value *prompt = steno_event_get(event, "prompt"), *tools = steno_value_get(call->params, "tools");
    const steno_value *choices = steno_value_get(call->response, "choices"), *first = steno_value_at(choices, 0);
    if (!otlp_content_fits(event)) return; /* counted already */
    put_value(out, "input.value", "input.mime_type", messages ? messages : input ? input : prompt);
    if (call->embedding) {
        put_list(out, "embedding.embeddings", "embedding.text", input);
        return;
    }
    for (size_t i = 0; i < steno_value_count(messages); i++)
        put_message(out, "llm.input_messages", i, steno_value_at(messages, i), "user");
    put_list(out, "llm.prompts", "prompt.text", prompt);
    for (size_t i = 0; i < steno_value_count(tools); i++)
        otlp_put_json_of(out, key(out, "llm.tools", i, "tool.json_schema"), steno_value_at(tools, i));
    for (size_t i = 0; i < steno_value_count(choices); i++) {
        const steno_value *choice = steno_value_at(choices, i), *message = steno_value_get(choice, "message");
        if (message)
            put_message(out, "llm.output_messages", i, message, "assistant");
        else
            otlp_put_string_of(out, key(out, "llm.choices", i, "completion.text"), steno_value_get(choice, "text"));
    }
    const steno_value *said = steno_value_get(steno_value_get(first, "message"), "content");
    put_value(out, "output.value", "output.mime_type",
              steno_value_count(choices) > 1 ? choices
              : said                         ? said
                                             : steno_value_get(first, "text"));
}

/* ---- the rest ---- */

static void put_count(otlp_attributes *out, const otlp_call *call, const char *name, const char *field) {
    const int64_t count = otlp_usage(call, field);
    if (count >= 0) otlp_put_int(out, name, count);
}

static void put_usage(otlp_attributes *out, const otlp_call *call) {
    put_count(out, call, "llm.token_count.prompt", "prompt_tokens");
    put_count(out, call, "llm.token_count.completion", "completion_tokens");
    put_count(out, call, "llm.token_count.total", "total_tokens");
    put_count(out, call, "llm.token_count.prompt_details.cache_read", "cached_tokens");
    put_count(out, call, "llm.token_count.prompt_details.cache_write", "cache_write_tokens");
    put_count(out, call, "llm.token_count.prompt_details.audio", "prompt_audio_tokens");
    put_count(out, call, "llm.token_count.completion_details.reasoning", "reasoning_tokens");
    put_count(out, call, "llm.token_count.completion_details.audio", "completion_audio_tokens");
    if (call->cost_usd >= 0) otlp_put_double(out, "llm.cost.total", call->cost_usd);
}

void otlp_put_openinference(otlp_attributes *out, const otlp_call *call, const otlp_mapping *mapping) {
    const steno_event *event = call->event;
    const char *provider = steno_event_string(event, "provider"),
               *model = call->response_model ? call->response_model : call->model;
    const char *parameters = otlp_parameters(out->arena, call, mapping);
    otlp_put_text(out, "openinference.span.kind", call->embedding ? "EMBEDDING" : "LLM");
    if (call->embedding) {
        otlp_put_text(out, "embedding.model_name", model);
        otlp_put_text(out, "embedding.invocation_parameters", parameters);
    } else {
        otlp_put_text(out, "llm.model_name", model);
        otlp_put_text(out, "llm.provider", otlp_openinference_provider(provider));
        otlp_put_text(out, "llm.system", otlp_openinference_system(provider));
        otlp_put_text(out, "llm.invocation_parameters", parameters);
        otlp_put_string_of(out, "llm.finish_reason", steno_event_get(event, "finish_reason"));
    }
    put_usage(out, call);
    if (!mapping->langfuse) { /* which has them already */
        otlp_put_string_of(out, "user.id", steno_event_get(event, "user"));
        otlp_put_string_of(out, "session.id", steno_event_get(event, "session_id"));
    }
    otlp_put_texts_of(out, "tag.tags", steno_event_get(event, "tags"));
    otlp_put_json_of(out, "metadata", steno_event_get(event, "metadata"));
    if (mapping->content) put_content(out, call);
}
