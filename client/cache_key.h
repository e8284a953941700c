/* The key of a cached response: SHA-256 over all that shapes the answer, and nothing else. */
#ifndef CLIENT_CACHE_KEY_H
#define CLIENT_CACHE_KEY_H

#include <jansson.h>
#include <stdbool.h>

/* SHA-256 as hex, with NUL. */
#define CACHE_KEY_BYTES 65

/* Over `parts` (ends with NULL) and the body as sent. The order of an object's members does not matter, that of an array's elements does; 1 and 1.0
 * are different. Members of the body that say nothing about the answer (`stream`, `user`, …) are left out. False when memory is short.
 */
bool cache_key_make(const char *const *parts, const json_t *body, char out[CACHE_KEY_BYTES]);

#endif
