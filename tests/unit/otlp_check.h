/* Events out of JSON text, and looks into attributes, for the tests of steno-otlp. */
#ifndef TESTS_UNIT_OTLP_CHECK_H
#define TESTS_UNIT_OTLP_CHECK_H

#include "subscribers/otlp_attributes.h"

/* An event of that JSON object, with that offset. Its memory is the test program's, to its end or otlp_check_clear. */
const steno_event *otlp_check_event(uint64_t offset, const char *json);
void otlp_check_clear(void);

/* The attributes as one JSON text, sorted by name: texts, numbers, lists of texts. Borrowed until the next call. */
const char *otlp_check_attributes(Otlp__KeyValue *const *items, size_t count);
/* The text of an attribute, or NULL. */
const char *otlp_check_text(Otlp__KeyValue *const *items, size_t count, const char *key);

#endif
