/* In a SQLite file of its own, which several processes may share. One connection under a mutex; nobody waits longer than BUSY_MS. A file that is damaged is
 * set aside and begun anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cache_kind.h"
#include "client/fork_watch.h"
#include "schema/clean.h"

/* Longest wait for another process that writes: longer, and asking the provider were nearly as quick. */
#define BUSY_MS 50
/* Rows that go at once, where the file is full: so that no put takes long. */
#define DROPPED_AT_ONCE 64
/* Puts between two looks at how large it has become. */
#define LOOK_EVERY 16

typedef struct cache_sqlite {
    cache base;
    char *path;
    size_t bytes_max;
    pthread_mutex_t mutex; /* guards the rest */
    sqlite3 *database;     /* NULL: it could not be opened */
    unsigned generation;   /* of the process that opened it */
    unsigned puts;
} cache_sqlite;

static const char schema[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
    "CREATE TABLE IF NOT EXISTS answer (key TEXT PRIMARY KEY, text BLOB NOT NULL, stored INTEGER NOT NULL,"
    " until INTEGER NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS answer_used ON answer (used);";

static bool is_damaged(int code) { return code == SQLITE_CORRUPT || code == SQLITE_NOTADB; }

static int open_once(cache_sqlite *self) {
    /* Made by us, so that it is nobody else's to read: answers are as private as the log. */
    int fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return SQLITE_CANTOPEN;
    close(fd);
    int code = sqlite3_open_v2(self->path, &self->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (!code) code = sqlite3_busy_timeout(self->database, BUSY_MS);
    if (!code) code = sqlite3_exec(self->database, schema, NULL, NULL, NULL);
    if (!code) return SQLITE_OK;
    sqlite3_close(self->database);
    self->database = NULL;
    return code;
}

static void set_aside(cache_sqlite *self) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    sqlite3_close(self->database);
    self->database = NULL;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        cleanup_free char *from = NULL;
        cleanup_free char *to = NULL;
        if (asprintf(&from, "%s%s", self->path, ends[i]) < 0 || asprintf(&to, "%s.damaged%s", self->path, ends[i]) < 0)
            return;
        rename(from, to);
    }
}

static int open_file(cache_sqlite *self) {
    int code = open_once(self);
    self->generation = fork_generation();
    if (!is_damaged(code)) return code;
    set_aside(self);
    return open_once(self);
}

/* With the mutex held: a connection of this process; a parent's is left alone. */
static bool is_ready(cache_sqlite *self) {
    if (self->generation != fork_generation()) {
        self->database = NULL;
        open_file(self);
    }
    return self->database;
}

/* In a forked child the mutex may be held by a thread that is not there. */
static bool enter(cache_sqlite *self) {
    if (self->generation != fork_generation()) {
        fork_guard_lock();
        if (self->generation != fork_generation()) {
            pthread_mutex_init(&self->mutex, NULL);
            self->database = NULL;
            open_file(self);
        }
        fork_guard_unlock();
    }
    pthread_mutex_lock(&self->mutex);
    if (is_ready(self)) return true;
    pthread_mutex_unlock(&self->mutex);
    return false;
}

static void leave(cache_sqlite *self, int code) {
    if (is_damaged(code)) {
        set_aside(self);
        open_once(self);
    }
    pthread_mutex_unlock(&self->mutex);
}

static int run(sqlite3 *database, const char *sql, const char *key, int64_t one, int64_t two) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database, sql, -1, &statement, NULL);
    if (!code && key) sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    if (!code) sqlite3_bind_int64(statement, 2, one);
    if (!code) sqlite3_bind_int64(statement, 3, two);
    if (!code) code = sqlite3_step(statement);
    sqlite3_finalize(statement);
    return code;
}

static bool take(sqlite3_stmt *row, cache_hit *out) {
    size_t size = (size_t)sqlite3_column_bytes(row, 0);
    const void *bytes = sqlite3_column_blob(row, 0);
    if (!(out->text = malloc(size + 1))) return false;
    if (size) memcpy(out->text, bytes, size);
    out->text[size] = '\0';
    out->size = size;
    out->stored_ms = sqlite3_column_int64(row, 1);
    return true;
}

