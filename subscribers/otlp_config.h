/* Where to, how, and what: the options of steno-otlp and OpenTelemetry's variables as one set of decisions. Options go before variables, a signal's own
 * variable before the general one. With a preset (--to), its own variables stand in place of the general ones, so that a collector's headers do not go
 * to somebody else. Secrets come from the environment or a file, never from the command line.
 */
#ifndef SUBSCRIBERS_OTLP_CONFIG_H
#define SUBSCRIBERS_OTLP_CONFIG_H

#include "schema/error.h"
#include "subscribers/otlp_resource.h"
#include "subscribers/otlp_span.h"

typedef enum otlp_signal { OTLP_TRACES, OTLP_METRICS } otlp_signal;
#define OTLP_SIGNALS 2

#define OTLP_HEADERS_MAX 32

/* How one signal is sent. */
typedef struct otlp_route {
    bool on;
    char *url;
    char *headers[OTLP_HEADERS_MAX + 1]; /* "Name: value", then NULL; no name twice */
    size_t header_count;
    bool json, gzip;
    int64_t timeout_ms;
    const char *trusted, *certificate, *key; /* files in PEM, of the environment; NULL: none */
} otlp_route;

/* As they stand on the command line; NULL: not given. Borrowed. */
typedef struct otlp_options {
    const char *to; /* "langfuse", "phoenix" */
    const char *endpoint, *protocol, *compression, *signals, *semconv, *attributes, *attempts, *temporality, *service;
    const char *headers[OTLP_HEADERS_MAX], *header_file; /* "Name: value" */
    size_t header_count;
    int64_t timeout_ms, metrics_ms; /* 0: not given */
    bool content;
} otlp_options;

typedef struct otlp_config {
    otlp_route routes[OTLP_SIGNALS];
    otlp_mapping mapping;
    otlp_resource_set resource;
    bool delta;
    int64_t metrics_ms; /* between two exports of the cumulative metrics */
} otlp_config;

/* Errors (STENO_INVALID) name the option or variable, never a header's value. */
steno_status otlp_config_make(const otlp_options *options, otlp_config *out, steno_error *error);
void otlp_config_free(otlp_config *config);

#endif
