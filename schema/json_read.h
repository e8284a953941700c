/* JSON as it usually is, read in a fifth of jansson's time: a reply's text was looked at byte by byte there, and that was more than half of what a call
 * cost (tests/bench/bench_call.c).
 */
#ifndef STENO_JSON_READ_H
#define STENO_JSON_READ_H

#include <jansson.h>

/* Deeper values are left to jansson, which reads down to 2,048. */
#define JSON_READ_DEPTH_MAX 128

/* The value that json_loadb has for the text by JSON_FLAGS_IN, a new reference. NULL: the text is no JSON, or is left to jansson, or memory is short;
 * json_loadb then tells which.
 */
json_t *json_read(const char *text, size_t size);

#endif
