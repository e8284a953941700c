/* From an event to counts. */
#include "subscribers/call_series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/usage.h"
#include "schema/utf8.h"
#include "subscribers/cost_row.h"

/* A call that took longer, or less than nothing, was measured by a clock that jumped. */
#define SECONDS_MAX 1e7
/* Attempts of one call beyond which a report is nonsense. */
#define ATTEMPTS_MAX 1000
#define PICO_PER_DOLLAR 1e12

const char *const call_series_types[CALL_SERIES_TYPES] = {"completion",       "acompletion", "text_completion",
                                                          "atext_completion", "embedding",   "aembedding",
                                                          "responses",        "aresponses",  "other"};
const char *const call_series_errors[CALL_SERIES_ERRORS] = {
    "Authentication",    "PermissionDenied", "NotFound",    "BadRequest",     "ContextWindowExceeded", "ContentPolicy",
    "RateLimit",         "Timeout",          "Connection",  "InternalServer", "ServiceUnavailable",    "Cancelled",
    "MalformedResponse", "BudgetExceeded",   "ProcessDied", "other"};

bool call_series_begin(call_series *self, size_t limit) {
    *self = (call_series){.count = 1, .room = limit + 1, .limit = limit};
    self->list = calloc(self->room, sizeof *self->list);
    if (!self->list) return false;
    strcpy(self->list[0].provider, "other");
    strcpy(self->list[0].model, "other");
    return true;
}

void call_series_free(call_series *self) {
    free(self->list);
    *self = (call_series){0};
}

/* A label's value: at most `room` - 1 bytes of the name, whole characters. */
static void put_name(char *out, size_t room, const char *name) {
    const char *shown = name && *name ? name : "unknown";
    const size_t size = strlen(shown), kept = size < room ? size : utf8_valid_prefix(shown, room - 1);
    memcpy(out, shown, kept);
    out[kept] = '\0';
}

series *call_series_of(call_series *self, const char *provider, const char *model) {
    series made = {0};
    put_name(made.provider, sizeof made.provider, provider);
    put_name(made.model, sizeof made.model, model);
    for (size_t i = 0; i < self->count; i++)
        if (!strcmp(self->list[i].model, made.model) && !strcmp(self->list[i].provider, made.provider))
            return &self->list[i];
    if (self->count == self->room) return &self->list[0];
    series *one = &self->list[self->count++];
    *one = made;
    return one;
}

/* ---- one event ---- */

static size_t known(const char *const *names, size_t count, const char *name) {
    size_t i = 0;
    while (i < count - 1 && (!name || strcmp(names[i], name) != 0)) i++;
    return i;
}

static double moment(const steno_event *event, const char *field) {
    const steno_value *value = steno_event_get(event, field);
    const steno_type type = steno_value_type(value);
    return type == STENO_TYPE_DOUBLE || type == STENO_TYPE_INT ? steno_value_double(value, NAN) : NAN;
}

static void observe(metric_histogram *into, double from, double to) {
    const double seconds = to - from;
    if (seconds >= 0 && seconds <= SECONDS_MAX) metric_observe(into, seconds); /* no NaN */
}

static void add_tokens(series *into, const steno_usage *usage) {
    const struct {
        call_count count;
        int64_t tokens;
    } kinds[] = {
        {COUNT_PROMPT, usage->prompt_tokens},           {COUNT_CACHED, usage->cached_tokens},
        {COUNT_CACHE_WRITE, usage->cache_write_tokens}, {COUNT_COMPLETION, usage->completion_tokens},
        {COUNT_REASONING, usage->reasoning_tokens},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].tokens > 0) into->counts[kinds[i].count] += (uint64_t)kinds[i].tokens;
}

/* As steno-cost counts: a call that failed before anything came costs nothing and is not unpriced. */
static void add_cost(series *into, const cost_row *cost, bool nothing_came) {
    if (cost->known)
        into->amounts[AMOUNT_COST] += (double)cost->pico_dollars / PICO_PER_DOLLAR;
    else if (!nothing_came)
        into->counts[COUNT_UNPRICED]++;
    if (cost->saved != STENO_UNKNOWN) into->amounts[AMOUNT_SAVED] += (double)cost->saved / PICO_PER_DOLLAR;
}

static void add_attempts(series *into, const steno_event *event) {
    const int64_t attempts = steno_value_int(steno_event_get(event, "attempts"), 0);
    if (attempts <= 0 || attempts > ATTEMPTS_MAX) return;
    into->counts[COUNT_ATTEMPTS] += (uint64_t)attempts;
    into->counts[COUNT_RETRIES] += (uint64_t)attempts - 1;
}

void call_series_add(call_series *self, const steno_event *event, steno_prices *prices) {
    cost_row cost;
    if (!cost_row_from(event, prices, false, &cost)) return;
    series *into = call_series_of(self, steno_event_string(event, "provider"), steno_event_string(event, "model"));
    const bool failed = steno_event_kind_of(event) == STENO_FAILURE;
    const bool hit = steno_value_bool(steno_event_get(event, "cache_hit"), false);
    const steno_usage usage = usage_from_event(steno_event_get(event, "usage"));
    const double began = moment(event, "start_time"), first_token = moment(event, "completion_start_time");

    into->calls[known(call_series_types, CALL_SERIES_TYPES, steno_event_string(event, "call_type"))][failed]++;
    if (failed) {
        const steno_value *type = steno_value_get(steno_event_get(event, "error"), "type");
        into->errors[known(call_series_errors, CALL_SERIES_ERRORS, steno_value_string(type, NULL))]++;
    }
    into->counts[COUNT_CACHE_HITS] += hit;
    add_attempts(into, event);
    add_tokens(into, &usage);
    add_cost(into, &cost,
             failed && usage.prompt_tokens == STENO_UNKNOWN && usage.completion_tokens == STENO_UNKNOWN &&
                 isnan(first_token));
    if (!hit) {
        observe(&into->duration[failed], began, moment(event, "end_time"));
        observe(&into->first_token, began, first_token);
    }
    cost_row_clear(&cost);
}
