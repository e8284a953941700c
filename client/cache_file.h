/* The cache's file: a SQLite database of its own, shared by processes. One thread at a time uses an open one, and never over a fork: SQLite keeps
 * notes of its locks that are wrong in a child, so cache_sqlite.c closes it first.
 */
#ifndef CLIENT_CACHE_FILE_H
#define CLIENT_CACHE_FILE_H

#include <sqlite3.h>
#include <stdint.h>

#include "client/cache.h"

/* How long to wait for other processes: writing one answer takes them about a millisecond. */
#define CACHE_FILE_BUSY_MS 50
/* The largest answer, as a share of the limit. */
#define CACHE_FILE_LARGEST_SHARE 8
#define CACHE_FILE_PAGE_BYTES 4096
/* The log (-wal) is copied to the file when it is longer: closing, which a fork waits for, copies what is left of it. */
#define CACHE_FILE_LOG_BYTES (4u << 20)

typedef enum cache_file_statement {
    CACHE_FILE_GET,
    CACHE_FILE_TOUCH,
    CACHE_FILE_BEGIN,
    CACHE_FILE_COMMIT,
    CACHE_FILE_ROLLBACK,
    CACHE_FILE_REMOVE,
    CACHE_FILE_REMOVE_EXPIRED,
    CACHE_FILE_REMOVE_OLDEST,
    CACHE_FILE_ADD,
    CACHE_FILE_PAGES,
    CACHE_FILE_PAGES_FREE,
    CACHE_FILE_SHRINK,
    CACHE_FILE_STATEMENTS, /* how many */
} cache_file_statement;

typedef struct cache_file {
    char *path; /* absolute; owned by cache_sqlite.c */
    size_t bytes_max;
    sqlite3 *database; /* NULL: closed */
    sqlite3_stmt *statements[CACHE_FILE_STATEMENTS];
    bool waits;          /* for other processes, CACHE_FILE_BUSY_MS; false: not at all */
    int64_t waits_until; /* deadline.h */
    int64_t log_pages;   /* in the -wal file, as of our last commit */
} cache_file;

/* Five eighths of the limit are the file's. The rest is for the log: a sixteenth before it is copied, an eighth for the largest answer after that, and
 * what SQLite writes beside answers, with the log's index (-shm).
 */
static inline int64_t cache_file_pages_max(const cache_file *self) {
    return (int64_t)(self->bytes_max / 8 * 5 / CACHE_FILE_PAGE_BYTES);
}
static inline size_t cache_file_log_bytes(const cache_file *self) {
    return self->bytes_max / 16 < CACHE_FILE_LOG_BYTES ? self->bytes_max / 16 : CACHE_FILE_LOG_BYTES;
}

/* A SQLite result as a status: STENO_OK, STENO_BUSY, STENO_CORRUPT (a damaged file), STENO_LIMIT (full), STENO_NO_MEMORY, else STENO_SYSTEM. */
steno_status cache_file_status(int code);

/* ---- cache_file_open.c ---- */

/* Opens the file, makes it (0600) where there is none, sets it aside where it is damaged. STENO_BUSY: others hold it; STENO_INVALID: it is none of ours. */
steno_status cache_file_open(cache_file *self, steno_error *error);
/* Whether the path now leads to another file or to none: somebody removed it or set it aside. */
bool cache_file_is_gone(cache_file *self);
/* Renames the open, damaged file to PATH.damaged, unless another process did so already, and closes it. */
void cache_file_set_aside(cache_file *self);
/* NULL database is fine. */
void cache_file_close(cache_file *self);

/* ---- cache_file.c; the file is open ---- */

/* The SQL of each statement. */
extern const char *const cache_file_sql[CACHE_FILE_STATEMENTS];
/* SQLite's busy handler. */
int cache_file_busy(void *self, int times);
/* Copies the log to the file when it has got long: SQLite's hook after each commit. */
int cache_file_committed(void *self, sqlite3 *database, const char *name, int pages);

/* STENO_NOT_FOUND: not there, or too old. now_ms: Unix. */
steno_status cache_file_get(cache_file *self, const char *key, int64_t now_ms, cache_hit *out);
/* STENO_LIMIT: there is no room for it yet, though some was made. */
steno_status cache_file_put(cache_file *self, const char *key, const char *text, size_t size, int64_t now_ms,
                            int64_t ttl_ms);

#endif
