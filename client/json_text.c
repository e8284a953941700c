/* Writing JSON. Strings are UTF-8 already, as in every json_t, so only what JSON itself escapes is looked for. */
#include "client/json_text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

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

static bool add_string(buffer *to, const char *text, size_t size) {
    if (!buffer_add(to, "\"", 1)) return false;
    for (size_t at = 0, run = 0;; run = ++at) {
        while (at < size && (unsigned char)text[at] >= 0x20 && text[at] != '"' && text[at] != '\\') at++;
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
