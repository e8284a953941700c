/* The usage is put together as the event had it, and read by the same function. */
#include "subscribers/cost_again.h"

#include <stdlib.h>
#include <string.h>

#include "client/usage.h"
#include "schema/clean.h"
#include "schema/json.h"

enum {
    CALL_ID,
    PROVIDER,
    MODEL,
    CACHE_HIT,
    FIRST_COUNT, /* six columns of tokens */
    OFFSET = FIRST_COUNT + 6,
    PICO,
    SOURCE,
    REPORTED,
    FACTS,
    SAVED,
    PRICE_MODEL,
    BREAKDOWN,
};

static const char *const counts[OFFSET - FIRST_COUNT] = {"prompt_tokens",      "cached_tokens",
                                                         "cache_write_tokens", "cache_write_1h_tokens",
                                                         "completion_tokens",  "reasoning_tokens"};

CLEANUP_FUNCTION(clean_json, json_t, json_decref)
CLEANUP_FUNCTION(clean_draft, steno_draft, steno_draft_free)
CLEANUP_FUNCTION(clean_event, steno_event, steno_event_free)

static const char *text_at(sqlite3_stmt *row, int column) { return (const char *)sqlite3_column_text(row, column); }

static int64_t number_at(sqlite3_stmt *row, int column) {
    return sqlite3_column_type(row, column) == SQLITE_NULL ? STENO_UNKNOWN : sqlite3_column_int64(row, column);
}

cost_stored cost_again_stored(sqlite3_stmt *row) {
    return (cost_stored){.known = sqlite3_column_type(row, PICO) != SQLITE_NULL,
                         .pico_dollars = sqlite3_column_int64(row, PICO),
                         .saved = number_at(row, SAVED),
                         .source = text_at(row, SOURCE),
                         .price_model = text_at(row, PRICE_MODEL),
                         .breakdown = text_at(row, BREAKDOWN)};
}

/* Field `usage` of the event, as far as pricing goes. */
static json_t *usage_of(sqlite3_stmt *row, const json_t *facts) {
    json_t *usage = json_object();
    for (int i = FIRST_COUNT; i < OFFSET; i++)
        if (sqlite3_column_type(row, i) != SQLITE_NULL)
            json_object_set_new(usage, counts[i - FIRST_COUNT], json_integer(sqlite3_column_int64(row, i)));
    json_object_update(usage, json_object_get(facts, "usage"));
    json_object_update(usage, json_object_get(facts, COST_ESTIMATED));
    return usage;
}

static bool read_usage(const json_t *usage, steno_usage *out) {
    const void *body;
    size_t size;
    cleanup(clean_draft) steno_draft *draft = steno_draft_new();
    cleanup(clean_event) steno_event *event = NULL;
    if (!draft) return false;
    steno_draft_start(draft);
    draft_json(draft, "usage", usage);
    steno_draft_string(draft, "event", "cost.again");
    if (steno_draft_finish(draft, &body, &size, NULL) || steno_event_decode(body, size, &event, NULL)) return false;
    *out = usage_from_event(steno_event_get(event, "usage"));
    return true;
}

bool cost_again(sqlite3_stmt *row, steno_prices *prices, cost_row *out) {
    const char *source = text_at(row, SOURCE), *facts_text = text_at(row, FACTS), *call_id = text_at(row, CALL_ID);
    *out = (cost_row){0};
    if (!source || !call_id || strlen(call_id) >= sizeof out->call_id) return false;
    cleanup(clean_json) json_t *facts = facts_text ? json_loads(facts_text, JSON_FLAGS_IN, NULL) : NULL;
    /* A row of before there were facts; schema/migrations/004-spend.sql, which notes it, did not always do so. */
    if (json_is_true(json_object_get(facts, "not_kept"))) return false;
    if (!strcmp(source, "table") && sqlite3_column_type(row, BREAKDOWN) == SQLITE_NULL) return false;
    cleanup(clean_json) json_t *usage = usage_of(row, facts);
    steno_cost_ask ask = STENO_COST_ASK_INIT;
    if (!read_usage(usage, &ask.usage)) return false;
    ask.provider = text_at(row, PROVIDER);
    ask.model = text_at(row, MODEL);
    ask.answered_model = json_string_value(json_object_get(facts, "answered"));
    if (!ask.answered_model) ask.answered_model = ask.model; /* it is only noted where it is another */
    if (!ask.model) ask.model = ask.answered_model;
    ask.region = json_string_value(json_object_get(facts, "region"));
    ask.search_context = json_string_value(json_object_get(facts, "search_context"));
    strcpy(out->call_id, call_id);
    out->offset = (uint64_t)sqlite3_column_int64(row, OFFSET);
    out->reported = number_at(row, REPORTED);
    /* The app's own figure is nowhere but in the cost itself. */
    const int64_t said =
        !strcmp(source, "reported") && out->reported == STENO_UNKNOWN ? number_at(row, PICO) : STENO_UNKNOWN;
    cost_row_decide(&ask, json_object_get(facts, COST_ESTIMATED) != NULL, sqlite3_column_int(row, CACHE_HIT) != 0, said,
                    prices, out);
    return true;
}

static bool same_text(const char *a, const char *b) { return strcmp(a ? a : "", b ? b : "") == 0; }

bool cost_again_differs(const cost_stored *stored, const cost_row *now) {
    return stored->known != now->known || (now->known && stored->pico_dollars != now->pico_dollars) ||
           stored->saved != now->saved || !same_text(stored->source, now->source) ||
           !same_text(stored->price_model, now->price_model) || !same_text(stored->breakdown, now->breakdown);
}
