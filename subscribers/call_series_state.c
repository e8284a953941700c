/* The counts as a file: JSON, so that people can read it. Names and not positions tell what a number counts. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "schema/clean.h"
#include "schema/json.h"
#include "subscribers/call_series.h"

#define STATE_VERSION 1
/* The largest table takes some 3 MiB. */
#define STATE_BYTES_MAX (64 << 20)

CLEANUP_FUNCTION(clean_json, json_t, json_decref)

static const char *const count_keys[CALL_COUNTS] = {
    "attempts",          "retries",          "prompt_tokens", "cached_tokens", "cache_write_tokens",
    "completion_tokens", "reasoning_tokens", "unpriced",      "cache_hits"};
static const char *const amount_keys[CALL_AMOUNTS] = {"cost_dollars", "saved_dollars"};
static const char *const histogram_keys[] = {"success_seconds", "failure_seconds", "first_token_seconds"};
#define HISTOGRAMS 3

/* One list of a series' histograms, for both directions. */
static void histograms_of(series *one, metric_histogram *out[HISTOGRAMS]) {
    out[0] = &one->duration[0];
    out[1] = &one->duration[1];
    out[2] = &one->first_token;
}

/* ---- writing ---- */

static json_t *count_json(uint64_t count) { return json_integer((json_int_t)count); }

static json_t *histogram_json(const metric_histogram *from) {
    json_t *counts = json_array();
    for (size_t i = 0; i <= METRIC_BOUNDS; i++) json_array_append_new(counts, count_json(from->counts[i]));
    return json_pack("{s:o, s:f}", "counts", counts, "sum", from->sum);
}

static json_t *series_json(series *from) {
    json_t *one = json_object(), *calls = json_object(), *errors = json_object();
    metric_histogram *histograms[HISTOGRAMS];
    histograms_of(from, histograms);
    json_object_set_new(one, "provider", json_string(from->provider));
    json_object_set_new(one, "model", json_string(from->model));
    for (size_t i = 0; i < CALL_SERIES_TYPES; i++)
        if (from->calls[i][0] + from->calls[i][1])
            json_object_set_new(calls, call_series_types[i],
                                json_pack("[o, o]", count_json(from->calls[i][0]), count_json(from->calls[i][1])));
    for (size_t i = 0; i < CALL_SERIES_ERRORS; i++)
        if (from->errors[i]) json_object_set_new(errors, call_series_errors[i], count_json(from->errors[i]));
    json_object_set_new(one, "calls", calls);
    json_object_set_new(one, "errors", errors);
    for (size_t i = 0; i < CALL_COUNTS; i++) json_object_set_new(one, count_keys[i], count_json(from->counts[i]));
    for (size_t i = 0; i < CALL_AMOUNTS; i++) json_object_set_new(one, amount_keys[i], json_real(from->amounts[i]));
    for (size_t i = 0; i < HISTOGRAMS; i++)
        if (metric_observed(histograms[i])) json_object_set_new(one, histogram_keys[i], histogram_json(histograms[i]));
    return one;
}

static json_t *bounds_json(void) {
    json_t *bounds = json_array();
    for (size_t i = 0; i < METRIC_BOUNDS; i++) json_array_append_new(bounds, json_real(metric_bounds[i]));
    return bounds;
}

steno_status call_series_save(const call_series *self, uint64_t offset, const char *path, steno_error *error) {
    cleanup(clean_json) json_t *state = json_object();
    json_t *list = json_array();
    for (size_t i = 0; i < self->count; i++) json_array_append_new(list, series_json(&self->list[i]));
    json_object_set_new(state, "version", json_integer(STATE_VERSION));
    json_object_set_new(state, "offset", count_json(offset));
    json_object_set_new(state, "bounds", bounds_json());
    if (json_object_set_new(state, "series", list) || json_array_size(list) != self->count)
        return steno_fail(error, STENO_NO_MEMORY, "no memory to write %s", path);
    char draft[4096 + 128];
    if (snprintf(draft, sizeof draft, "%s.new", path) >= (int)sizeof draft)
        return steno_fail(error, STENO_INVALID, "%s: the path is too long", path);
    if (json_dump_file(state, draft, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) || rename(draft, path)) {
        const int why = errno;
        unlink(draft);
        return steno_fail(error, STENO_SYSTEM, "cannot write %s: %s", path, strerror(why));
    }
    return STENO_OK;
}

/* ---- reading ---- */

