/* The cost of a call. In this order: a cache's answer is free; usage times the price table; what the app itself reported; unknown. */
#include "subscribers/cost_row.h"

#include <math.h>
#include <string.h>

#include "client/usage.h"

#define PICO_PER_DOLLAR 1e12
/* Largest reported cost that fits into 64 bits of pico-dollars; beyond it the report is nonsense. */
#define REPORTED_DOLLARS_MAX 9e6

static bool by_table(const steno_event *event, const char *model, cost_row *out) {
    steno_cost_ask ask = STENO_COST_ASK_INIT;
    steno_cost cost;
    ask.provider = steno_event_string(event, "provider");
    ask.model = model;
    ask.usage = usage_from_event(steno_event_get(event, "usage"));
    if (!model || steno_cost_of(NULL, &ask, &cost, NULL)) return false;
    out->known = true;
    out->source = "table";
    out->pico_dollars = cost.pico_dollars;
    strcpy(out->price_model, cost.price_model);
    strcpy(out->price_date, cost.price_date);
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
