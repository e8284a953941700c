/* Metrics: what the calls add up to, in series of equal attributes. Invariant: an event is counted once, whatever comes again: `offset` says up to where.
 * Series are bounded; what would be one too many is counted in the series `otel.metric.overflow`.
 */
#ifndef SUBSCRIBERS_OTLP_SUMS_H
#define SUBSCRIBERS_OTLP_SUMS_H

#include "subscribers/otlp_call.h"
#include "subscribers/otlp_names.h"
#include "subscribers/otlp_resource.h"

/* The cardinality limit of the metrics SDK specification, for all metrics of this program together. */
#define OTLP_SERIES_MAX 2000

/* aggregation_temporality */
#define OTLP_DELTA 1
#define OTLP_CUMULATIVE 2

typedef struct otlp_series otlp_series;

/* One thread. Begin with otlp_sums_begin. */
typedef struct otlp_sums {
    otlp_arena arena; /* of the series */
    otlp_semconv semconv;
    const otlp_resource_set *set; /* borrowed */
    steno_prices *prices;         /* borrowed; NULL: the built-in ones */
    otlp_series **series;
    size_t count, room;
    uint64_t start_ns; /* since when it is added up */
    uint64_t offset;   /* every event up to it is in the sums */
    char call_id[129]; /* of the event at that offset */
} otlp_sums;

void otlp_sums_begin(otlp_sums *sums, otlp_semconv semconv, const otlp_resource_set *set, steno_prices *prices,
                     uint64_t now_ns);
/* Counts an event, unless it was counted before. */
void otlp_sums_add(otlp_sums *sums, const steno_event *event);
/* From zero again, from now on; what was counted stays counted. */
void otlp_sums_reset(otlp_sums *sums, uint64_t now_ns);
void otlp_sums_end(otlp_sums *sums);

/* As a request; NULL: there is nothing. Lies in the arena, and borrows from the sums until they change. */
Otlp__MetricsRequest *otlp_sums_request(const otlp_sums *sums, otlp_arena *arena, int temporality, uint64_t now_ns);
/* Takes back what otlp_sums_request gave (of metrics that are still known). */
void otlp_sums_restore(otlp_sums *sums, const Otlp__MetricsRequest *request);

#endif
