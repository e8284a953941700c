/* The cache in a file: one open file for all threads, in turns. Before a fork all such files of the process are closed, and opened again by whoever needs
 * them, parent or child. What fails is closed and left alone for a while; what is damaged is begun anew.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cache_file.h"
#include "client/cache_kind.h"
#include "schema/clean.h"

/* After others held the file for CACHE_FILE_BUSY_MS. Shorter than CACHE_REST_MS: many who write at once are no fault. */
#define BUSY_REST_MS 1000

typedef struct sqlite_cache {
    cache base;
    struct sqlite_cache *next; /* guarded by `all` */
    pthread_mutex_t
        mutex; /* guards the rest; nobody else's mutex is waited for with it but that of cache_file_open.c */
    cache_file file;
    int64_t rests_until_ms, puts_rest_until_ms; /* CLOCK_MONOTONIC */
} sqlite_cache;

/* Every cache of this kind, for the fork. Taken before any cache's mutex. */
static pthread_mutex_t all = PTHREAD_MUTEX_INITIALIZER;
static sqlite_cache *first;
static pthread_once_t handlers = PTHREAD_ONCE_INIT;

static void before_fork(void) {
    pthread_mutex_lock(&all);
    for (sqlite_cache *each = first; each; each = each->next) {
        pthread_mutex_lock(&each->mutex);
        cache_file_close(&each->file);
    }
}

static void after_fork(void) {
    for (sqlite_cache *each = first; each; each = each->next) pthread_mutex_unlock(&each->mutex);
    pthread_mutex_unlock(&all);
}

static void add_handlers(void) { pthread_atfork(before_fork, after_fork, after_fork); }

/* A thread before this one may wait for other processes; whoever cannot have its turn by then goes without. */
static bool take_turn(sqlite_cache *self) {
    if (!pthread_mutex_trylock(&self->mutex)) return true;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += CACHE_WAIT_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return !pthread_mutex_timedlock(&self->mutex, &until);
}

static void rest(int64_t *until_ms, int64_t ms) { *until_ms = cache_clock_ms(CLOCK_MONOTONIC) + ms; }

/* What to do about how it went. True: it is worth trying again, with a new file. */
static bool settle(sqlite_cache *self, steno_status status, int64_t *rests_until_ms) {
    switch (status) {
    case STENO_BUSY: rest(rests_until_ms, BUSY_REST_MS); return false;
    case STENO_CORRUPT: cache_file_set_aside(&self->file); return true;
    case STENO_OK:
    case STENO_NOT_FOUND:
    case STENO_LIMIT:
    case STENO_NO_MEMORY: return false;
    default:
        cache_file_close(&self->file);
        rest(&self->rests_until_ms, CACHE_REST_MS);
        return false;
    }
}

/* The file is open, and is the one at its path. */
static bool is_open(sqlite_cache *self) {
    if (cache_clock_ms(CLOCK_MONOTONIC) < self->rests_until_ms) return false;
    if (self->file.database && !cache_file_is_gone(&self->file)) return true;
    cache_file_close(&self->file);
    steno_status status = cache_file_open(&self->file, NULL);
    if (status) rest(&self->rests_until_ms, status == STENO_BUSY ? BUSY_REST_MS : CACHE_REST_MS);
    return !status;
}

static bool sqlite_get(cache *base, const char *key, cache_hit *out) {
    sqlite_cache *self = (sqlite_cache *)base;
    if (!take_turn(self)) return false;
    bool found = false;
    if (is_open(self)) {
        steno_status status = cache_file_get(&self->file, key, cache_clock_ms(CLOCK_REALTIME), out);
        settle(self, status, &self->rests_until_ms);
        found = !status;
    }
    pthread_mutex_unlock(&self->mutex);
    return found;
}

static void sqlite_put(cache *base, const char *key, const char *text, size_t size, int64_t ttl_ms) {
    sqlite_cache *self = (sqlite_cache *)base;
    if (!take_turn(self)) return;
    bool again = cache_clock_ms(CLOCK_MONOTONIC) >= self->puts_rest_until_ms;
    for (int i = 0; i < 2 && again && is_open(self); i++) {
        steno_status status = cache_file_put(&self->file, key, text, size, cache_clock_ms(CLOCK_REALTIME), ttl_ms);
        again = settle(self, status, &self->puts_rest_until_ms);
    }
    pthread_mutex_unlock(&self->mutex);
}

static void release(sqlite_cache *self) {
    cache_file_close(&self->file);
    free(self->file.path);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static void sqlite_free(cache *base) {
    sqlite_cache *self = (sqlite_cache *)base;
    pthread_mutex_lock(&all);
    sqlite_cache **at = &first;
    while (*at && *at != self) at = &(*at)->next;
    if (*at) *at = self->next;
    release(self); /* with `all` held: a fork waits for it */
    pthread_mutex_unlock(&all);
}

static const cache_kind sqlite_kind = {.get = sqlite_get, .put = sqlite_put, .free = sqlite_free};

/* The path from the root: the file is opened again later, when the app may be in another folder. It also never is one of SQLite's special names. */
static char *path_absolute(const char *path) {
    if (*path == '/') return strdup(path);
    char *absolute = NULL;
    cleanup_free char *folder = getcwd(NULL, 0);
    return folder && asprintf(&absolute, "%s/%s", folder, path) >= 0 ? absolute : NULL;
}

steno_status cache_sqlite_new(const char *path, size_t bytes_max, int64_t ttl_ms, cache **out, steno_error *error) {
    *out = NULL;
    if (!bytes_max) bytes_max = CACHE_SQLITE_BYTES_DEFAULT;
    if (!path || !*path) return steno_fail(error, STENO_INVALID, "a cache in a file, and no path");
    if (bytes_max < CACHE_SQLITE_BYTES_MIN)
        return steno_fail(error, STENO_INVALID, "a cache of %zu bytes in the file %s; a file needs at least %u",
                          bytes_max, path, CACHE_SQLITE_BYTES_MIN);
    sqlite_cache *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for a cache in %s", path);
    pthread_mutex_init(&self->mutex, NULL);
    self->rests_until_ms = self->puts_rest_until_ms = INT64_MIN;
    self->file.bytes_max = bytes_max;
    self->file.path = path_absolute(path);
    steno_status status = cache_begin(&self->base, &sqlite_kind, ttl_ms, error);
    if (!status && !self->file.path)
        status = steno_fail(error, STENO_SYSTEM, "cannot tell where the cache's file %s is: %s", path, strerror(errno));
    pthread_once(&handlers, add_handlers);
    pthread_mutex_lock(&all); /* over the opening, so that no fork falls into it */
    if (!status) status = cache_file_open(&self->file, error);
    if (status == STENO_BUSY) { /* a matter of this moment */
        rest(&self->rests_until_ms, BUSY_REST_MS);
        status = STENO_OK;
    }
    if (!status) {
        self->next = first;
        first = self;
    }
    pthread_mutex_unlock(&all);
    if (status)
        release(self);
    else
        *out = &self->base;
    return status;
}
