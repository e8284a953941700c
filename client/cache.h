/* Answers that were given before, kept by key: in memory, in a file or in Redis. A cache never fails a call: what goes wrong with it is a miss, and
 * takes no longer than CACHE_WAIT_MS. All functions may be called from any thread, and in a child after fork().
 */
#ifndef CLIENT_CACHE_H
#define CLIENT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/error.h"

/* The longest that a call waits for a cache; a call that hits would have taken longer than that without it. */
#define CACHE_WAIT_MS 250
/* How long a cache that failed is left alone: a call every so often pays for finding out whether it works again. */
#define CACHE_REST_MS 5000
/* Where nothing else is asked for: an answer lives a day. */
#define CACHE_TTL_MS_DEFAULT (24LL * 3600 * 1000)
/* What asks for more gets this, ten years: sums with the time of day stay far from the range's end. */
#define CACHE_TTL_MS_MAX (10LL * 365 * 24 * 3600 * 1000)
/* Longest key; ours have 64 bytes (cache_key.h). Longer ones are never there. */
#define CACHE_KEY_BYTES_MAX 512
#define CACHE_MEMORY_BYTES_DEFAULT (64u << 20)
#define CACHE_SQLITE_BYTES_DEFAULT (256u << 20)
/* Below it SQLite's own pages would be most of the file. */
#define CACHE_SQLITE_BYTES_MIN (1u << 20)
/* The largest answer that goes to Redis: what a slow network still carries within CACHE_WAIT_MS. */
#define CACHE_REDIS_TEXT_BYTES_MAX (8u << 20)

typedef struct cache cache;

typedef struct cache_hit {
    char *text; /* owned by the taker (free); followed by a NUL */
    size_t size;
    int64_t stored_ms; /* when it was put there, Unix ms */
} cache_hit;

/* False, and *out all zero: it is not there, too old, or the cache is down. NULL for `self` is a cache that is always empty. */
bool cache_get(cache *self, const char *key, cache_hit *out);
/* Keeps a copy of `text` for ttl_ms (0: as long as the cache was made for), in place of what is kept under the key. Nothing empty is kept, nor what
 * is too large for the cache (a quarter of its limit in memory, an eighth in a file): what was there before then stays.
 */
void cache_put(cache *self, const char *key, const char *text, size_t size, int64_t ttl_ms);
/* NULL is fine. */
void cache_free(cache *self);

/* For all three: ttl_ms 0 is CACHE_TTL_MS_DEFAULT, less than 0 STENO_INVALID; *out is owned by the caller (cache_free), NULL on failure. */

/* Of this process; bytes_max 0: CACHE_MEMORY_BYTES_DEFAULT. A forked child begins with what its parent had. */
steno_status cache_memory_new(size_t bytes_max, int64_t ttl_ms, cache **out, steno_error *error);
/* In a file (0600 when made here) that processes may share; its -wal, -shm and -lock are beside it. bytes_max 0: CACHE_SQLITE_BYTES_DEFAULT. A damaged
 * file is renamed to PATH.damaged and begun anew. STENO_INVALID: the file is something else's database; STENO_SYSTEM: it cannot be opened or made.
 */
steno_status cache_sqlite_new(const char *path, size_t bytes_max, int64_t ttl_ms, cache **out, steno_error *error);
/* In a Redis server: redis://[[user]:password@]host[:port][/db] or unix:///path. STENO_INVALID: no such URL. It is not connected to yet, so it may
 * be started later.
 */
steno_status cache_redis_new(const char *url, int64_t ttl_ms, cache **out, steno_error *error);

#endif
