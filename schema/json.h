/* JSON to msgpack and back, for the parts that speak JSON (jansson): providers' replies, `steno emit`, --json. */
#ifndef STENO_JSON_H
#define STENO_JSON_H

#include <jansson.h>

#include "schema/event.h"

/* jansson flags for every text from outside: any value at the top, NUL inside strings, nothing after the end. */
#define JSON_FLAGS_IN (JSON_DECODE_ANY | JSON_ALLOW_NUL)
/* For text that Steno writes: one line, exact doubles. */
#define JSON_FLAGS_OUT (JSON_COMPACT | JSON_ENCODE_ANY)

/* A JSON value as a draft field. What lies deeper than STENO_EVENT_DEPTH_MAX becomes a string of JSON text. */
void draft_json(steno_draft *draft, const char *name, const json_t *json);
/* A value as JSON, a new reference; NULL when memory is short. Bytes become base64, NaN and infinities null,
 * invalid UTF-8 U+FFFD, keys that are no strings their JSON text.
 */
json_t *value_to_json(const steno_value *value);
/* Parses JSON text from outside, at most STENO_DRAFT_BYTES_MAX. NULL with `error` (STENO_CORRUPT, line and column) if it is none. */
json_t *json_parse(const char *text, size_t size, steno_error *error);

#endif
