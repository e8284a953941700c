/* What a terminal event says of its call, read once for spans and metrics, so that both say the same. */
#ifndef SUBSCRIBERS_OTLP_CALL_H
#define SUBSCRIBERS_OTLP_CALL_H

#include "client/steno.h"
#include "subscribers/otlp_arena.h"

/* All texts are borrowed from the event, the arena, or static; NULL: not known. */
typedef struct otlp_call {
    const steno_event *event;
    bool failed, stream, cache_hit, embedding;
    const char *call_id;
    const char *operation; /* gen_ai.operation.name */
    const char *provider;  /* gen_ai.provider.name */
    const char *model;     /* as asked for */
    const char *response_model;
    const char *address;        /* of the server */
    int64_t port;               /* 0: not known */
    const char *error_type;     /* "_OTHER" where a failure has none */
    const char *error_message;  /* may quote what was asked */
    int64_t error_status;       /* HTTP's; 0: not known */
    uint64_t start_ns, end_ns;  /* end ≥ start */
    double seconds;             /* from start to end; < 0: not known */
    double first_chunk_seconds; /* < 0: not known */
    double cost_usd;            /* < 0: not known */
    const steno_value *params;  /* optional_params */
    const steno_value *response;
    const steno_value *usage; /* NULL where nothing was used: a cache answered */
} otlp_call;

/* Beyond these a figure is nonsense, and counts as not reported: one of them would spoil a sum for ever. */
#define OTLP_TOKENS_MAX (INT64_C(1) << 40)
#define OTLP_CALL_SECONDS_MAX 1e7

/* False: the event ends no call. `prices` NULL: the built-in ones. */
bool otlp_call_read(otlp_arena *arena, const steno_event *event, steno_prices *prices, otlp_call *out);

/* Unix seconds as nanoseconds, to the microsecond that a double keeps; 0 where it is no time. */
uint64_t otlp_nanoseconds(const steno_value *seconds);
/* A figure of `usage`; -1: not reported. */
int64_t otlp_usage(const otlp_call *call, const char *name);
/* What may be said of an error where nothing may that was asked or answered: its type, and HTTP's status. */
const char *otlp_error_summary(otlp_arena *arena, const char *type, int64_t http_status);

#endif
