/* Whose telemetry it is: the app that made the call is the service. Attributes that the user set go before what the event says. */
#ifndef SUBSCRIBERS_OTLP_RESOURCE_H
#define SUBSCRIBERS_OTLP_RESOURCE_H

#include "schema/event.h"
#include "subscribers/otlp_attributes.h"

typedef struct otlp_pair {
    char *key, *value;
} otlp_pair;

/* What the user set: OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME. Owned. */
typedef struct otlp_resource_set {
    otlp_pair *items;
    size_t count;
} otlp_resource_set;

/* `detailed`: with what differs between processes of one app (version, pid), which is fine for spans and would make series without end. */
Otlp__Resource *otlp_resource(otlp_arena *arena, const steno_event *event, const otlp_resource_set *set, bool detailed);
/* The same attributes? */
bool otlp_resource_equal(const Otlp__Resource *a, const Otlp__Resource *b);
/* The same key with the same value, in order. */
bool otlp_attributes_equal(Otlp__KeyValue *const *a, size_t a_count, Otlp__KeyValue *const *b, size_t b_count);

/* The scope of everything: this program. */
Otlp__Scope *otlp_scope(otlp_arena *arena);

#endif
