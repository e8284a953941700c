/* A steno_value is a msgpack_object under another name: these are the conversions, for the rooms of schema alone. */
#ifndef STENO_VALUE_H
#define STENO_VALUE_H

#include <msgpack.h>

#include "schema/event.h"

static inline const msgpack_object *value_object(const steno_value *value) { return (const msgpack_object *)value; }
static inline const steno_value *object_value(const msgpack_object *object) { return (const steno_value *)object; }

/* Decoded msgpack of ours: checked, copied, every string in the copy followed by a NUL. */
typedef struct value_tree {
    char *text;
    msgpack_unpacked unpacked;
} value_tree;

/* At most `size_max` bytes. */
steno_status value_tree_decode(const void *bytes, size_t size, size_t size_max, value_tree *out, steno_error *error);
void value_tree_free(value_tree *tree);

#endif
