#include "tests/unit/otlp_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "schema/json.h"
#include "subscribers/otlp_json.h"

#define EVENTS_MAX 8192

static struct {
    steno_event *event;
    void *body;
} made[EVENTS_MAX];
static size_t made_count;
static char *shown;

const steno_event *otlp_check_event(uint64_t offset, const char *text) {
    steno_error error;
    json_t *json = json_parse(text, strlen(text), &error);
    if (!json) fail_msg("%s: %s", error.message, text);
    steno_draft *draft = steno_draft_new();
    steno_draft_start(draft);
    const char *name;
    json_t *value;
    json_object_foreach(json, name, value) draft_json(draft, name, value);
    const void *body;
    size_t size;
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    assert_true(made_count < EVENTS_MAX);
    made[made_count].body = memcpy(malloc(size), body, size);
    assert_int_equal(steno_event_decode(made[made_count].body, size, &made[made_count].event, NULL), STENO_OK);
    steno_event_set_offset(made[made_count].event, offset);
    steno_draft_free(draft);
    json_decref(json);
    return made[made_count++].event;
}

void otlp_check_clear(void) {
    for (size_t i = 0; i < made_count; i++) {
        steno_event_free(made[i].event);
        free(made[i].body);
    }
    made_count = 0;
    free(shown);
    shown = NULL;
}

static json_t *plain(const Otlp__AnyValue *value) {
    switch (value->value_case) {
    case OTLP__ANY_VALUE__VALUE_STRING_VALUE: return json_string(value->string_value);
    case OTLP__ANY_VALUE__VALUE_BOOL_VALUE: return json_boolean(value->bool_value);
    case OTLP__ANY_VALUE__VALUE_INT_VALUE: return json_integer(value->int_value);
    case OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE: return json_real(value->double_value);
    case OTLP__ANY_VALUE__VALUE_ARRAY_VALUE: {
        json_t *list = json_array();
        for (size_t i = 0; i < value->array_value->n_values; i++)
            json_array_append_new(list, plain(value->array_value->values[i]));
        return list;
    }
    default: fail(); return NULL;
    }
}

const char *otlp_check_attributes(Otlp__KeyValue *const *items, size_t count) {
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        assert_null(json_object_get(object, items[i]->key)); /* none twice */
        json_object_set_new(object, items[i]->key, plain(items[i]->value));
    }
    free(shown);
    shown = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(object);
    return shown;
}

const char *otlp_check_text(Otlp__KeyValue *const *items, size_t count, const char *key) {
    const Otlp__AnyValue *value = otlp_attribute(items, count, key);
    return value && value->value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE ? value->string_value : NULL;
}