/* A number that only grows is never negative. What is absent is 0. */
static bool read_count(const json_t *value, uint64_t *out) {
    if (!value) return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static bool read_amount(const json_t *value, double *out) {
    if (!value) return true;
    if (!json_is_number(value) || json_number_value(value) < 0) return false;
    *out = json_number_value(value);
    return true;
}

static bool read_histogram(const json_t *from, metric_histogram *into) {
    const json_t *counts = json_object_get(from, "counts");
    if (!from) return true;
    if (json_array_size(counts) != METRIC_BOUNDS + 1 || !read_amount(json_object_get(from, "sum"), &into->sum))
        return false;
    for (size_t i = 0; i <= METRIC_BOUNDS; i++)
        if (!read_count(json_array_get(counts, i), &into->counts[i])) return false;
    return true;
}

static bool read_series(const json_t *from, series *into) {
    const json_t *calls = json_object_get(from, "calls"), *errors = json_object_get(from, "errors");
    metric_histogram *histograms[HISTOGRAMS];
    histograms_of(into, histograms);
    bool good = true;
    for (size_t i = 0; i < CALL_SERIES_TYPES; i++)
        for (size_t status = 0; status < CALL_STATUSES; status++)
            good &= read_count(json_array_get(json_object_get(calls, call_series_types[i]), status),
                               &into->calls[i][status]);
    for (size_t i = 0; i < CALL_SERIES_ERRORS; i++)
        good &= read_count(json_object_get(errors, call_series_errors[i]), &into->errors[i]);
    for (size_t i = 0; i < CALL_COUNTS; i++) good &= read_count(json_object_get(from, count_keys[i]), &into->counts[i]);
    for (size_t i = 0; i < CALL_AMOUNTS; i++)
        good &= read_amount(json_object_get(from, amount_keys[i]), &into->amounts[i]);
    for (size_t i = 0; i < HISTOGRAMS; i++)
        good &= read_histogram(json_object_get(from, histogram_keys[i]), histograms[i]);
    return good;
}

/* Into a table that is empty but for "other" and has room for all. */
static bool read_all(const json_t *list, call_series *into) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *from = json_array_get(list, i);
        const char *provider = json_string_value(json_object_get(from, "provider")),
                   *model = json_string_value(json_object_get(from, "model"));
        if (!provider || !model || !read_series(from, call_series_of(into, provider, model))) return false;
    }
    return true;
}

static json_t *read_file(const char *path, steno_error *error) {
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (fd < 0 || fstat(fd, &about)) {
        steno_fail(error, errno == ENOENT ? STENO_NOT_FOUND : STENO_SYSTEM, "cannot read %s: %s", path,
                   strerror(errno));
        return NULL;
    }
    json_error_t where = {0};
    json_t *state = about.st_size <= STATE_BYTES_MAX ? json_loadfd(fd, 0, &where) : NULL;
    if (!state)
        steno_fail(error, STENO_CORRUPT, "%s, line %d: %s", path, where.line,
                   where.line ? where.text : "it is too large");
    return state;
}

steno_status call_series_load(call_series *self, size_t limit, uint64_t *offset, const char *path, steno_error *error) {
    *self = (call_series){0};
    *offset = 0;
    steno_error why = {0};
    cleanup(clean_json) json_t *state = read_file(path, &why);
    cleanup(clean_json) json_t *bounds = bounds_json();
    const json_t *list = json_object_get(state, "series");
    const size_t kept = json_array_size(list);
    /* Those of a state stay, also where the limit is lower now: to count them elsewhere would be a jump. */
    const size_t room = kept > limit + 1 && kept <= CALL_SERIES_MAX + 1 ? kept - 1 : limit;
    bool good = state && kept <= room + 1 && json_integer_value(json_object_get(state, "version")) == STATE_VERSION &&
                json_equal(json_object_get(state, "bounds"), bounds) &&
                read_count(json_object_get(state, "offset"), offset);
    if (!call_series_begin(self, room)) return steno_fail(error, STENO_NO_MEMORY, "no memory for %zu series", room);
    if (good) good = read_all(list, self);
    self->limit = limit;
    if (good) return STENO_OK;
    call_series_free(self);
    *offset = 0;
    if (!call_series_begin(self, limit)) return steno_fail(error, STENO_NO_MEMORY, "no memory for %zu series", limit);
    if (!why.status) return steno_fail(error, STENO_CORRUPT, "%s: not a state of this version", path);
    if (error) *error = why;
    return why.status;
}
