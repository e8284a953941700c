/* The cache of responses: texts under keys, for a while. Thread-safe. Invariant: a cache that is down, slow or damaged is an empty one; it never fails
 * or holds up a call.
 */
#ifndef CLIENT_CACHE_H
#define CLIENT_CACHE_H

#include "client/steno.h"

typedef struct cache cache;

typedef struct cache_hit {
    char *text; /* owned by the taker (free) */
    size_t size;
    int64_t stored_ms; /* Unix time in ms */
} cache_hit;

/* False: it is not there, too old, or the cache is down. */
bool cache_get(cache *self, const char *key, cache_hit *out);
/* `ttl_ms` 0: the cache's own. */
void cache_put(cache *self, const char *key, const char *text, size_t size, int64_t ttl_ms);
void cache_free(cache *self);

steno_status cache_memory_new(size_t bytes_max, int64_t ttl_ms, cache **out, steno_error *error);
steno_status cache_sqlite_new(const char *path, size_t bytes_max, int64_t ttl_ms, cache **out, steno_error *error);
steno_status cache_redis_new(const char *url, int64_t ttl_ms, cache **out, steno_error *error);

#endif