static bool get(cache *base, const char *key, cache_hit *out) {
    cache_sqlite *self = (cache_sqlite *)base;
    if (!enter(self)) return false;
    sqlite3_stmt *row = NULL;
    int64_t now = cache_now_ms();
    int code = sqlite3_prepare_v2(self->database, "SELECT text, stored FROM answer WHERE key = ?1 AND until > ?2", -1,
                                  &row, NULL);
    if (!code) sqlite3_bind_text(row, 1, key, -1, SQLITE_STATIC);
    if (!code) sqlite3_bind_int64(row, 2, now);
    if (!code) code = sqlite3_step(row);
    bool found = code == SQLITE_ROW && take(row, out);
    sqlite3_finalize(row);
    if (found) run(self->database, "UPDATE answer SET used = ?2 WHERE key = ?1", key, now, 0);
    leave(self, code);
    return found;
}

/* Bytes of the file that are in use. */
static int64_t bytes_used(sqlite3 *database) {
    sqlite3_stmt *row = NULL;
    int64_t bytes = 0;
    static const char sql[] = "SELECT (p.page_count - f.freelist_count) * s.page_size"
                              " FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s";
    if (!sqlite3_prepare_v2(database, sql, -1, &row, NULL) && sqlite3_step(row) == SQLITE_ROW)
        bytes = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return bytes;
}

/* What is too old goes, then what was not used for longest. */
static void make_room(cache_sqlite *self) {
    static const char oldest[] = "DELETE FROM answer WHERE key IN (SELECT key FROM answer ORDER BY used LIMIT ?2)";
    int code = run(self->database, "DELETE FROM answer WHERE until <= ?2", NULL, cache_now_ms(), 0);
    while (code == SQLITE_DONE && bytes_used(self->database) > (int64_t)self->bytes_max &&
           sqlite3_changes(self->database) >= 0) {
        code = run(self->database, oldest, NULL, DROPPED_AT_ONCE, 0);
        if (!sqlite3_changes(self->database)) return;
    }
}

static void put(cache *base, const char *key, const char *text, size_t size, int64_t ttl_ms) {
    cache_sqlite *self = (cache_sqlite *)base;
    if (size > self->bytes_max / 4 || !enter(self)) return;
    sqlite3_stmt *row = NULL;
    int64_t now = cache_now_ms();
    int code =
        sqlite3_prepare_v2(self->database, "INSERT OR REPLACE INTO answer VALUES (?1, ?2, ?3, ?4, ?3)", -1, &row, NULL);
    if (!code) sqlite3_bind_text(row, 1, key, -1, SQLITE_STATIC);
    if (!code) sqlite3_bind_blob64(row, 2, text, size, SQLITE_STATIC);
    if (!code) sqlite3_bind_int64(row, 3, now);
    if (!code) sqlite3_bind_int64(row, 4, now + ttl_ms);
    if (!code) code = sqlite3_step(row);
    sqlite3_finalize(row);
    if (self->puts++ % LOOK_EVERY == 0) make_room(self);
    leave(self, code);
}

static void sqlite_free(cache *base) {
    cache_sqlite *self = (cache_sqlite *)base;
    if (self->generation == fork_generation()) sqlite3_close(self->database);
    pthread_mutex_destroy(&self->mutex);
    free(self->path);
    free(self);
}

steno_status cache_sqlite_new(const char *path, size_t bytes_max, int64_t ttl_ms, cache **out, steno_error *error) {
    static const cache_kind kind = {get, put, sqlite_free};
    cache_sqlite *self = calloc(1, sizeof *self);
    if (!self || !(self->path = strdup(path))) {
        free(self);
        return steno_fail(error, STENO_NO_MEMORY, "no memory for a cache");
    }
    self->base = (cache){&kind, ttl_ms};
    self->bytes_max = bytes_max;
    pthread_mutex_init(&self->mutex, NULL);
    errno = 0;
    int code = open_file(self);
    if (code && code != SQLITE_BUSY) {
        steno_fail(error, STENO_SYSTEM, "the cache %s can't be opened: %s", path,
                   errno ? strerror(errno) : sqlite3_errstr(code));
        sqlite_free(&self->base);
        return STENO_SYSTEM;
    }
    *out = &self->base;
    return STENO_OK;
}
