/* What a kind of cache is to cache.c. */
#ifndef CLIENT_CACHE_KIND_H
#define CLIENT_CACHE_KIND_H

#include "client/cache.h"

typedef struct cache_kind {
    bool (*get)(cache *self, const char *key, cache_hit *out);
    void (*put)(cache *self, const char *key, const char *text, size_t size, int64_t ttl_ms);
    void (*free)(cache *self);
} cache_kind;

/* Each kind's own struct begins with it. */
struct cache {
    const cache_kind *kind;
    int64_t ttl_ms;
};

/* Unix time in ms. */
int64_t cache_now_ms(void);

#endif
