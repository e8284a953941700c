/* In Redis, shared by whoever uses the same one. One connection under a mutex. Whatever goes wrong takes REDIS_TIMEOUT_MS at most, and for a while
 * after that Redis is left alone.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cache_kind.h"
#include "client/fork_watch.h"

/* Connecting, and each command: longer, and asking the provider were nearly as quick. */
#define REDIS_TIMEOUT_MS 250
/* How long one that failed is left alone. */
#define REST_MS 5000
#define REDIS_PORT 6379
#define KEY_PREFIX "steno:"

typedef struct cache_redis {
    cache base;
    char *socket; /* NULL: by TCP */
    char *host, *user, *password;
    int port, db;
    pthread_mutex_t mutex; /* guards the rest */
    redisContext *to;      /* NULL: not connected */
    unsigned generation;   /* of the process that connected */
    int64_t rest_until_ms; /* on the monotonic clock */
} cache_redis;

static const struct timeval patience = {0, REDIS_TIMEOUT_MS * 1000};

static int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void hang_up(cache_redis *self) {
    if (self->to) redisFree(self->to);
    self->to = NULL;
    self->rest_until_ms = monotonic_ms() + REST_MS;
}

/* A command whose reply must be of this type. NULL: it is not, or the connection is gone. */
static redisReply *command(cache_redis *self, int type, int count, const char **words, const size_t *sizes) {
    redisReply *reply = redisCommandArgv(self->to, count, words, sizes);
    if (reply && reply->type == type) return reply;
    bool broken = !reply || reply->type == REDIS_REPLY_ERROR;
    if (reply) freeReplyObject(reply);
    if (broken) hang_up(self);
    return NULL;
}

static bool say(cache_redis *self, int count, const char **words) {
    redisReply *reply = command(self, REDIS_REPLY_STATUS, count, words, NULL);
    if (reply) freeReplyObject(reply);
    return reply;
}

static bool connect_now(cache_redis *self) {
    self->to = self->socket ? redisConnectUnixWithTimeout(self->socket, patience)
                            : redisConnectWithTimeout(self->host, self->port, patience);
    if (!self->to || self->to->err || redisSetTimeout(self->to, patience)) {
        hang_up(self);
        return false;
    }
    char db[16];
    snprintf(db, sizeof db, "%d", self->db);
    const char *with_user[] = {"AUTH", self->user, self->password}, *alone[] = {"AUTH", self->password};
    const char *select[] = {"SELECT", db};
    if (self->password && !(self->user ? say(self, 3, with_user) : say(self, 2, alone))) return false;
    return !self->db || say(self, 2, select);
}

/* Takes the connection, if that can be done at once or nearly; false: the cache is of no use now. */
static bool enter(cache_redis *self) {
    fork_guard_lock();
    if (self->generation != fork_generation()) { /* the parent's connection and mutex are left alone */
        pthread_mutex_init(&self->mutex, NULL);
        self->to = NULL;
        self->generation = fork_generation();
    }
    fork_guard_unlock();
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += REDIS_TIMEOUT_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (pthread_mutex_clocklock(&self->mutex, CLOCK_MONOTONIC, &until)) return false;
    if (monotonic_ms() >= self->rest_until_ms && (self->to || connect_now(self))) return true;
    pthread_mutex_unlock(&self->mutex);
    return false;
}

/* The text is kept behind the time of storing: "1700000000000 …". */
static bool take(const redisReply *reply, cache_hit *out) {
    char *end;
    long long stored_ms = strtoll(reply->str, &end, 10);
    if (end == reply->str || *end != ' ') return false;
    end++;
    size_t size = reply->len - (size_t)(end - reply->str);
    if (!(out->text = malloc(size + 1))) return false;
    memcpy(out->text, end, size);
    out->text[size] = '\0';
    out->size = size;
    out->stored_ms = stored_ms;
    return true;
}

static bool get(cache *base, const char *key, cache_hit *out) {
    cache_redis *self = (cache_redis *)base;
    char name[128];
    snprintf(name, sizeof name, KEY_PREFIX "%s", key);
    const char *words[] = {"GET", name};
    if (!enter(self)) return false;
    redisReply *reply = command(self, REDIS_REPLY_STRING, 2, words, NULL);
    bool found = reply && take(reply, out);
    if (reply) freeReplyObject(reply);
    pthread_mutex_unlock(&self->mutex);
    return found;
}

