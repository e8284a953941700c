/* The cost of a call. In this order: a cache's answer is free; usage times the price table; what the provider reported; what the app itself reported;
 * estimated tokens times the price table, where that is wanted; unknown.
 */
#include "subscribers/cost_row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/prices.h"
#include "client/usage.h"
#include "schema/identity.h"
#include "schema/json.h"
#include "subscribers/cost_estimate.h"

#define PICO_PER_DOLLAR 1e12
/* Largest reported cost that fits into 64 bits of pico-dollars; beyond it the report is nonsense. */
#define REPORTED_DOLLARS_MAX 9e6

static const char *text_in(const steno_value *map, const char *name) {
    const steno_value *value = steno_value_get(map, name);
    return steno_value_type(value) == STENO_TYPE_STRING ? steno_value_string(value, NULL) : NULL;
}

/* The model as the provider names it: what a deployment's alias stands for. */
static const char *answered_model(const steno_event *event) {
    const steno_value *response = steno_event_get(event, "response");
    if (steno_value_type(response) != STENO_TYPE_MAP) response = steno_event_get(event, "complete_streaming_response");
    return text_in(response, "model");
}

static void ask_from(const steno_event *event, char region[32], steno_cost_ask *ask) {
    const steno_value *search = steno_value_get(steno_event_get(event, "optional_params"), "web_search_options");
    *ask = (steno_cost_ask)STENO_COST_ASK_INIT;
    ask->provider = steno_event_string(event, "provider");
    ask->model = steno_event_string(event, "model");
    ask->answered_model = answered_model(event);
    ask->region = prices_region(ask->provider, steno_event_string(event, "api_base"), region) ? region : NULL;
    ask->search_context = text_in(search, "search_context_size");
    ask->usage = usage_from_event(steno_event_get(event, "usage"));
    if (!ask->model) ask->model = ask->answered_model;
}

/* What table `call` does not have: a price that changes later is applied to it as well. */
static json_t *facts_of(const steno_event *event, const steno_cost_ask *ask) {
    static const char *const beyond[] = {"cached_audio_tokens",
                                         "prompt_audio_tokens",
                                         "prompt_image_tokens",
                                         "prompt_video_tokens",
                                         "completion_audio_tokens",
                                         "completion_image_tokens",
                                         "web_searches",
                                         "file_searches",
                                         "code_sessions",
                                         "service_tier",
                                         "search_context",
                                         "fast",
                                         "in_us",
                                         "reported_cost"};
    const steno_value *usage = steno_event_get(event, "usage");
    json_t *facts = json_object(), *more = json_object();
    const char *asked = steno_event_string(event, "model");
    if (ask->answered_model && (!asked || strcmp(asked, ask->answered_model) != 0))
        json_object_set_new(facts, "answered", json_string(ask->answered_model));
    if (ask->region) json_object_set_new(facts, "region", json_string(ask->region));
    if (ask->search_context) json_object_set_new(facts, "search_context", json_string(ask->search_context));
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        const steno_value *value = steno_value_get(usage, beyond[i]);
        if (steno_value_type(value) != STENO_TYPE_NIL) json_object_set_new(more, beyond[i], value_to_json(value));
    }
    if (json_object_size(more)) json_object_set(facts, "usage", more);
    json_decref(more);
    return facts;
}

static bool by_table(const steno_cost_ask *ask, steno_prices *prices, cost_row *out) {
    steno_cost cost;
    if (!ask->model || steno_cost_of(prices, ask, &cost, NULL)) return false;
    out->known = true;
    out->source = "table";
    out->pico_dollars = cost.pico_dollars;
    strcpy(out->price_model, cost.price_model);
    strcpy(out->price_date, cost.price_date);
    out->price_source = cost.price_source;
    out->breakdown = steno_cost_breakdown(&cost);
    return true;
}

