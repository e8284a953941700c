/* A cache of any kind. */
#include <time.h>

#include "client/cache_kind.h"

int64_t cache_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool cache_get(cache *self, const char *key, cache_hit *out) { return self->kind->get(self, key, out); }

void cache_put(cache *self, const char *key, const char *text, size_t size, int64_t ttl_ms) {
    self->kind->put(self, key, text, size, ttl_ms > 0 ? ttl_ms : self->ttl_ms);
}

void cache_free(cache *self) {
    if (self) self->kind->free(self);
}
