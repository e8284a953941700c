/* JSON from outside, and decoded msgpack as JSON. The way from JSON to msgpack is in draft.c. */
#include "schema/json.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "schema/clean.h"
#include "schema/json_read.h"
#include "schema/value.h"

json_t *json_parse(const char *text, size_t size, steno_error *error) {
    if (size > STENO_DRAFT_BYTES_MAX) {
        steno_fail(error, STENO_LIMIT, "JSON of %zu bytes, more than the limit of %u", size, STENO_DRAFT_BYTES_MAX);
        return NULL;
    }
    json_t *json = json_read(text, size);
    if (json) return json;
    json_error_t detail;
    json = json_loadb(text, size, JSON_FLAGS_IN, &detail);
    if (!json)
        steno_fail(error, STENO_CORRUPT, "not JSON: %s (line %d, column %d)", detail.text, detail.line, detail.column);
    return json;
}

/* RFC 4648, section 4. */
static json_t *base64(const unsigned char *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    cleanup_free char *text = malloc(size / 3 * 4 + 5);
    if (!text) return NULL;
    size_t length = 0;
    for (size_t at = 0; at < size; at += 3) {
        size_t left = size - at;
        uint32_t group = (uint32_t)bytes[at] << 16;
        if (left > 1) group |= (uint32_t)bytes[at + 1] << 8;
        if (left > 2) group |= bytes[at + 2];
        text[length++] = digits[group >> 18];
        text[length++] = digits[group >> 12 & 63];
        text[length++] = left > 1 ? digits[group >> 6 & 63] : '=';
        text[length++] = left > 2 ? digits[group & 63] : '=';
    }
    return json_stringn_nocheck(text, length);
}

static json_t *object_to_json(const msgpack_object *object);

/* Adds one entry; false when memory is short. Keys that are no strings appear as their JSON text. */
static bool add_entry(json_t *map, const msgpack_object_kv *entry) {
    json_t *value = object_to_json(&entry->val);
    if (!value) return false;
    if (entry->key.type == MSGPACK_OBJECT_STR)
        return !json_object_setn_new_nocheck(map, entry->key.via.str.ptr, entry->key.via.str.size, value);
    json_t *key = object_to_json(&entry->key);
    cleanup_free char *text = key ? json_dumps(key, JSON_FLAGS_OUT) : NULL;
    json_decref(key);
    if (text) return !json_object_set_new_nocheck(map, text, value);
    json_decref(value);
    return false;
}

static json_t *map_to_json(const msgpack_object_map *entries) {
    json_t *map = json_object();
    for (uint32_t i = 0; map && i < entries->size; i++)
        if (!add_entry(map, &entries->ptr[i])) {
            json_decref(map);
            map = NULL;
        }
    return map;
}

static json_t *array_to_json(const msgpack_object_array *elements) {
    json_t *array = json_array();
    for (uint32_t i = 0; array && i < elements->size; i++)
        if (json_array_append_new(array, object_to_json(&elements->ptr[i]))) {
            json_decref(array);
            array = NULL;
        }
    return array;
}

static json_t *object_to_json(const msgpack_object *object) {
    switch (object->type) {
    case MSGPACK_OBJECT_BOOLEAN: return json_boolean(object->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        /* JSON integers end at 2^63 - 1 here; larger ones keep their size, not their last digits. */
        return object->via.u64 > INT64_MAX ? json_real((double)object->via.u64)
                                           : json_integer((json_int_t)object->via.u64);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: return json_integer(object->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: return isfinite(object->via.f64) ? json_real(object->via.f64) : json_null();
    case MSGPACK_OBJECT_STR: return json_stringn_nocheck(object->via.str.ptr, object->via.str.size);
    case MSGPACK_OBJECT_BIN: return base64((const unsigned char *)object->via.bin.ptr, object->via.bin.size);
    case MSGPACK_OBJECT_ARRAY: return array_to_json(&object->via.array);
    case MSGPACK_OBJECT_MAP: return map_to_json(&object->via.map);
    default: return json_null(); /* nil and extension types */
    }
}

json_t *value_to_json(const steno_value *value) { return value ? object_to_json(value_object(value)) : json_null(); }
