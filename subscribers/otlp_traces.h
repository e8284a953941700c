/* A batch of events as one trace request, grouped by the apps that they came from. */
#ifndef SUBSCRIBERS_OTLP_TRACES_H
#define SUBSCRIBERS_OTLP_TRACES_H

#include "subscribers/otlp_resource.h"
#include "subscribers/otlp_span.h"

/* NULL: none of the events is a span. *spans says how many there are. Lies in the arena and borrows from the events. */
Otlp__TraceRequest *otlp_traces(otlp_arena *arena, const steno_event *const *events, size_t count,
                                const otlp_mapping *mapping, const otlp_resource_set *set, size_t *spans);

#endif
