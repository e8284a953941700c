/* Reading a response. */
#include "client/response.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/usage.h"
#include "schema/json_text.h"

steno_response *response_new(json_t *json, const json_t *raw_usage, const steno_usage *usage, const char *call_id) {
    steno_response *response = calloc(1, sizeof *response);
    if (!response) {
        json_decref(json);
        return NULL;
    }
    response->json = json;
    response->raw_usage = json_incref((json_t *)(uintptr_t)raw_usage);
    response->usage = *usage;
    response->pico_dollars = STENO_UNKNOWN;
    snprintf(response->call_id, sizeof response->call_id, "%s", call_id);
    return response;
}

void steno_response_free(steno_response *response) {
    if (!response) return;
    json_decref(response->json);
    json_decref(response->raw_usage);
    free(atomic_load(&response->text));
    free(response);
}

static const json_t *first_choice(const steno_response *response) {
    return json_array_get(json_object_get(response->json, "choices"), 0);
}

static const json_t *first_message(const steno_response *response) {
    return json_object_get(first_choice(response), "message");
}

static const char *text_or_empty(const json_t *text) { return json_is_string(text) ? json_string_value(text) : ""; }

const char *steno_response_text(const steno_response *response) {
    const json_t *completed = json_object_get(first_choice(response), "text"); /* a text completion's */
    return text_or_empty(completed ? completed : json_object_get(first_message(response), "content"));
}

const char *steno_response_reasoning(const steno_response *response) {
    const json_t *message = first_message(response), *reasoning = json_object_get(message, "reasoning_content");
    return text_or_empty(reasoning ? reasoning : json_object_get(message, "reasoning"));
}

static const json_t *tool_calls(const steno_response *response) {
    return json_object_get(first_message(response), "tool_calls");
}

size_t steno_response_tool_calls(const steno_response *response) { return json_array_size(tool_calls(response)); }

bool steno_response_tool_call(const steno_response *response, size_t index, steno_tool_call *out) {
    const json_t *found = json_array_get(tool_calls(response), index);
    const json_t *function = json_object_get(found, "function");
    out->id = text_or_empty(json_object_get(found, "id"));
    out->name = text_or_empty(json_object_get(function, "name"));
    out->arguments = text_or_empty(json_object_get(function, "arguments"));
    return found;
}

size_t steno_response_embedding(const steno_response *response, size_t index, double *out, size_t max) {
    const json_t *vector = json_object_get(json_array_get(json_object_get(response->json, "data"), index), "embedding");
    size_t count = json_array_size(vector);
    for (size_t i = 0; i < count && i < max; i++) out[i] = json_number_value(json_array_get(vector, i));
    return count;
}

bool steno_response_cache_hit(const steno_response *response) { return response->cache_hit; }

const char *steno_response_finish_reason(const steno_response *response) {
    return json_string_value(json_object_get(first_choice(response), "finish_reason"));
}

const char *steno_response_model(const steno_response *response) {
    return json_string_value(json_object_get(response->json, "model"));
}

const char *steno_response_call_id(const steno_response *response) { return response->call_id; }
steno_usage steno_response_usage(const steno_response *response) { return response->usage; }

const char *steno_response_json(const steno_response *response) {
    _Atomic(char *) *kept = &((steno_response *)(uintptr_t)response)->text;
    char *text = atomic_load_explicit(kept, memory_order_acquire);
    if (text) return text;
    buffer made = {0};
    if (!json_text_add(&made, response->json)) {
        buffer_free(&made);
        return "{}";
    }
    if (atomic_compare_exchange_strong(kept, &text, made.bytes)) return made.bytes;
    buffer_free(&made); /* another thread was faster */
    return text;
}

double steno_response_cost(const steno_response *response) {
    return response->pico_dollars == STENO_UNKNOWN ? -1 : (double)response->pico_dollars / 1e12;
}
