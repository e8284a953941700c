/* What Langfuse reads first: its own attributes, by which usage, cost and labels come out exactly, whatever it makes of gen_ai.*. Those of the trace are on
 * every span, because it takes none from a parent.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "schema/json.h"
#include "subscribers/otlp_content.h"
#include "subscribers/otlp_span.h"

/* Longest name of a metadata attribute. */
#define KEY_BYTES 256

static void put_object(otlp_attributes *out, const char *key, json_t *object) {
    char *text = json_object_size(object) ? otlp_memory(json_dumps(object, JSON_FLAGS_OUT)) : NULL;
    otlp_put_text(out, key, otlp_arena_text(out->arena, text));
    free(text);
    json_decref(object);
}

static void set_count(json_t *object, const char *key, int64_t count) {
    if (count >= 0) json_object_set_new_nocheck(object, key, json_integer(count));
}

static int64_t less(int64_t whole, int64_t part) { return part > 0 ? (whole > part ? whole - part : 0) : whole; }

/* Langfuse adds up what begins with input and output, so the parts are taken out of the whole. */
static void put_usage(otlp_attributes *out, const otlp_call *call) {
    json_t *usage = otlp_memory(json_object());
    const int64_t prompt = otlp_usage(call, "prompt_tokens"), cached = otlp_usage(call, "cached_tokens");
    const int64_t written = otlp_usage(call, "cache_write_tokens");
    const int64_t completion = otlp_usage(call, "completion_tokens"), thought = otlp_usage(call, "reasoning_tokens");
    if (prompt >= 0) set_count(usage, "input", less(less(prompt, cached), written));
    set_count(usage, "input_cached_tokens", cached);
    set_count(usage, "input_cache_creation", written);
    if (completion >= 0) set_count(usage, "output", less(completion, thought));
    set_count(usage, "output_reasoning_tokens", thought);
    set_count(usage, "total", otlp_usage(call, "total_tokens"));
    put_object(out, "langfuse.observation.usage_details", usage);
}

static void put_cost(otlp_attributes *out, const otlp_call *call) {
    if (call->cost_usd < 0 && !call->cache_hit) return; /* then Langfuse may price the usage itself */
    json_t *cost = otlp_memory(json_object());
    json_object_set_new_nocheck(cost, "total", json_real(call->cost_usd < 0 ? 0 : call->cost_usd));
    put_object(out, "langfuse.observation.cost_details", cost);
}

static void put_first_token(otlp_attributes *out, const otlp_call *call) {
    if (call->first_chunk_seconds < 0) return;
    const uint64_t ns = call->start_ns + (uint64_t)(call->first_chunk_seconds * 1e9);
    const time_t seconds = (time_t)(ns / 1000000000);
    struct tm at;
    char day[40];
    gmtime_r(&seconds, &at);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &at);
    otlp_put_text(out, "langfuse.observation.completion_start_time",
                  otlp_arena_format(out->arena, "%s.%03uZ", day, (unsigned)(ns / 1000000 % 1000)));
}

static void put_metadata(otlp_attributes *out, const otlp_call *call) {
    const steno_value *metadata = steno_event_get(call->event, "metadata");
    for (size_t i = 0; i < steno_value_count(metadata); i++) {
        const char *name = steno_value_key_at(metadata, i);
        if (!name || strlen(name) > KEY_BYTES) continue;
        const char *key = otlp_arena_format(out->arena, "langfuse.observation.metadata.%s", name);
        const steno_value *value = steno_value_at(metadata, i);
        if (steno_value_type(value) == STENO_TYPE_STRING)
            otlp_put_string_of(out, key, value);
        else
            otlp_put_json_of(out, key, value);
    }
}

static void put_content(otlp_attributes *out, const otlp_call *call) {
    const steno_event *event = call->event;
    const char *const asked[] = {"messages", "input", "prompt"};
    if (!otlp_content_fits(event)) return; /* counted already */
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        if (steno_event_get(event, asked[i])) {
            otlp_put_json_of(out, "langfuse.observation.input", steno_event_get(event, asked[i]));
            break;
        }
    const steno_value *choices = steno_value_get(call->response, "choices"), *first = steno_value_at(choices, 0);
    if (steno_value_count(choices) > 1)
        otlp_put_json_of(out, "langfuse.observation.output", choices);
    else if (steno_value_get(first, "message"))
        otlp_put_json_of(out, "langfuse.observation.output", steno_value_get(first, "message"));
    else
        otlp_put_string_of(out, "langfuse.observation.output", steno_value_get(first, "text"));
}

void otlp_put_langfuse(otlp_attributes *out, const otlp_call *call, const otlp_mapping *mapping) {
    const steno_event *event = call->event;
    otlp_put_text(out, "langfuse.observation.type", call->embedding ? "embedding" : "generation");
    otlp_put_text(out, "langfuse.observation.model.name", call->response_model ? call->response_model : call->model);
    otlp_put_text(out, "langfuse.observation.model.parameters", otlp_parameters(out->arena, call, mapping));
    put_usage(out, call);
    put_cost(out, call);
    put_first_token(out, call);
    if (call->failed) {
        otlp_put_text(out, "langfuse.observation.level", "ERROR");
        otlp_put_text(out, "langfuse.observation.status_message", otlp_error_text(out->arena, call, mapping));
    }
    otlp_put_string_of(out, "user.id", steno_event_get(event, "user"));
    otlp_put_string_of(out, "session.id", steno_event_get(event, "session_id"));
    otlp_put_texts_of(out, "langfuse.trace.tags", steno_event_get(event, "tags"));
    put_metadata(out, call);
    if (mapping->content) put_content(out, call);
}
