/* The cache in a Redis server, under "steno:KEY": one connection, used by one thread at a time. Waiting for it and using it end by one deadline. After a
 * failure nothing is tried for CACHE_REST_MS, so that a server that hangs costs one call its wait and not each of them. Who ran out of time because it had
 * waited for other threads has learnt nothing of the server: that is no failure. A child gets a session of its own.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cache_kind.h"
#include "client/deadline.h"
#include "client/fork_watch.h"
#include "client/redis_address.h"
#include "client/redis_link.h"
#include "schema/buffer.h"
#include "schema/clean.h"

#define PREFIX "steno:"
/* What a value begins with: this, when it was stored, its key and a newline; the text follows. Whatever else is under a key is not ours, and a reply to
 * another question is not taken for an answer.
 */
#define MAKE "steno1 "
#define HEAD_BYTES_MAX (sizeof MAKE + 21 + CACHE_KEY_BYTES_MAX + 2)

typedef struct session {
    pthread_mutex_t mutex;          /* guards `link` */
    redis_link *link;               /* NULL: not connected */
    _Atomic int64_t rests_until_ms; /* CLOCK_MONOTONIC */
} session;

typedef struct redis_cache {
    cache base;
    redis_address address;
    /* Guarded by the fork guard. */
    session *session;    /* NULL: no memory for it yet */
    unsigned generation; /* of the process that it belongs to */
} redis_cache;

static session *session_new(void) {
    session *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    pthread_mutex_init(&self->mutex, NULL);
    atomic_init(&self->rests_until_ms, INT64_MIN);
    return self;
}

static void session_free(session *self) {
    if (!self) return;
    redis_link_close(self->link);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

/* This process's session. The parent's is left as it is: its mutex may be held by a thread that is not here. */
static session *session_of(redis_cache *self) {
    fork_guard_lock();
    const unsigned generation = fork_generation();
    if (self->generation != generation) {
        if (self->session) redis_link_abandon(self->session->link);
        self->session = NULL;
        self->generation = generation;
    }
    if (!self->session) self->session = session_new();
    session *mine = self->session;
    fork_guard_unlock();
    return mine;
}

static bool rests(session *self) { return cache_clock_ms(CLOCK_MONOTONIC) < atomic_load(&self->rests_until_ms); }

static bool lock_by(session *self, int64_t deadline) {
    if (!pthread_mutex_trylock(&self->mutex)) return true;
    const int64_t left_ms = deadline_left_ms(deadline);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += left_ms / 1000;
    until.tv_nsec += left_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return !pthread_mutex_timedlock(&self->mutex, &until);
}

/* With the mutex held. A connection that the server ended while nobody used it is made again once, which is no failure. */
static redisReply *exchange(session *self, const redis_address *to, const redis_word *words, size_t count,
                            int64_t deadline) {
    const bool had_time = deadline_left_ms(deadline) > CACHE_WAIT_MS / 2;
    bool again = true;
    while (again) {
        bool ended;
        again = self->link != NULL;
        if (!self->link) self->link = redis_link_open(to, deadline);
        if (!self->link) break;
        redisReply *reply = redis_link_ask(self->link, words, count, deadline, &ended);
        if (reply) return reply;
        redis_link_close(self->link);
        self->link = NULL;
        again = again && ended;
    }
    if (had_time || deadline_left_ms(deadline) > 0)
        atomic_store(&self->rests_until_ms, cache_clock_ms(CLOCK_MONOTONIC) + CACHE_REST_MS);
    return NULL;
}

/* The reply, owned by the caller; NULL: the cache is down, or others use it for too long. */
static redisReply *ask(redis_cache *self, const redis_word *words, size_t count) {
    const int64_t deadline = deadline_in(CACHE_WAIT_MS);
    session *mine = session_of(self);
    if (!mine || rests(mine) || !lock_by(mine, deadline)) return NULL;
    /* Again: whom this thread waited for may have met the failure. */
    redisReply *reply = rests(mine) ? NULL : exchange(mine, &self->address, words, count, deadline);
    pthread_mutex_unlock(&mine->mutex);
    return reply;
}

/* The text in a value of ours for this key; false: it is none. */
static bool read_value(const redisReply *reply, const char *key, cache_hit *out) {
    if (reply->type != REDIS_REPLY_STRING || strncmp(reply->str, MAKE, sizeof MAKE - 1) != 0) return false;
    char *end = NULL;
    const long long stored_ms = strtoll(reply->str + sizeof MAKE - 1, &end, 10);
    const size_t key_size = strlen(key);
    if (*end != ' ' || strncmp(end + 1, key, key_size) != 0 || end[1 + key_size] != '\n') return false;
    const char *text = end + 1 + key_size + 1;
    const size_t size = (size_t)reply->len - (size_t)(text - reply->str);
    return size && cache_hit_fill(out, text, size, stored_ms);
}

static redis_word name_of(char out[sizeof PREFIX + CACHE_KEY_BYTES_MAX], const char *key) {
    const int size = snprintf(out, sizeof PREFIX + CACHE_KEY_BYTES_MAX, PREFIX "%s", key);
    return (redis_word){out, (size_t)size};
}

static bool redis_get(cache *base, const char *key, cache_hit *out) {
    char name[sizeof PREFIX + CACHE_KEY_BYTES_MAX];
    const redis_word words[] = {{"GET", 3}, name_of(name, key)};
    redisReply *reply = ask((redis_cache *)base, words, 2);
    if (!reply) return false;
    bool found = read_value(reply, key, out);
    freeReplyObject(reply);
    return found;
}

static void redis_put(cache *base, const char *key, const char *text, size_t size, int64_t ttl_ms) {
    if (size > CACHE_REDIS_TEXT_BYTES_MAX) return;
    char name[sizeof PREFIX + CACHE_KEY_BYTES_MAX], head[HEAD_BYTES_MAX], ttl[24];
    const int head_size = snprintf(head, sizeof head, MAKE "%lld %s\n", (long long)cache_clock_ms(CLOCK_REALTIME), key);
    const int ttl_size = snprintf(ttl, sizeof ttl, "%lld", (long long)ttl_ms);
    cleanup(buffer_free) buffer value = {0};
    if (!buffer_add(&value, head, (size_t)head_size) || !buffer_add(&value, text, size)) return;
    const redis_word words[] = {
        {"SET", 3}, name_of(name, key), {value.bytes, value.size}, {"PX", 2}, {ttl, (size_t)ttl_size}};
    redisReply *reply = ask((redis_cache *)base, words, 5);
    if (reply) freeReplyObject(reply); /* a refusal (no memory left, read-only) only means that nothing is kept */
}

static void redis_free(cache *base) {
    redis_cache *self = (redis_cache *)base;
    session_free(session_of(self));
    redis_address_free(&self->address);
    free(self);
}

static const cache_kind redis_kind = {.get = redis_get, .put = redis_put, .free = redis_free};

steno_status cache_redis_new(const char *url, int64_t ttl_ms, cache **out, steno_error *error) {
    *out = NULL;
    cleanup_free redis_cache *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for a cache in Redis");
    steno_status status = cache_begin(&self->base, &redis_kind, ttl_ms, error);
    if (!status) status = redis_address_read(url, &self->address, error);
    if (status) return status;
    self->generation = fork_generation();
    *out = &self->base;
    self = NULL;
    return STENO_OK;
}
