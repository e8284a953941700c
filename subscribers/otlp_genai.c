/* The attributes of the GenAI conventions, those of OpenAI beside them, and Steno's own (steno.*) for what the conventions have no word for. */
#include <string.h>

#include "schema/json.h"
#include "subscribers/otlp_content.h"
#include "subscribers/otlp_span.h"

static const steno_value *param(const otlp_call *call, const char *name) { return steno_value_get(call->params, name); }

static const steno_value *either(const steno_value *first, const steno_value *second) { return first ? first : second; }

/* ---- the request ---- */

static const char *output_type(const otlp_call *call) {
    const char *format = steno_value_string(steno_value_get(param(call, "response_format"), "type"), NULL);
    const steno_value *modalities = param(call, "modalities");
    for (size_t i = 0; i < steno_value_count(modalities); i++) {
        const char *modality = steno_value_string(steno_value_at(modalities, i), NULL);
        if (modality && !strcmp(modality, "audio")) return "speech";
        if (modality && !strcmp(modality, "image")) return "image";
    }
    if (!format) return NULL;
    return !strncmp(format, "json", 4) ? "json" : !strcmp(format, "text") ? "text" : NULL;
}

static void put_request(otlp_attributes *out, const otlp_call *call, const otlp_mapping *mapping) {
    const steno_value *choices = param(call, "n"), *effort = steno_value_get(param(call, "reasoning"), "effort");
    otlp_put_int_of(out, "gen_ai.request.max_tokens",
                    either(param(call, "max_completion_tokens"),
                           either(param(call, "max_tokens"), param(call, "max_output_tokens"))));
    if (steno_value_int(choices, 1) != 1) otlp_put_int_of(out, "gen_ai.request.choice.count", choices);
    otlp_put_double_of(out, "gen_ai.request.temperature", param(call, "temperature"));
    otlp_put_double_of(out, "gen_ai.request.top_p", param(call, "top_p"));
    if (mapping->semconv == OTLP_SEMCONV_1_41)
        otlp_put_double_of(out, "gen_ai.request.top_k", param(call, "top_k"));
    else
        otlp_put_int_of(out, "gen_ai.request.top_k", param(call, "top_k"));
    otlp_put_double_of(out, "gen_ai.request.frequency_penalty", param(call, "frequency_penalty"));
    otlp_put_double_of(out, "gen_ai.request.presence_penalty", param(call, "presence_penalty"));
    otlp_put_int_of(out, "gen_ai.request.seed", param(call, "seed"));
    if (mapping->content) otlp_put_texts_of(out, "gen_ai.request.stop_sequences", param(call, "stop"));
    if (call->stream) otlp_put_bool(out, "gen_ai.request.stream", true);
    otlp_put_text(out, "gen_ai.output.type", output_type(call));
    otlp_put_string_of(out, "gen_ai.conversation.id", steno_event_get(call->event, "session_id"));
    if (mapping->semconv != OTLP_SEMCONV_1_41) {
        otlp_put_string_of(out, "gen_ai.request.reasoning.level", either(param(call, "reasoning_effort"), effort));
        otlp_put_string_of(out, "gen_ai.request.previous_response.id", param(call, "previous_response_id"));
    }
    if (!call->embedding) return;
    otlp_put_texts_of(out, "gen_ai.request.encoding_formats", param(call, "encoding_format"));
    otlp_put_int_of(out, "gen_ai.embeddings.dimension.count", param(call, "dimensions"));
}

/* ---- the reply ---- */

static void put_finish_reasons(otlp_attributes *out, const otlp_call *call) {
    const steno_value *choices = steno_value_get(call->response, "choices");
    const char *alone = steno_event_string(call->event, "finish_reason");
    const size_t count = steno_value_count(choices);
    const char **reasons = otlp_arena_take(out->arena, (count + 1) * sizeof *reasons);
    for (size_t i = 0; i < count; i++) {
        const char *reason = steno_value_string(steno_value_get(steno_value_at(choices, i), "finish_reason"), NULL);
        reasons[i] = reason ? reason : call->failed ? "error" : "stop";
    }
    if (count)
        otlp_put_texts(out, "gen_ai.response.finish_reasons", reasons, count);
    else if (alone)
        otlp_put_texts(out, "gen_ai.response.finish_reasons", &alone, 1); /* the reply was not recorded */
}

