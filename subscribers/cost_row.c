/* The cost of a call. In this order: a cache's answer is free; usage times the price table; what the app itself reported; unknown. */
#include "subscribers/cost_row.h"

#include <math.h>
#include <string.h>

#include "client/cost.h"

#define PICO_PER_DOLLAR 1e12
/* Largest reported cost that fits into 64 bits of pico-dollars; beyond it the report is nonsense. */
#define REPORTED_DOLLARS_MAX 9e6

static int64_t tokens(const steno_value *usage, const char *name) {
    const int64_t count = steno_value_int(steno_value_get(usage, name), STENO_UNKNOWN);
    return count < 0 ? STENO_UNKNOWN : count;
}

static steno_usage usage_of(const steno_event *event) {
    const steno_value *usage = steno_event_get(event, "usage");
    return (steno_usage){
        .prompt_tokens = tokens(usage, "prompt_tokens"),
        .completion_tokens = tokens(usage, "completion_tokens"),
        .total_tokens = tokens(usage, "total_tokens"),
        .cached_tokens = tokens(usage, "cached_tokens"),
        .cache_write_tokens = tokens(usage, "cache_write_tokens"),
        .cache_write_1h_tokens = tokens(usage, "cache_write_1h_tokens"),
        .reasoning_tokens = tokens(usage, "reasoning_tokens"),
    };
}

static bool by_table(const steno_event *event, const char *model, cost_row *out) {
    const steno_usage usage = usage_of(event);
    cost_figure figure;
    if (!model || cost_compute(steno_event_string(event, "provider"), model, &usage, &figure, NULL)) return false;
    out->known = true;
    out->source = "table";
    out->pico_dollars = figure.pico_dollars;
    out->price_model = figure.price_model;
    out->price_date = figure.price_date;
    return true;
}

/* The model as the provider names it: what a deployment's alias stands for. */
static const char *answered_model(const steno_event *event) {
    const steno_value *response = steno_event_get(event, "response");
    if (steno_value_type(response) != STENO_TYPE_MAP) response = steno_event_get(event, "complete_streaming_response");
    const steno_value *model = steno_value_get(response, "model");
    return steno_value_type(model) == STENO_TYPE_STRING ? steno_value_string(model, NULL) : NULL;
}

static bool by_report(const steno_event *event, cost_row *out) {
    const steno_value *cost = steno_event_get(event, "response_cost");
    const steno_type type = steno_value_type(cost);
    if (type != STENO_TYPE_DOUBLE && type != STENO_TYPE_INT) return false;
    const double dollars = steno_value_double(cost, -1);
    if (!(dollars >= 0 && dollars <= REPORTED_DOLLARS_MAX)) return false; /* NaN too */
    out->known = true;
    out->source = "reported";
    out->pico_dollars = llround(dollars * PICO_PER_DOLLAR);
    return true;
}

bool cost_row_from(const steno_event *event, cost_row *out) {
    const steno_event_kind kind = steno_event_kind_of(event);
    if (kind != STENO_SUCCESS && kind != STENO_FAILURE) return false;
    const char *call_id = steno_event_string(event, "call_id");
    if (!call_id || !*call_id || strlen(call_id) >= COST_CALL_ID_BYTES) return false;
    *out = (cost_row){.offset = steno_event_offset(event), .saved = STENO_UNKNOWN, .source = "unknown"};
    strcpy(out->call_id, call_id);
    if (steno_value_bool(steno_event_get(event, "cache_hit"), false)) {
        cost_row priced = {0};
        if (by_table(event, steno_event_string(event, "model"), &priced) ||
            by_table(event, answered_model(event), &priced))
            out->saved = priced.pico_dollars;
        out->known = true;
        out->source = "cache";
        return true;
    }
    if (by_table(event, steno_event_string(event, "model"), out) || by_table(event, answered_model(event), out))
        return true;
    by_report(event, out);
    return true;
}
