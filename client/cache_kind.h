/* What the kinds of cache share: the table that cache.c calls them by, and their clock. */
#ifndef CLIENT_CACHE_KIND_H
#define CLIENT_CACHE_KIND_H

#include <time.h>

#include "client/cache.h"

/* Arguments have been checked: 0 < ttl_ms <= CACHE_TTL_MS_MAX, a key of 1 to CACHE_KEY_BYTES_MAX bytes, a text of at least one. */
typedef struct cache_kind {
    bool (*get)(cache *self, const char *key, cache_hit *out);
    void (*put)(cache *self, const char *key, const char *text, size_t size, int64_t ttl_ms);
    void (*free)(cache *self);
} cache_kind;

/* The first member of each kind's struct. */
struct cache {
    const cache_kind *kind;
    int64_t ttl_ms;
};

/* Milliseconds of CLOCK_REALTIME (Unix), CLOCK_MONOTONIC or CLOCK_BOOTTIME. A test may put its own clock here while no other thread uses a cache. */
extern int64_t (*cache_clock_ms)(clockid_t which);

/* Checks and sets what every kind begins with. */
steno_status cache_begin(cache *self, const cache_kind *kind, int64_t ttl_ms, steno_error *error);
/* A copy of `text` as a hit; false when memory is short. */
bool cache_hit_fill(cache_hit *out, const char *text, size_t size, int64_t stored_ms);

#endif
