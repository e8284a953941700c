/* A list of attributes being written. Absent values (NULL, unknown) write nothing, so that a mapping reads as a table. Invariant: no value is larger, and no
 * list longer, than receivers take; what had to be left out is counted in `dropped`.
 */
#ifndef SUBSCRIBERS_OTLP_ATTRIBUTES_H
#define SUBSCRIBERS_OTLP_ATTRIBUTES_H

#include "schema/event.h"
#include "subscribers/otlp.pb-c.h"
#include "subscribers/otlp_arena.h"

/* A longer text is left out: a Collector takes requests of 20 MiB as it comes. */
#define OTLP_TEXT_BYTES_MAX (4u << 20)
/* OpenInference's flattened messages are many; more than this serve no one. */
#define OTLP_ATTRIBUTES_MAX 2048

/* Begin with {.arena = …}. Keys and texts are borrowed and must outlive the arena's contents, or lie in it. */
typedef struct otlp_attributes {
    otlp_arena *arena;
    Otlp__KeyValue **items;
    size_t count, room;
    uint32_t dropped;
} otlp_attributes;

void otlp_put_text(otlp_attributes *self, const char *key, const char *text);
void otlp_put_int(otlp_attributes *self, const char *key, int64_t number);
void otlp_put_double(otlp_attributes *self, const char *key, double number);
void otlp_put_bool(otlp_attributes *self, const char *key, bool value);
/* A list of texts; nothing if it is empty. */
void otlp_put_texts(otlp_attributes *self, const char *key, const char *const *texts, size_t count);

/* Out of an event: a string, a number, a whole number, a list of its strings (or a single one), anything as JSON text. Other types write nothing. */
void otlp_put_string_of(otlp_attributes *self, const char *key, const steno_value *value);
void otlp_put_int_of(otlp_attributes *self, const char *key, const steno_value *value);
void otlp_put_double_of(otlp_attributes *self, const char *key, const steno_value *value);
void otlp_put_texts_of(otlp_attributes *self, const char *key, const steno_value *value);
void otlp_put_json_of(otlp_attributes *self, const char *key, const steno_value *value);

/* The attribute of that name, or NULL. */
const Otlp__AnyValue *otlp_attribute(Otlp__KeyValue *const *items, size_t count, const char *key);

#endif
