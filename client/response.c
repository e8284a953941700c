/* Reading a response. */
#include "client/response.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/usage.h"
#include "schema/json_text.h"

steno_response *response_new(json_t *json, const char *call_id) {
    steno_response *response = calloc(1, sizeof *response);
    if (!response) {
        json_decref(json);
        return NULL;
    }
    response->json = json;
    response->usage = usage_from_openai(json_object_get(json, "usage"));
    response->pico_dollars = STENO_UNKNOWN;
    snprintf(response->call_id, sizeof response->call_id, "%s", call_id);
    return response;
}

void steno_response_free(steno_response *response) {
    if (!response) return;
    json_decref(response->json);
    free(atomic_load(&response->text));
    free(response);
}

static const json_t *first_choice(const steno_response *response) {
    return json_array_get(json_object_get(response->json, "choices"), 0);
}

const char *steno_response_text(const steno_response *response) {
    const char *text =
        json_string_value(json_object_get(json_object_get(first_choice(response), "message"), "content"));
    return text ? text : "";
}

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
