/* JSON as text: what jansson's json_dumps writes on one line, in a tenth of its time. Every call writes its body, so that is a good part of what a
 * call costs (tests/bench/bench_call.c), and the daemon writes each call's messages and response: a quarter of its work was jansson's (bench_store.c).
 */
#ifndef STENO_JSON_TEXT_H
#define STENO_JSON_TEXT_H

#include <jansson.h>

#include "schema/buffer.h"
#include "schema/event.h"

/* Appends the text of `json`, which is borrowed. False when memory is short: what was appended is then of no use. */
bool json_text_add(buffer *to, const json_t *json);
/* The same of a decoded value: the text of value_to_json, but that a map's key that comes twice stays twice. */
bool json_text_add_value(buffer *to, const steno_value *value);
/* How many of the bytes from `text` on stand in a JSON string as they are: up to the first quote, backslash or control character. */
size_t json_text_plain(const char *text, size_t size);

#endif
