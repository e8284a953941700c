#include "subscribers/otlp_resource.h"

#include <string.h>

static bool is_set(const otlp_resource_set *set, const char *key) {
    for (size_t i = 0; i < set->count; i++)
        if (!strcmp(set->items[i].key, key)) return true;
    return false;
}

static void put(otlp_attributes *list, const otlp_resource_set *set, const char *key, const char *value) {
    if (value && *value && !is_set(set, key)) otlp_put_text(list, key, value);
}

Otlp__Resource *otlp_resource(otlp_arena *arena, const steno_event *event, const otlp_resource_set *set,
                              bool detailed) {
    const steno_value *app = steno_event_get(event, "app"), *pid = steno_value_get(app, "pid");
    const char *name = steno_value_string(steno_value_get(app, "name"), NULL);
    otlp_attributes list = {.arena = arena};
    put(&list, set, "service.name", name && *name ? name : "unknown_service");
    put(&list, set, "host.name", steno_value_string(steno_value_get(app, "host"), NULL));
    if (detailed) {
        put(&list, set, "service.version", steno_value_string(steno_value_get(app, "version"), NULL));
        if (!is_set(set, "process.pid")) otlp_put_int_of(&list, "process.pid", pid);
    }
    for (size_t i = 0; i < set->count; i++) otlp_put_text(&list, set->items[i].key, set->items[i].value);
    Otlp__Resource *resource = otlp_arena_take(arena, sizeof *resource);
    otlp__resource__init(resource);
    resource->attributes = list.items;
    resource->n_attributes = list.count;
    return resource;
}

static bool values_equal(const Otlp__AnyValue *a, const Otlp__AnyValue *b) {
    if (a->value_case != b->value_case) return false;
    switch (a->value_case) {
    case OTLP__ANY_VALUE__VALUE_STRING_VALUE: return !strcmp(a->string_value, b->string_value);
    case OTLP__ANY_VALUE__VALUE_BOOL_VALUE: return a->bool_value == b->bool_value;
    case OTLP__ANY_VALUE__VALUE_INT_VALUE: return a->int_value == b->int_value;
    default: return false; /* there are no others in what is compared */
    }
}

bool otlp_attributes_equal(Otlp__KeyValue *const *a, size_t a_count, Otlp__KeyValue *const *b, size_t b_count) {
    if (a_count != b_count) return false;
    for (size_t i = 0; i < a_count; i++)
        if (strcmp(a[i]->key, b[i]->key) || !values_equal(a[i]->value, b[i]->value)) return false;
    return true;
}

bool otlp_resource_equal(const Otlp__Resource *a, const Otlp__Resource *b) {
    return otlp_attributes_equal(a->attributes, a->n_attributes, b->attributes, b->n_attributes);
}

Otlp__Scope *otlp_scope(otlp_arena *arena) {
    Otlp__Scope *scope = otlp_arena_take(arena, sizeof *scope);
    otlp__scope__init(scope);
    scope->name = (char *)(uintptr_t) "steno-otlp";
    scope->version = (char *)(uintptr_t)STENO_BUILD_VERSION;
    return scope;
}
