#include "subscribers/otlp_json.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "subscribers/otlp_arena.h"

/* Longest field name. */
#define NAME_BYTES 64

static void camel_case(const char *name, char out[NAME_BYTES]) {
    size_t used = 0;
    for (; *name && used < NAME_BYTES - 1; name++) {
        const bool upper = *name == '_' && name[1] >= 'a' && name[1] <= 'z';
        if (upper) name++;
        out[used++] = upper ? (char)(*name - 'a' + 'A') : *name;
    }
    out[used] = '\0';
}

/* The only bytes in these messages are ids. */
static json_t *hex(const ProtobufCBinaryData *bytes) {
    char text[2 * 32 + 1] = "";
    for (size_t i = 0; i < bytes->len && i < 32; i++) snprintf(text + 2 * i, 3, "%02x", bytes->data[i]);
    return json_string(text);
}

static json_t *decimal(uint64_t number, bool is_signed) {
    char text[24];
    snprintf(text, sizeof text, is_signed ? "%" PRId64 : "%" PRIu64, number);
    return json_string(text);
}

/* One value; `at` points to it. */
static json_t *value_json(ProtobufCType type, const void *at) {
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_ENUM: return json_integer(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32: return json_integer(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64: return decimal(*(const uint64_t *)at, true);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: return decimal(*(const uint64_t *)at, false);
    case PROTOBUF_C_TYPE_FLOAT: return json_real(*(const float *)at);
    case PROTOBUF_C_TYPE_DOUBLE: return json_real(*(const double *)at);
    case PROTOBUF_C_TYPE_BOOL: return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_STRING: return json_string(*(char *const *)at);
    case PROTOBUF_C_TYPE_BYTES: return hex(at);
    case PROTOBUF_C_TYPE_MESSAGE: return otlp_json(*(ProtobufCMessage *const *)at);
    }
    return NULL;
}

static size_t size_of(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: return 8;
    default: return 4;
    }
}

static json_t *list_json(const ProtobufCFieldDescriptor *field, const char *items, size_t count) {
    json_t *list = otlp_memory(json_array());
    for (size_t i = 0; i < count; i++) {
        json_t *value = value_json(field->type, items + i * size_of(field->type));
        if (value) json_array_append_new(list, value);
    }
    return list;
}

/* Is it what a field is when nothing was written? Then protobuf leaves it out, and so does this. */
static bool is_empty(const ProtobufCFieldDescriptor *field, const void *at) {
    if (field->type == PROTOBUF_C_TYPE_STRING) return !*(char *const *)at || !**(char *const *)at;
    if (field->type == PROTOBUF_C_TYPE_BYTES) return !((const ProtobufCBinaryData *)at)->len;
    static const unsigned char zeros[sizeof(uint64_t)];
    return !memcmp(at, zeros, size_of(field->type));
}

static json_t *field_json(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
    const char *base = (const char *)message, *at = base + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        const size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
        return count ? list_json(field, *(const char *const *)(const void *)at, count) : NULL;
    }
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        const uint32_t chosen = *(const uint32_t *)(const void *)(base + field->quantifier_offset);
        return chosen == field->id ? value_json(field->type, at) : NULL;
    }
    return is_empty(field, at) ? NULL : value_json(field->type, at);
}

json_t *otlp_json(const ProtobufCMessage *message) {
    json_t *object = otlp_memory(json_object());
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        char name[NAME_BYTES];
        camel_case(field->name, name);
        json_t *value = field_json(message, field);
        if (value) json_object_set_new_nocheck(object, name, value);
    }
    return object;
}
