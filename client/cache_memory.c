/* The cache in this process: a hash table of entries that are also in a list, last used first; the last ones go when there are too many bytes.
 * Guarded by the fork guard, so that a child finds it whole: texts are therefore made, copied and freed outside, and an entry stays as long as somebody
 * holds it. Ages by CLOCK_BOOTTIME: it neither jumps with the time of day nor stands still while the machine sleeps.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "client/cache_kind.h"
#include "client/fork_watch.h"
#include "schema/clean.h"

/* One answer of this share of the limit, and larger ones would push out all the others. */
#define LARGEST_SHARE 4
/* Limit per bucket: about one short answer. The table does not grow, so that nothing is allocated under the guard. */
#define BUCKET_BYTES 2048
#define BUCKETS_MIN 64
#define BUCKETS_MAX (1u << 18)

typedef struct entry {
    struct entry *next_in_bucket; /* of entries on their way out: the next of those */
    struct entry *newer, *older;
    uint64_t hash;
    int64_t stored_ms;   /* Unix */
    int64_t expires_ms;  /* CLOCK_BOOTTIME */
    atomic_uint holders; /* the table is one */
    size_t key_size, size;
    char bytes[]; /* the key, NUL, the text */
} entry;

typedef struct memory_cache {
    cache base;
    size_t bytes_max;
    size_t buckets_mask;
    /* The rest is guarded by the fork guard. */
    size_t bytes;
    entry *newest, *oldest;
    entry *buckets[];
} memory_cache;

static size_t cost(const entry *of) { return sizeof *of + of->key_size + 1 + of->size; }

static void release(entry *self) {
    if (atomic_fetch_sub(&self->holders, 1) == 1) free(self);
}

static void release_all(entry *first) {
    while (first) {
        entry *next = first->next_in_bucket;
        release(first);
        first = next;
    }
}

/* ---- Under the guard ---- */

static entry **find(memory_cache *self, const char *key, size_t key_size, uint64_t hash) {
    entry **at = &self->buckets[hash & self->buckets_mask];
    while (*at && !((*at)->hash == hash && (*at)->key_size == key_size && !memcmp((*at)->bytes, key, key_size)))
        at = &(*at)->next_in_bucket;
    return at;
}

static void list_remove(memory_cache *self, entry *which) {
    *(which->newer ? &which->newer->older : &self->newest) = which->older;
    *(which->older ? &which->older->newer : &self->oldest) = which->newer;
}

static void list_add(memory_cache *self, entry *which) {
    which->newer = NULL;
    which->older = self->newest;
    *(self->newest ? &self->newest->newer : &self->oldest) = which;
    self->newest = which;
}

/* Takes *at out of the table and puts it before those in *gone, to be released when the guard is. */
static void take_out(memory_cache *self, entry **at, entry **gone) {
    entry *which = *at;
    *at = which->next_in_bucket;
    list_remove(self, which);
    self->bytes -= cost(which);
    which->next_in_bucket = *gone;
    *gone = which;
}

/* ---- The kind ---- */

static bool memory_get(cache *base, const char *key, cache_hit *out) {
    memory_cache *self = (memory_cache *)base;
    const size_t key_size = strlen(key);
    const uint64_t hash = XXH3_64bits(key, key_size);
    const int64_t now_ms = cache_clock_ms(CLOCK_BOOTTIME);
    entry *gone = NULL;
    fork_guard_lock();
    entry **at = find(self, key, key_size, hash), *found = *at;
    if (found && found->expires_ms <= now_ms) {
        take_out(self, at, &gone);
        found = NULL;
    }
    if (found) {
        list_remove(self, found);
        list_add(self, found);
        atomic_fetch_add(&found->holders, 1);
    }
    fork_guard_unlock();
    release_all(gone);
    if (!found) return false;
    bool filled = cache_hit_fill(out, found->bytes + key_size + 1, found->size, found->stored_ms);
    release(found);
    return filled;
}

static entry *entry_new(const char *key, size_t key_size, const char *text, size_t size, int64_t ttl_ms) {
    entry *self = malloc(sizeof *self + key_size + 1 + size);
    if (!self) return NULL;
    *self = (entry){.hash = XXH3_64bits(key, key_size),
                    .stored_ms = cache_clock_ms(CLOCK_REALTIME),
                    .expires_ms = cache_clock_ms(CLOCK_BOOTTIME) + ttl_ms,
                    .key_size = key_size,
                    .size = size};
    atomic_init(&self->holders, 1);
    memcpy(self->bytes, key, key_size + 1);
    memcpy(self->bytes + key_size + 1, text, size);
    return self;
}

static void memory_put(cache *base, const char *key, const char *text, size_t size, int64_t ttl_ms) {
    memory_cache *self = (memory_cache *)base;
    if (size > self->bytes_max / LARGEST_SHARE) return;
    entry *added = entry_new(key, strlen(key), text, size, ttl_ms), *gone = NULL;
    if (!added) return;
    fork_guard_lock();
    entry **at = find(self, key, added->key_size, added->hash);
    if (*at) take_out(self, at, &gone);
    at = &self->buckets[added->hash & self->buckets_mask];
    added->next_in_bucket = *at;
    *at = added;
    list_add(self, added);
    self->bytes += cost(added);
    while (self->bytes > self->bytes_max) {
        entry *last = self->oldest;
        take_out(self, find(self, last->bytes, last->key_size, last->hash), &gone);
    }
    fork_guard_unlock();
    release_all(gone);
}

static void memory_free(cache *base) {
    memory_cache *self = (memory_cache *)base;
    for (entry *each = self->newest, *older; each; each = older) {
        older = each->older;
        release(each);
    }
    free(self);
}

static const cache_kind memory_kind = {.get = memory_get, .put = memory_put, .free = memory_free};

static size_t buckets_for(size_t bytes_max) {
    size_t count = BUCKETS_MIN;
    while (count < BUCKETS_MAX && count < bytes_max / BUCKET_BYTES) count *= 2;
    return count;
}

steno_status cache_memory_new(size_t bytes_max, int64_t ttl_ms, cache **out, steno_error *error) {
    *out = NULL;
    if (!bytes_max) bytes_max = CACHE_MEMORY_BYTES_DEFAULT;
    const size_t buckets = buckets_for(bytes_max);
    cleanup_free memory_cache *self = calloc(1, sizeof *self + buckets * sizeof(entry *));
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for a cache of %zu bytes", bytes_max);
    steno_status status = cache_begin(&self->base, &memory_kind, ttl_ms, error);
    if (status) return status;
    self->bytes_max = bytes_max;
    self->buckets_mask = buckets - 1;
    *out = &self->base;
    self = NULL;
    return STENO_OK;
}
