/* Writing JSON. Strings are UTF-8 already, as in every json_t, so only what JSON itself escapes is looked for. */
#include "schema/json_text.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "schema/json.h"
#include "schema/value.h"

/* Longest number: 17 digits, sign, point and exponent, or 19 digits and sign. */
#define NUMBER_BYTES 64

static bool add_text(buffer *to, const char *text) { return buffer_add(to, text, strlen(text)); }

static bool add_escaped(buffer *to, char c) {
    static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const char *found = memchr(plain, c, sizeof plain - 1);
    char escape[8] = {'\\', found ? letter[found - plain] : 'u'};
    if (!found) snprintf(escape + 2, sizeof escape - 2, "%04X", (unsigned)(unsigned char)c);
    return add_text(to, escape);
}

static bool is_special(unsigned char c) { return c < 0x20 || c == '"' || c == '\\'; }

/* Eight bytes at once: a special one is below what is taken from it, which leaves its highest bit set; so have bytes from 0x80 on, which are not
 * special. A borrow can only come from a byte that is special itself, so the answer for all eight is exact.
 */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
static bool has_special(const char *text) {
    uint64_t word;
    memcpy(&word, text, sizeof word);
    const uint64_t control = word - EACH(0x20), quote = (word ^ EACH('"')) - EACH(1),
                   backslash = (word ^ EACH('\\')) - EACH(1);
    return (control | quote | backslash) & ~word & EACH(0x80);
}

size_t json_text_plain(const char *text, size_t size) {
    size_t at = 0;
    while (size - at >= sizeof(uint64_t) && !has_special(text + at)) at += sizeof(uint64_t);
    while (at < size && !is_special((unsigned char)text[at])) at++;
    return at;
}

static bool add_string(buffer *to, const char *text, size_t size) {
    if (!buffer_add(to, "\"", 1)) return false;
    for (size_t at = 0, run = 0;; run = ++at) {
        at += json_text_plain(text + at, size - at);
        if (!buffer_add(to, text + run, at - run)) return false;
        if (at == size) break;
        if (!add_escaped(to, text[at])) return false;
    }
    return buffer_add(to, "\"", 1);
}

static bool add_number(buffer *to, const json_t *json) {
    char text[NUMBER_BYTES];
    /* jansson writes a real so that it reads back as the same real. */
    size_t size = json_dumpb(json, text, sizeof text, JSON_ENCODE_ANY | JSON_COMPACT);
    return size > 0 && size <= sizeof text && buffer_add(to, text, size);
}

static bool add_object(buffer *to, const json_t *json) {
    const char *key, *before = "{";
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)json, key, value) {
        if (!add_text(to, before) || !add_string(to, key, strlen(key)) || !add_text(to, ":") ||
            !json_text_add(to, value))
            return false;
        before = ",";
    }
    return add_text(to, *before == '{' ? "{}" : "}");
}

static bool add_array(buffer *to, const json_t *json) {
    for (size_t i = 0; i < json_array_size(json); i++)
        if (!add_text(to, i ? "," : "[") || !json_text_add(to, json_array_get(json, i))) return false;
    return add_text(to, json_array_size(json) ? "]" : "[]");
}

bool json_text_add(buffer *to, const json_t *json) {
    switch (json_typeof(json)) {
    case JSON_OBJECT: return add_object(to, json);
    case JSON_ARRAY: return add_array(to, json);
    case JSON_STRING: return add_string(to, json_string_value(json), json_string_length(json));
    case JSON_INTEGER:
    case JSON_REAL: return add_number(to, json);
    case JSON_TRUE: return add_text(to, "true");
    case JSON_FALSE: return add_text(to, "false");
    case JSON_NULL: break;
    }
    return add_text(to, "null");
}

/* ---- decoded values ---- */

/* What is rare: numbers that are no 64-bit integers, bytes. */
static bool add_as_jansson(buffer *to, const steno_value *value) {
    json_t *json = value_to_json(value);
    const bool added = json && json_text_add(to, json);
    json_decref(json);
    return added;
}

static bool add_integer(buffer *to, int64_t number) {
    char text[NUMBER_BYTES];
    return buffer_add(to, text, (size_t)snprintf(text, sizeof text, "%" PRId64, number));
}

/* A key that is no string appears as its JSON text. */
static bool add_key(buffer *to, const msgpack_object *key) {
    if (key->type == MSGPACK_OBJECT_STR) return add_string(to, key->via.str.ptr, key->via.str.size);
    buffer text = {0};
    const bool added = json_text_add_value(&text, object_value(key)) && add_string(to, buffer_text(&text), text.size);
    buffer_free(&text);
    return added;
}

static bool add_map(buffer *to, const msgpack_object_map *map) {
    for (uint32_t i = 0; i < map->size; i++)
        if (!add_text(to, i ? "," : "{") || !add_key(to, &map->ptr[i].key) || !add_text(to, ":") ||
            !json_text_add_value(to, object_value(&map->ptr[i].val)))
            return false;
    return add_text(to, map->size ? "}" : "{}");
}

static bool add_elements(buffer *to, const msgpack_object_array *array) {
    for (uint32_t i = 0; i < array->size; i++)
        if (!add_text(to, i ? "," : "[") || !json_text_add_value(to, object_value(&array->ptr[i]))) return false;
    return add_text(to, array->size ? "]" : "[]");
}

bool json_text_add_value(buffer *to, const steno_value *value) {
    if (!value) return add_text(to, "null");
    const msgpack_object *object = value_object(value);
    switch (object->type) {
    case MSGPACK_OBJECT_NIL: return add_text(to, "null");
    case MSGPACK_OBJECT_BOOLEAN: return add_text(to, object->via.boolean ? "true" : "false");
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return object->via.u64 > INT64_MAX ? add_as_jansson(to, value) : add_integer(to, (int64_t)object->via.u64);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: return add_integer(to, object->via.i64);
    case MSGPACK_OBJECT_STR: return add_string(to, object->via.str.ptr, object->via.str.size);
    case MSGPACK_OBJECT_ARRAY: return add_elements(to, &object->via.array);
    case MSGPACK_OBJECT_MAP: return add_map(to, &object->via.map);
    default: return add_as_jansson(to, value);
    }
}
