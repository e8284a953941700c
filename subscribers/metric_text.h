/* The Prometheus text exposition format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats): families, samples, labels. Writes to a stream;
 * whether that could take it is known when it is closed.
 */
#ifndef SUBSCRIBERS_METRIC_TEXT_H
#define SUBSCRIBERS_METRIC_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define METRIC_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Seconds: bounds that double from 10 ms to 5½ minutes, which are those of OpenTelemetry's gen_ai.client.operation.duration and two more. */
#define METRIC_BOUNDS 16
extern const double metric_bounds[METRIC_BOUNDS];

typedef struct metric_histogram {
    uint64_t counts[METRIC_BOUNDS +
                    1]; /* each observation once: in the first bound that it does not exceed, else the last */
    double sum;
} metric_histogram;

void metric_observe(metric_histogram *self, double seconds);
uint64_t metric_observed(const metric_histogram *self);

/* A label list ends with a name of NULL. Values may be any UTF-8. NULL instead of a list: no labels. */
typedef struct metric_label {
    const char *name, *value;
} metric_label;

/* The head of a family; its samples follow. `type`: counter, gauge, histogram. */
void metric_family(FILE *out, const char *name, const char *type, const char *help);
void metric_count(FILE *out, const char *name, const metric_label *labels, uint64_t value);
void metric_number(FILE *out, const char *name, const metric_label *labels, double value);
void metric_histogram_put(FILE *out, const char *name, const metric_label *labels, const metric_histogram *value);

#endif
