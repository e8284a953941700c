/* Reading decoded msgpack: the value accessors of event.h. Values are not changed once a tree is decoded. */
#include "schema/value.h"

#include <stdlib.h>
#include <string.h>

#include "schema/clean.h"
#include "schema/json_text.h"
#include "schema/msgpack_check.h"

/* Where decoded values are put, a chunk at a time; larger events take msgpack-c's own size. */
#define CHUNK_BYTES 2048
#define LARGE_BYTES 4096

/* Puts a NUL after each string and bytes value. The byte there is the header of what follows, which has been read by now,
 * or the one that the copy has to spare. Where there are no bytes msgpack-c leaves the pointer undefined.
 */
static void terminate(msgpack_object *object) {
    switch (object->type) {
    case MSGPACK_OBJECT_STR:
        if (object->via.str.size == 0)
            object->via.str.ptr = "";
        else
            ((char *)(uintptr_t)object->via.str.ptr)[object->via.str.size] = '\0';
        break;
    case MSGPACK_OBJECT_BIN:
        if (object->via.bin.size == 0)
            object->via.bin.ptr = "";
        else
            ((char *)(uintptr_t)object->via.bin.ptr)[object->via.bin.size] = '\0';
        break;
    case MSGPACK_OBJECT_ARRAY:
        for (uint32_t i = 0; i < object->via.array.size; i++) terminate(&object->via.array.ptr[i]);
        break;
    case MSGPACK_OBJECT_MAP:
        for (uint32_t i = 0; i < object->via.map.size; i++) {
            terminate(&object->via.map.ptr[i].key);
            terminate(&object->via.map.ptr[i].val);
        }
        break;
    default: break;
    }
}

steno_status value_tree_decode(const void *bytes, size_t size, size_t size_max, value_tree *out, steno_error *error) {
    *out = (value_tree){0};
    if (size > size_max)
        return steno_fail(error, STENO_LIMIT, "%zu bytes are more than the limit of %zu", size, size_max);
    steno_status status = msgpack_check(bytes, size, STENO_EVENT_DEPTH_MAX, STENO_EVENT_VALUES_MAX, error);
    if (status) return status;
    out->text = malloc(size + 1);
    if (!out->text) return steno_fail(error, STENO_NO_MEMORY, "no memory for an event of %zu bytes", size);
    memcpy(out->text, bytes, size);
    msgpack_unpacked_init(&out->unpacked);
    /* msgpack_unpack_next would take chunks of 8 KiB, four times what an ordinary event needs: the daemon holds hundreds. */
    out->unpacked.zone = msgpack_zone_new(size < LARGE_BYTES ? CHUNK_BYTES : MSGPACK_ZONE_CHUNK_SIZE);
    size_t at = 0;
    if (!out->unpacked.zone ||
        msgpack_unpack(out->text, size, &at, out->unpacked.zone, &out->unpacked.data) != MSGPACK_UNPACK_SUCCESS) {
        value_tree_free(out);
        return steno_fail(error, STENO_NO_MEMORY, "msgpack-c could not unpack %zu bytes", size);
    }
    terminate(&out->unpacked.data);
    return STENO_OK;
}

void value_tree_free(value_tree *tree) {
    msgpack_unpacked_destroy(&tree->unpacked);
    free(tree->text);
    *tree = (value_tree){0};
}

steno_type steno_value_type(const steno_value *value) {
    if (!value) return STENO_TYPE_NIL;
    switch (value_object(value)->type) {
    case MSGPACK_OBJECT_BOOLEAN: return STENO_TYPE_BOOL;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: return STENO_TYPE_INT;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: return STENO_TYPE_DOUBLE;
    case MSGPACK_OBJECT_STR: return STENO_TYPE_STRING;
    case MSGPACK_OBJECT_BIN: return STENO_TYPE_BYTES;
    case MSGPACK_OBJECT_ARRAY: return STENO_TYPE_ARRAY;
    case MSGPACK_OBJECT_MAP: return STENO_TYPE_MAP;
    default: return STENO_TYPE_NIL;
    }
}

