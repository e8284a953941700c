/* What is counted of calls, by provider and model. Invariants: bounded, whatever the models are called; and the same events in the same order make the
 * same counts, so that a state that was saved and the events after it make what would have been without a restart.
 */
#ifndef SUBSCRIBERS_CALL_SERIES_H
#define SUBSCRIBERS_CALL_SERIES_H

#include "client/steno.h"
#include "subscribers/metric_text.h"

/* Pairs of provider and model with series of their own; the calls of others are counted under "other". */
#define CALL_SERIES_DEFAULT 100
#define CALL_SERIES_MAX 1000
/* Longest names, with their NUL; what is beyond is cut. */
#define CALL_SERIES_PROVIDER_BYTES 65
#define CALL_SERIES_MODEL_BYTES 129

/* The last of each is "other": what is not known by name. */
#define CALL_SERIES_TYPES 9
#define CALL_SERIES_ERRORS 16
extern const char *const call_series_types[CALL_SERIES_TYPES];
extern const char *const call_series_errors[CALL_SERIES_ERRORS];

typedef enum call_count {
    COUNT_ATTEMPTS,
    COUNT_RETRIES,
    COUNT_PROMPT,
    COUNT_CACHED,
    COUNT_CACHE_WRITE,
    COUNT_COMPLETION,
    COUNT_REASONING,
    COUNT_UNPRICED,
    COUNT_CACHE_HITS,
    CALL_COUNTS,
} call_count;

typedef enum call_amount { AMOUNT_COST, AMOUNT_SAVED, CALL_AMOUNTS } call_amount;

/* success, failure. */
#define CALL_STATUSES 2

typedef struct series {
    char provider[CALL_SERIES_PROVIDER_BYTES], model[CALL_SERIES_MODEL_BYTES];
    uint64_t calls[CALL_SERIES_TYPES][CALL_STATUSES];
    uint64_t errors[CALL_SERIES_ERRORS];
    uint64_t counts[CALL_COUNTS];
    double amounts[CALL_AMOUNTS]; /* US dollars */
    metric_histogram duration[CALL_STATUSES], first_token;
} series;

typedef struct call_series {
    series *list; /* the first one is "other" */
    size_t count, room;
    size_t limit; /* of pairs beside "other"; a state with more keeps them */
} call_series;

/* False: no memory. */
bool call_series_begin(call_series *self, size_t limit);
void call_series_free(call_series *self);
/* Counts a terminal event; any other changes nothing. `prices` NULL: the built-in ones. */
void call_series_add(call_series *self, const steno_event *event, steno_prices *prices);
/* The series of that pair: its own where it has one or there is room, else "other". */
series *call_series_of(call_series *self, const char *provider, const char *model);
/* Writes all families, and how near the limit is. */
void call_series_put(const call_series *self, FILE *out);

/* The counts as a file, with `offset`: that of the last event that is in them. Replaced as a whole or not at all. */
steno_status call_series_save(const call_series *self, uint64_t offset, const char *path, steno_error *error);
/* Into a new table of that limit. STENO_NOT_FOUND: there is no such file. STENO_CORRUPT: it is none, or not of this version; then the table is as call_series_begin
 * leaves it. */
steno_status call_series_load(call_series *self, size_t limit, uint64_t *offset, const char *path, steno_error *error);

#endif
