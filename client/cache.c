/* Hands each call to the kind of cache that it is for, with arguments that every kind may rely on. */
#include "client/cache.h"

#include <stdlib.h>
#include <string.h>

#include "client/cache_kind.h"

static int64_t system_clock_ms(clockid_t which) {
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t (*cache_clock_ms)(clockid_t which) = system_clock_ms;

static bool key_is_possible(const char *key) {
    return key && *key && strnlen(key, CACHE_KEY_BYTES_MAX + 1) <= CACHE_KEY_BYTES_MAX;
}

bool cache_get(cache *self, const char *key, cache_hit *out) {
    *out = (cache_hit){0};
    return self && key_is_possible(key) && self->kind->get(self, key, out);
}

void cache_put(cache *self, const char *key, const char *text, size_t size, int64_t ttl_ms) {
    if (!self || !key_is_possible(key) || !text || !size || ttl_ms < 0) return;
    if (ttl_ms == 0) ttl_ms = self->ttl_ms;
    if (ttl_ms > CACHE_TTL_MS_MAX) ttl_ms = CACHE_TTL_MS_MAX;
    self->kind->put(self, key, text, size, ttl_ms);
}

void cache_free(cache *self) {
    if (self) self->kind->free(self);
}

steno_status cache_begin(cache *self, const cache_kind *kind, int64_t ttl_ms, steno_error *error) {
    if (ttl_ms < 0)
        return steno_fail(error, STENO_INVALID, "a cache that keeps answers for %lld ms; 0 stands for a day",
                          (long long)ttl_ms);
    self->kind = kind;
    self->ttl_ms = ttl_ms ? ttl_ms : CACHE_TTL_MS_DEFAULT;
    return STENO_OK;
}

bool cache_hit_fill(cache_hit *out, const char *text, size_t size, int64_t stored_ms) {
    char *copy = malloc(size + 1);
    if (!copy) return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    *out = (cache_hit){.text = copy, .size = size, .stored_ms = stored_ms};
    return true;
}