const steno_value *steno_value_get(const steno_value *map, const char *key) {
    if (steno_value_type(map) != STENO_TYPE_MAP) return NULL;
    const msgpack_object_map *entries = &value_object(map)->via.map;
    size_t size = strlen(key);
    for (uint32_t i = 0; i < entries->size; i++) {
        const msgpack_object *name = &entries->ptr[i].key;
        /* The first byte tells most names apart without a call. */
        if (name->type == MSGPACK_OBJECT_STR && name->via.str.size == size &&
            (size == 0 || (name->via.str.ptr[0] == key[0] && !memcmp(name->via.str.ptr, key, size))))
            return object_value(&entries->ptr[i].val);
    }
    return NULL;
}

size_t steno_value_count(const steno_value *value) {
    switch (steno_value_type(value)) {
    case STENO_TYPE_ARRAY: return value_object(value)->via.array.size;
    case STENO_TYPE_MAP: return value_object(value)->via.map.size;
    default: return 0;
    }
}

const steno_value *steno_value_at(const steno_value *value, size_t index) {
    if (index >= steno_value_count(value)) return NULL;
    const msgpack_object *object = value_object(value);
    return object_value(object->type == MSGPACK_OBJECT_ARRAY ? &object->via.array.ptr[index]
                                                             : &object->via.map.ptr[index].val);
}

const char *steno_value_key_at(const steno_value *map, size_t index) {
    if (steno_value_type(map) != STENO_TYPE_MAP || index >= steno_value_count(map)) return NULL;
    const msgpack_object *key = &value_object(map)->via.map.ptr[index].key;
    return key->type == MSGPACK_OBJECT_STR ? key->via.str.ptr : NULL;
}

const char *steno_value_string(const steno_value *value, size_t *size) {
    steno_type type = steno_value_type(value);
    if (type != STENO_TYPE_STRING && type != STENO_TYPE_BYTES) return NULL;
    const msgpack_object *object = value_object(value);
    bool string = type == STENO_TYPE_STRING;
    if (size) *size = string ? object->via.str.size : object->via.bin.size;
    return string ? object->via.str.ptr : object->via.bin.ptr;
}

int64_t steno_value_int(const steno_value *value, int64_t otherwise) {
    if (!value) return otherwise;
    const msgpack_object *object = value_object(value);
    switch (object->type) {
    case MSGPACK_OBJECT_BOOLEAN: return object->via.boolean;
    case MSGPACK_OBJECT_POSITIVE_INTEGER: return object->via.u64 > INT64_MAX ? INT64_MAX : (int64_t)object->via.u64;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: return object->via.i64;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: {
        double number = object->via.f64;
        if (number != number) return otherwise;
        if (number >= 0x1p63) return INT64_MAX;
        return number <= -0x1p63 ? INT64_MIN : (int64_t)number;
    }
    default: return otherwise;
    }
}

double steno_value_double(const steno_value *value, double otherwise) {
    if (!value) return otherwise;
    const msgpack_object *object = value_object(value);
    switch (object->type) {
    case MSGPACK_OBJECT_BOOLEAN: return object->via.boolean;
    case MSGPACK_OBJECT_POSITIVE_INTEGER: return (double)object->via.u64;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: return (double)object->via.i64;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: return object->via.f64;
    default: return otherwise;
    }
}

bool steno_value_bool(const steno_value *value, bool otherwise) {
    switch (steno_value_type(value)) {
    case STENO_TYPE_BOOL:
    case STENO_TYPE_INT:
    case STENO_TYPE_DOUBLE: return steno_value_double(value, 0) != 0;
    default: return otherwise;
    }
}

char *steno_value_json(const steno_value *value) {
    buffer text = {0};
    if (json_text_add_value(&text, value)) return text.bytes;
    buffer_free(&text);
    return NULL;
}
