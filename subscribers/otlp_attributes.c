#include "subscribers/otlp_attributes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static Otlp__AnyValue *new_value(otlp_arena *arena, Otlp__AnyValue__ValueCase kind) {
    Otlp__AnyValue *value = otlp_arena_take(arena, sizeof *value);
    otlp__any_value__init(value);
    value->value_case = kind;
    return value;
}

/* NULL: the list is full. */
static Otlp__AnyValue *put(otlp_attributes *self, const char *key, Otlp__AnyValue__ValueCase kind) {
    if (self->count == OTLP_ATTRIBUTES_MAX) {
        self->dropped++;
        return NULL;
    }
    otlp_arena_grow(self->arena, (void **)&self->items, self->count, &self->room, sizeof(void *));
    Otlp__KeyValue *item = otlp_arena_take(self->arena, sizeof *item);
    otlp__key_value__init(item);
    item->key = (char *)(uintptr_t)key;
    item->value = new_value(self->arena, kind);
    self->items[self->count++] = item;
    return item->value;
}

void otlp_put_text(otlp_attributes *self, const char *key, const char *text) {
    if (!text) return;
    if (strlen(text) > OTLP_TEXT_BYTES_MAX) {
        self->dropped++;
        return;
    }
    Otlp__AnyValue *value = put(self, key, OTLP__ANY_VALUE__VALUE_STRING_VALUE);
    if (value) value->string_value = (char *)(uintptr_t)text;
}

void otlp_put_int(otlp_attributes *self, const char *key, int64_t number) {
    Otlp__AnyValue *value = put(self, key, OTLP__ANY_VALUE__VALUE_INT_VALUE);
    if (value) value->int_value = number;
}

void otlp_put_double(otlp_attributes *self, const char *key, double number) {
    if (!isfinite(number)) return; /* JSON has none */
    Otlp__AnyValue *value = put(self, key, OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE);
    if (value) value->double_value = number;
}

void otlp_put_bool(otlp_attributes *self, const char *key, bool yes) {
    Otlp__AnyValue *value = put(self, key, OTLP__ANY_VALUE__VALUE_BOOL_VALUE);
    if (value) value->bool_value = yes;
}

void otlp_put_texts(otlp_attributes *self, const char *key, const char *const *texts, size_t count) {
    Otlp__AnyValue *value = count ? put(self, key, OTLP__ANY_VALUE__VALUE_ARRAY_VALUE) : NULL;
    if (!value) return;
    Otlp__ArrayValue *list = otlp_arena_take(self->arena, sizeof *list);
    otlp__array_value__init(list);
    list->n_values = count;
    list->values = otlp_arena_take(self->arena, count * sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        list->values[i] = new_value(self->arena, OTLP__ANY_VALUE__VALUE_STRING_VALUE);
        list->values[i]->string_value = (char *)(uintptr_t)texts[i];
    }
    value->array_value = list;
}

/* ---- out of an event ---- */

static bool is_number(const steno_value *value) {
    return steno_value_type(value) == STENO_TYPE_INT || steno_value_type(value) == STENO_TYPE_DOUBLE;
}

void otlp_put_string_of(otlp_attributes *self, const char *key, const steno_value *value) {
    if (steno_value_type(value) == STENO_TYPE_STRING) otlp_put_text(self, key, steno_value_string(value, NULL));
}

void otlp_put_int_of(otlp_attributes *self, const char *key, const steno_value *value) {
    if (is_number(value)) otlp_put_int(self, key, steno_value_int(value, 0));
}

void otlp_put_double_of(otlp_attributes *self, const char *key, const steno_value *value) {
    if (is_number(value)) otlp_put_double(self, key, steno_value_double(value, 0));
}

void otlp_put_texts_of(otlp_attributes *self, const char *key, const steno_value *value) {
    const char *alone = steno_value_type(value) == STENO_TYPE_STRING ? steno_value_string(value, NULL) : NULL;
    if (alone) otlp_put_texts(self, key, &alone, 1);
    const size_t count = steno_value_type(value) == STENO_TYPE_ARRAY ? steno_value_count(value) : 0;
    if (!count) return;
    const char **texts = otlp_arena_take(self->arena, count * sizeof *texts);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const steno_value *each = steno_value_at(value, i);
        if (steno_value_type(each) == STENO_TYPE_STRING) texts[used++] = steno_value_string(each, NULL);
    }
    otlp_put_texts(self, key, texts, used);
}

void otlp_put_json_of(otlp_attributes *self, const char *key, const steno_value *value) {
    if (!value || steno_value_type(value) == STENO_TYPE_NIL) return;
    char *json = otlp_memory(steno_value_json(value));
    if (strlen(json) > OTLP_TEXT_BYTES_MAX)
        self->dropped++;
    else
        otlp_put_text(self, key, otlp_arena_text(self->arena, json));
    free(json);
}

const Otlp__AnyValue *otlp_attribute(Otlp__KeyValue *const *items, size_t count, const char *key) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(items[i]->key, key)) return items[i]->value;
    return NULL;
}