/* The answer came out of a cache: what it would have cost was saved. */
static void by_cache(bool priced, cost_row *out) {
    if (priced) out->saved = out->pico_dollars;
    free(out->breakdown); /* there is no bill */
    out->breakdown = NULL;
    out->known = true;
    out->pico_dollars = 0;
    out->reported = STENO_UNKNOWN; /* of the call that was answered first */
    out->source = "cache";
}

void cost_row_decide(const steno_cost_ask *ask, bool estimated, bool cache_hit, int64_t said, steno_prices *prices,
                     cost_row *out) {
    out->saved = STENO_UNKNOWN;
    out->source = "unknown";
    const bool priced = by_table(ask, prices, out);
    if (cache_hit) {
        by_cache(priced, out);
    } else if (priced) {
        if (estimated) out->source = "estimated";
    } else if (out->reported != STENO_UNKNOWN || said != STENO_UNKNOWN) {
        out->known = true;
        out->source = "reported";
        out->pico_dollars = out->reported != STENO_UNKNOWN ? out->reported : said;
    }
}

/* `response_cost`, the app's own figure. */
static int64_t said_by(const steno_event *event) {
    const steno_value *cost = steno_event_get(event, "response_cost");
    const steno_type type = steno_value_type(cost);
    const double dollars = type == STENO_TYPE_DOUBLE || type == STENO_TYPE_INT ? steno_value_double(cost, -1) : -1;
    const bool said = dollars >= 0 && dollars <= REPORTED_DOLLARS_MAX; /* no NaN */
    return said ? llround(dollars * PICO_PER_DOLLAR) : STENO_UNKNOWN;
}

/* Prices estimated tokens, and writes them down: a price may come later. */
static void by_estimate(const steno_event *event, steno_cost_ask *ask, steno_prices *prices, json_t *facts,
                        cost_row *out) {
    if (!cost_estimate(event, &ask->usage)) return;
    cost_row_decide(ask, true, false, STENO_UNKNOWN, prices, out);
    json_object_set_new(facts, COST_ESTIMATED,
                        json_pack("{s:I, s:I}", "prompt_tokens", (json_int_t)ask->usage.prompt_tokens,
                                  "completion_tokens", (json_int_t)ask->usage.completion_tokens));
}

/* What is told of the call, and not stored. */
static void describe(const steno_event *event, const steno_cost_ask *ask, cost_row *out) {
    if (ask->model) strncpy(out->model, ask->model, sizeof out->model - 1);
    out->time = steno_value_double(steno_event_get(event, "end_time"), NAN);
    if (!isfinite(out->time)) out->time = steno_value_double(steno_event_get(event, "time"), NAN);
    if (!isfinite(out->time)) out->time = identity_now();
}

bool cost_row_from(const steno_event *event, steno_prices *prices, bool estimate, cost_row *out) {
    const steno_event_kind kind = steno_event_kind_of(event);
    if (kind != STENO_SUCCESS && kind != STENO_FAILURE) return false;
    const char *call_id = steno_event_string(event, "call_id");
    if (!call_id || !*call_id || strlen(call_id) >= COST_CALL_ID_BYTES) return false;
    char region[32];
    steno_cost_ask ask;
    ask_from(event, region, &ask);
    *out = (cost_row){.offset = steno_event_offset(event), .reported = ask.usage.reported_pico_dollars};
    strcpy(out->call_id, call_id);
    describe(event, &ask, out);
    json_t *facts = facts_of(event, &ask);
    const bool hit = steno_value_bool(steno_event_get(event, "cache_hit"), false);
    cost_row_decide(&ask, false, hit, said_by(event), prices, out);
    if (!out->known && estimate) by_estimate(event, &ask, prices, facts, out);
    out->facts = json_object_size(facts) ? json_dumps(facts, JSON_FLAGS_OUT) : NULL;
    json_decref(facts);
    return true;
}

void cost_row_clear(cost_row *row) {
    free(row->breakdown);
    free(row->facts);
    row->breakdown = row->facts = NULL;
}
