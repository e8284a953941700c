/* The key of a call in the cache: SHA-256 over all that shapes the answer. Calls that mean the same have the same key on every machine, and no
 * two that differ: each piece goes in with its kind and its length.
 */
#ifndef CLIENT_CACHE_KEY_H
#define CLIENT_CACHE_KEY_H

#include <jansson.h>
#include <stdbool.h>

/* 64 hex digits and a NUL. */
#define CACHE_KEY_BYTES 65
/* Deeper bodies have no key; more than a JSON parser lets in. */
#define CACHE_KEY_DEPTH_MAX 2048

/* Whether a member of a request's body says how the answer is delivered, billed or filed, and nothing about the answer: the caller leaves it out of
 * the body before making a key. (`service_tier` counts: tiers may be served by different models.)
 */
bool cache_key_ignores(const char *member);

/* The key of a call: `parts` (ends with NULL; their order counts) say who is asked, `body` (borrowed; may be NULL) what. The order of an object's
 * members does not count, that of an array's elements does. Numbers count by value, as JSON means them: 1, 1.0 and 1e0 are the same, "1" is another;
 * strings by their bytes. False: too deep, or no memory; the call then has no key and goes past the cache.
 */
bool cache_key_make(const char *const *parts, const json_t *body, char out[CACHE_KEY_BYTES]);

#endif
