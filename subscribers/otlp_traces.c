#include "subscribers/otlp_traces.h"

static Otlp__ResourceSpans *group_for(otlp_arena *arena, Otlp__TraceRequest *request, size_t *room,
                                      Otlp__Resource *resource, otlp_semconv semconv) {
    for (size_t i = 0; i < request->n_resource_spans; i++)
        if (otlp_resource_equal(request->resource_spans[i]->resource, resource)) return request->resource_spans[i];
    Otlp__ResourceSpans *group = otlp_arena_take(arena, sizeof *group);
    otlp__resource_spans__init(group);
    group->resource = resource;
    group->n_scope_spans = 1;
    group->scope_spans = otlp_arena_take(arena, sizeof(void *));
    Otlp__ScopeSpans *spans = group->scope_spans[0] = otlp_arena_take(arena, sizeof *spans);
    otlp__scope_spans__init(spans);
    spans->scope = otlp_scope(arena);
    spans->schema_url = (char *)(uintptr_t)otlp_semconv_url(semconv);
    otlp_arena_grow(arena, (void **)&request->resource_spans, request->n_resource_spans, room, sizeof(void *));
    return request->resource_spans[request->n_resource_spans++] = group;
}

Otlp__TraceRequest *otlp_traces(otlp_arena *arena, const steno_event *const *events, size_t count,
                                const otlp_mapping *mapping, const otlp_resource_set *set, size_t *spans) {
    Otlp__TraceRequest *request = otlp_arena_take(arena, sizeof *request);
    otlp__trace_request__init(request);
    size_t room = 0;
    *spans = 0;
    for (size_t i = 0; i < count; i++) {
        Otlp__Span *span = otlp_span(arena, events[i], mapping);
        if (!span) continue;
        Otlp__Resource *resource = otlp_resource(arena, events[i], set, true);
        Otlp__ScopeSpans *group = group_for(arena, request, &room, resource, mapping->semconv)->scope_spans[0];
        /* As many as there can be, on the first: a batch is small. */
        if (!group->spans) group->spans = otlp_arena_take(arena, (count - i) * sizeof(void *));
        group->spans[group->n_spans++] = span;
        (*spans)++;
    }
    return *spans ? request : NULL;
}
