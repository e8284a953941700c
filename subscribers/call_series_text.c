/* The families of calls. */
#include "subscribers/call_series.h"

#define LABELS_MAX 5

static const char *const statuses[CALL_STATUSES] = {"success", "failure"};

static const struct {
    const char *name, *help;
} counts[CALL_COUNTS] = {
    [COUNT_ATTEMPTS] = {"steno_attempts_total", "Attempts of calls that reached the provider."},
    [COUNT_RETRIES] = {"steno_retries_total", "Attempts beyond the first of their call."},
    [COUNT_PROMPT] = {"steno_prompt_tokens_total", "Prompt tokens, cached and cache-written ones among them."},
    [COUNT_CACHED] = {"steno_cached_tokens_total",
                      "Prompt tokens that were read from the provider's cache: part of steno_prompt_tokens_total."},
    [COUNT_CACHE_WRITE] =
        {"steno_cache_write_tokens_total",
         "Prompt tokens that were written to the provider's cache: part of steno_prompt_tokens_total."},
    [COUNT_COMPLETION] = {"steno_completion_tokens_total", "Completion tokens, reasoning among them."},
    [COUNT_REASONING] = {"steno_reasoning_tokens_total", "Reasoning tokens: part of steno_completion_tokens_total."},
    [COUNT_UNPRICED] = {"steno_unpriced_calls_total",
                        "Calls whose price or usage is unknown: their cost is not in steno_cost_dollars_total."},
    [COUNT_CACHE_HITS] = {"steno_cache_hits_total", "Calls that were answered from the response cache."},
};

static const struct {
    const char *name, *help;
} amounts[CALL_AMOUNTS] = {
    [AMOUNT_COST] = {"steno_cost_dollars_total", "What calls cost, in US dollars, where it is known."},
    [AMOUNT_SAVED] = {"steno_saved_dollars_total",
                      "What the answers from the response cache would have cost, in US dollars, where it is known."},
};

/* The labels of a series, with room for two more. */
static void label(metric_label out[LABELS_MAX], const series *one) {
    out[0] = (metric_label){"provider", one->provider};
    out[1] = (metric_label){"model", one->model};
    out[2] = out[3] = out[4] = (metric_label){0};
}

static uint64_t calls_of(const series *one) {
    uint64_t calls = 0;
    for (size_t type = 0; type < CALL_SERIES_TYPES; type++) calls += one->calls[type][0] + one->calls[type][1];
    return calls;
}

static void put_calls(const series *one, FILE *out) {
    metric_label labels[LABELS_MAX];
    label(labels, one);
    for (size_t type = 0; type < CALL_SERIES_TYPES; type++)
        for (size_t status = 0; status < CALL_STATUSES && one->calls[type][0] + one->calls[type][1]; status++) {
            labels[2] = (metric_label){"call_type", call_series_types[type]};
            labels[3] = (metric_label){"status", statuses[status]};
            metric_count(out, "steno_calls_total", labels, one->calls[type][status]);
        }
}

static void put_errors(const series *one, FILE *out) {
    metric_label labels[LABELS_MAX];
    label(labels, one);
    for (size_t type = 0; type < CALL_SERIES_ERRORS; type++) {
        labels[2] = (metric_label){"type", call_series_errors[type]};
        if (one->errors[type]) metric_count(out, "steno_errors_total", labels, one->errors[type]);
    }
}

static void put_durations(const series *one, FILE *out) {
    metric_label labels[LABELS_MAX];
    label(labels, one);
    for (size_t status = 0; status < CALL_STATUSES; status++) {
        labels[2] = (metric_label){"status", statuses[status]};
        if (metric_observed(&one->duration[status]))
            metric_histogram_put(out, "steno_call_duration_seconds", labels, &one->duration[status]);
    }
}

static void put_first_tokens(const series *one, FILE *out) {
    metric_label labels[LABELS_MAX];
    label(labels, one);
    if (metric_observed(&one->first_token))
        metric_histogram_put(out, "steno_time_to_first_token_seconds", labels, &one->first_token);
}

/* Calls that are counted under "other", 0 or not, are a series too, so that an alert can be set on it. */
static void put_limits(const call_series *self, FILE *out) {
    metric_family(out, "steno_prometheus_models", "gauge",
                  "Pairs of provider and model that have series of their own.");
    metric_count(out, "steno_prometheus_models", NULL, self->count - 1);
    metric_family(out, "steno_prometheus_models_limit", "gauge",
                  "How many pairs may have: calls of others are counted with provider and model \"other\".");
    metric_count(out, "steno_prometheus_models_limit", NULL, self->limit);
    metric_family(out, "steno_prometheus_other_calls_total", "counter",
                  "Calls that were counted with provider and model \"other\".");
    metric_count(out, "steno_prometheus_other_calls_total", NULL, calls_of(&self->list[0]));
}

void call_series_put(const call_series *self, FILE *out) {
    const size_t first = calls_of(&self->list[0]) ? 0 : 1;
    const struct {
        const char *name, *type, *help;
        void (*put)(const series *one, FILE *out);
    } families[] = {
        {"steno_calls_total", "counter", "Calls that ended.", put_calls},
        {"steno_errors_total", "counter", "Calls that failed, by what they failed of.", put_errors},
        {"steno_call_duration_seconds", "histogram",
         "How long calls took, all attempts together; without answers from the response cache.", put_durations},
        {"steno_time_to_first_token_seconds", "histogram",
         "How long it took until the first token of a streamed reply came.", put_first_tokens},
    };
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        metric_family(out, families[i].name, families[i].type, families[i].help);
        for (size_t j = first; j < self->count; j++) families[i].put(&self->list[j], out);
    }
    metric_label labels[LABELS_MAX];
    for (size_t i = 0; i < CALL_COUNTS; i++) {
        metric_family(out, counts[i].name, "counter", counts[i].help);
        for (size_t j = first; j < self->count; j++) {
            label(labels, &self->list[j]);
            metric_count(out, counts[i].name, labels, self->list[j].counts[i]);
        }
    }
    for (size_t i = 0; i < CALL_AMOUNTS; i++) {
        metric_family(out, amounts[i].name, "counter", amounts[i].help);
        for (size_t j = first; j < self->count; j++) {
            label(labels, &self->list[j]);
            metric_number(out, amounts[i].name, labels, self->list[j].amounts[i]);
        }
    }
    put_limits(self, out);
}