static void put(cache *base, const char *key, const char *text, size_t size, int64_t ttl_ms) {
    cache_redis *self = (cache_redis *)base;
    char name[128], ttl[32], stored[32];
    snprintf(name, sizeof name, KEY_PREFIX "%s", key);
    snprintf(ttl, sizeof ttl, "%lld", (long long)ttl_ms);
    int length = snprintf(stored, sizeof stored, "%lld ", (long long)cache_now_ms());
    char *value = malloc((size_t)length + size);
    if (!value) return;
    memcpy(value, stored, (size_t)length);
    memcpy(value + length, text, size);
    const char *words[] = {"SET", name, value, "PX", ttl};
    const size_t sizes[] = {3, strlen(name), (size_t)length + size, 2, strlen(ttl)};
    if (enter(self)) {
        redisReply *reply = command(self, REDIS_REPLY_STATUS, 5, words, sizes);
        if (reply) freeReplyObject(reply);
        pthread_mutex_unlock(&self->mutex);
    }
    free(value);
}

static void redis_free(cache *base) {
    cache_redis *self = (cache_redis *)base;
    if (self->to && self->generation == fork_generation()) redisFree(self->to);
    pthread_mutex_destroy(&self->mutex);
    free(self->socket);
    free(self->host);
    free(self->user);
    free(self->password);
    free(self);
}

/* ---- the URL ---- */

/* A number from 0 to `max` that is all of `text`. */
static bool read_number(const char *text, int max, int *out) {
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end || number < 0 || number > max) return false;
    *out = (int)number;
    return true;
}

/* "[[user:]password@]host[:port][/db]"; `text` is ours to cut. */
static bool read_address(char *text, cache_redis *self) {
    char *at = strrchr(text, '@'), *slash = strchr(at ? at : text, '/');
    if (slash) {
        *slash = '\0';
        if (slash[1] && !read_number(slash + 1, 1000000, &self->db)) return false;
    }
    if (at) {
        *at = '\0';
        char *colon = strchr(text, ':');
        if (colon) *colon = '\0';
        if (colon && *text) self->user = strdup(text);
        self->password = strdup(colon ? colon + 1 : text);
    }
    char *host = at ? at + 1 : text, *colon = strrchr(host, ':');
    if (colon) {
        *colon = '\0';
        if (!read_number(colon + 1, 65535, &self->port)) return false;
    }
    self->host = strdup(*host ? host : "127.0.0.1");
    return self->host && (!at || self->password);
}

static bool read_url(const char *url, cache_redis *self) {
    static const char by_tcp[] = "redis://", by_socket[] = "unix://";
    if (!strncmp(url, by_socket, sizeof by_socket - 1))
        return url[sizeof by_socket - 1] && (self->socket = strdup(url + sizeof by_socket - 1));
    if (strncmp(url, by_tcp, sizeof by_tcp - 1)) return false;
    char *address = strdup(url + sizeof by_tcp - 1);
    bool good = address && read_address(address, self);
    free(address);
    return good;
}

steno_status cache_redis_new(const char *url, int64_t ttl_ms, cache **out, steno_error *error) {
    static const cache_kind kind = {get, put, redis_free};
    cache_redis *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for a cache");
    self->base = (cache){&kind, ttl_ms};
    self->port = REDIS_PORT;
    self->generation = fork_generation();
    pthread_mutex_init(&self->mutex, NULL);
    if (!strncmp(url, "rediss://", 9)) {
        redis_free(&self->base);
        return steno_fail(error, STENO_INVALID,
                          "rediss:// is not supported: reach Redis over a socket (unix:///PATH) or a tunnel");
    }
    if (!read_url(url, self)) {
        redis_free(&self->base);
        return steno_fail(error, STENO_INVALID,
                          "the cache's URL must be redis://[[USER:]PASSWORD@]HOST[:PORT][/DB] or unix:///PATH");
    }
    *out = &self->base;
    return STENO_OK;
}
