/* JSON as text: what jansson's json_dumps writes on one line, in a tenth of its time. Every call writes its body, so that is a good part of what a
 * call costs (tests/bench/bench_call.c).
 */
#ifndef CLIENT_JSON_TEXT_H
#define CLIENT_JSON_TEXT_H

#include <jansson.h>

#include "client/buffer.h"

/* Appends the text of `json`, which is borrowed. False when memory is short: what was appended is then of no use. */
bool json_text_add(buffer *to, const json_t *json);

#endif