static void put_usage(otlp_attributes *out, const otlp_call *call, const otlp_mapping *mapping) {
    const bool old = mapping->semconv == OTLP_SEMCONV_1_41;
    const struct {
        const char *field, *name;
        bool always; /* known to the older release, too */
    } figures[] = {
        {"prompt_tokens", "gen_ai.usage.input_tokens", true},
        {"completion_tokens", "gen_ai.usage.output_tokens", true},
        {"cached_tokens", "gen_ai.usage.cache_read.input_tokens", true},
        /* Never both: who adds up what means the same would count twice. */
        {"cache_write_tokens",
         old ? "gen_ai.usage.cache_creation.input_tokens" : "gen_ai.usage.cache_write.input_tokens", true},
        {"reasoning_tokens", "gen_ai.usage.reasoning.output_tokens", true},
        {"prompt_audio_tokens", "gen_ai.usage.audio.input_tokens", false},
        {"prompt_image_tokens", "gen_ai.usage.image.input_tokens", false},
        {"completion_audio_tokens", "gen_ai.usage.audio.output_tokens", false},
        {"completion_image_tokens", "gen_ai.usage.image.output_tokens", false},
        {"cached_audio_tokens", "gen_ai.usage.audio.cache_read.input_tokens", false},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        const int64_t count = otlp_usage(call, figures[i].field);
        if (count >= 0 && (!old || figures[i].always)) otlp_put_int(out, figures[i].name, count);
    }
}

/* OpenAI's own, for those that speak its protocol under its name. */
static void put_openai(otlp_attributes *out, const otlp_call *call) {
    const char *type = steno_event_string(call->event, "call_type");
    const char *tier = steno_value_string(param(call, "service_tier"), NULL);
    if (strcmp(call->provider, "openai") && strcmp(call->provider, "azure.ai.openai")) return;
    if (!strcmp(call->operation, "chat"))
        otlp_put_text(out, "openai.api.type", type && strstr(type, "responses") ? "responses" : "chat_completions");
    if (tier && strcmp(tier, "auto")) otlp_put_text(out, "openai.request.service_tier", tier);
    otlp_put_string_of(out, "openai.response.service_tier", steno_value_get(call->response, "service_tier"));
    otlp_put_string_of(out, "openai.response.system_fingerprint",
                       steno_value_get(call->response, "system_fingerprint"));
}

/* ---- what was said ---- */

static void put_json(otlp_attributes *out, const char *key, json_t *json) {
    char *text = json ? otlp_memory(json_dumps(json, JSON_FLAGS_OUT)) : NULL;
    if (text && strlen(text) > OTLP_TEXT_BYTES_MAX)
        out->dropped++;
    else
        otlp_put_text(out, key, otlp_arena_text(out->arena, text));
    free(text);
    json_decref(json);
}

static void put_content(otlp_attributes *out, const otlp_call *call) {
    if (!otlp_content_fits(call->event)) {
        out->dropped++;
        return;
    }
    put_json(out, "gen_ai.system_instructions", otlp_system_instructions(call->event));
    put_json(out, "gen_ai.input.messages", otlp_input_messages(call->event));
    put_json(out, "gen_ai.output.messages", otlp_output_messages(call->event));
    put_json(out, "gen_ai.tool.definitions", otlp_tool_definitions(call->event));
}

void otlp_put_genai(otlp_attributes *out, const otlp_call *call, const otlp_mapping *mapping) {
    otlp_put_text(out, "gen_ai.operation.name", call->operation);
    otlp_put_text(out, "gen_ai.provider.name", call->provider);
    otlp_put_text(out, "gen_ai.request.model", call->model);
    otlp_put_text(out, "server.address", call->address);
    if (call->address && call->port) otlp_put_int(out, "server.port", call->port);
    otlp_put_text(out, "error.type", call->error_type);
    put_request(out, call, mapping);
    otlp_put_string_of(out, "gen_ai.response.id", steno_value_get(call->response, "id"));
    otlp_put_text(out, "gen_ai.response.model", call->response_model);
    put_finish_reasons(out, call);
    if (call->stream && call->first_chunk_seconds >= 0)
        otlp_put_double(out, "gen_ai.response.time_to_first_chunk", call->first_chunk_seconds);
    put_usage(out, call, mapping);
    put_openai(out, call);
    otlp_put_text(out, "steno.call_id", call->call_id);
    otlp_put_int_of(out, "steno.attempts", steno_event_get(call->event, "attempts"));
    if (call->cache_hit) otlp_put_bool(out, "steno.cache_hit", true);
    if (call->cost_usd >= 0) otlp_put_double(out, "steno.cost.usd", call->cost_usd);
    otlp_put_string_of(out, "steno.fallback_from", steno_event_get(call->event, "fallback_from"));
    if (mapping->content) put_content(out, call);
}
