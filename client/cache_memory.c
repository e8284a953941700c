/* In the client's own memory: the least recently used goes first. One mutex guards all of it; nothing that takes long is done while it is held. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "client/cache_kind.h"

#define BUCKETS 4096
/* What an entry takes beside its key and text. */
#define ENTRY_BYTES sizeof(entry)
/* A text larger than this part of the whole would push out too much. */
#define LARGEST_PART 4

typedef struct entry {
    struct entry *next;          /* in its bucket */
    struct entry *older, *newer; /* by use */
    int64_t stored_ms, until_ms;
    size_t size;
    char *key, *text;
} entry;

typedef struct cache_memory {
    cache base;
    pthread_mutex_t mutex; /* guards the rest */
    size_t bytes, bytes_max;
    entry *buckets[BUCKETS];
    entry *oldest, *newest;
} cache_memory;

static entry **bucket_of(cache_memory *self, const char *key) {
    return &self->buckets[XXH3_64bits(key, strlen(key)) % BUCKETS];
}

static entry **find(cache_memory *self, const char *key) {
    entry **link = bucket_of(self, key);
    while (*link && strcmp((*link)->key, key)) link = &(*link)->next;
    return link;
}

static size_t bytes_of(const entry *which) { return ENTRY_BYTES + strlen(which->key) + which->size; }

static void unlink_use(cache_memory *self, entry *which) {
    *(which->older ? &which->older->newer : &self->oldest) = which->newer;
    *(which->newer ? &which->newer->older : &self->newest) = which->older;
    which->older = which->newer = NULL;
}

static void link_newest(cache_memory *self, entry *which) {
    which->older = self->newest;
    *(self->newest ? &self->newest->newer : &self->oldest) = which;
    self->newest = which;
}

static void entry_free(entry *which) {
    if (!which) return;
    free(which->key);
    free(which->text);
    free(which);
}

static void drop(cache_memory *self, entry **link) {
    entry *gone = *link;
    *link = gone->next;
    unlink_use(self, gone);
    self->bytes -= bytes_of(gone);
    entry_free(gone);
}

static bool get(cache *base, const char *key, cache_hit *out) {
    cache_memory *self = (cache_memory *)base;
    bool found = false;
    pthread_mutex_lock(&self->mutex);
    entry **link = find(self, key);
    if (*link && (*link)->until_ms <= cache_now_ms()) {
        drop(self, link);
    } else if (*link && (out->text = malloc((*link)->size + 1))) {
        memcpy(out->text, (*link)->text, (*link)->size + 1);
        out->size = (*link)->size;
        out->stored_ms = (*link)->stored_ms;
        unlink_use(self, *link);
        link_newest(self, *link);
        found = true;
    }
    pthread_mutex_unlock(&self->mutex);
    return found;
}

static entry *entry_new(const char *key, const char *text, size_t size, int64_t ttl_ms) {
    entry *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    made->key = strdup(key);
    made->text = malloc(size + 1);
    if (!made->key || !made->text) {
        entry_free(made);
        return NULL;
    }
    memcpy(made->text, text, size);
    made->text[size] = '\0';
    made->size = size;
    made->stored_ms = cache_now_ms();
    made->until_ms = made->stored_ms + ttl_ms;
    return made;
}

static void put(cache *base, const char *key, const char *text, size_t size, int64_t ttl_ms) {
    cache_memory *self = (cache_memory *)base;
    entry *made = size <= self->bytes_max / LARGEST_PART ? entry_new(key, text, size, ttl_ms) : NULL;
    if (!made) return;
    pthread_mutex_lock(&self->mutex);
    entry **link = find(self, key);
    if (*link) drop(self, link);
    while (self->oldest && self->bytes + bytes_of(made) > self->bytes_max) drop(self, find(self, self->oldest->key));
    entry **bucket = bucket_of(self, key);
    made->next = *bucket;
    *bucket = made;
    link_newest(self, made);
    self->bytes += bytes_of(made);
    pthread_mutex_unlock(&self->mutex);
}

static void memory_free(cache *base) {
    cache_memory *self = (cache_memory *)base;
    while (self->oldest) drop(self, find(self, self->oldest->key));
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

steno_status cache_memory_new(size_t bytes_max, int64_t ttl_ms, cache **out, steno_error *error) {
    static const cache_kind kind = {get, put, memory_free};
    cache_memory *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for a cache");
    self->base = (cache){&kind, ttl_ms};
    self->bytes_max = bytes_max;
    pthread_mutex_init(&self->mutex, NULL);
    *out = &self->base;
    return STENO_OK;
}
