/* The rows of the cache's file. What is kept is bounded before it is written: expired rows go, then those used least recently, a few with each answer
 * that comes. Every row has a checksum over its key and text, so that a damaged file never answers a call.
 */
#include "client/cache_file.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "client/cache_kind.h"
#include "client/deadline.h"

/* A row's time of use is written down when it is this much out of date: a hit writes seldom. */
#define TOUCH_MS 10000
/* Stored that far in the future: the clock was set back, and the age is not known. */
#define CLOCK_SLACK_MS 60000
/* Between looks at whether another process is done. */
#define BUSY_RETRY_NS 300000
/* Rows removed for one that comes: bounds how long a put holds the others up. */
#define EXPIRED_A_PUT "32"
#define OLDEST_A_PUT 256
/* Pages given back with a put when the file is over its limit because that was lowered. */
#define SHRINK_PAGES "256"
/* Beside its text an answer may need so many pages: of the table, its indexes, the map of pages. */
#define PAGES_EXTRA 8

const char *const cache_file_sql[CACHE_FILE_STATEMENTS] = {
    [CACHE_FILE_GET] = "SELECT id, stored_ms, expires_ms, used_ms, checksum, text FROM entry WHERE key = ?1",
    [CACHE_FILE_TOUCH] = "UPDATE entry SET used_ms = ?2 WHERE id = ?1",
    [CACHE_FILE_BEGIN] = "BEGIN IMMEDIATE",
    [CACHE_FILE_COMMIT] = "COMMIT",
    [CACHE_FILE_ROLLBACK] = "ROLLBACK",
    [CACHE_FILE_REMOVE] = "DELETE FROM entry WHERE key = ?1",
    [CACHE_FILE_REMOVE_EXPIRED] = "DELETE FROM entry WHERE id IN (SELECT id FROM entry WHERE expires_ms <= ?1 "
                                  "ORDER BY expires_ms LIMIT " EXPIRED_A_PUT ")",
    [CACHE_FILE_REMOVE_OLDEST] = "DELETE FROM entry WHERE id = (SELECT id FROM entry ORDER BY used_ms, id LIMIT 1)",
    [CACHE_FILE_ADD] = "INSERT INTO entry (key, stored_ms, expires_ms, used_ms, checksum, text) "
                       "VALUES (?1, ?2, ?3, ?2, ?4, ?5)",
    [CACHE_FILE_PAGES] = "PRAGMA page_count",
    [CACHE_FILE_PAGES_FREE] = "PRAGMA freelist_count",
    [CACHE_FILE_SHRINK] = "PRAGMA incremental_vacuum(" SHRINK_PAGES ")",
};

steno_status cache_file_status(int code) {
    if (code == SQLITE_IOERR_SHORT_READ) return STENO_CORRUPT; /* cut off */
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return STENO_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return STENO_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* our statements are right: the tables are not */
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT: return STENO_CORRUPT; /* of a key that was removed just before: the index is wrong */
    case SQLITE_FULL:
    case SQLITE_TOOBIG: return STENO_LIMIT;
    case SQLITE_NOMEM: return STENO_NO_MEMORY;
    default: return STENO_SYSTEM;
    }
}

static int64_t checksum(const char *key, const void *text, size_t size, int64_t stored_ms) {
    const uint64_t seed = XXH3_64bits_withSeed(key, strlen(key), (uint64_t)stored_ms);
    return (int64_t)XXH3_64bits_withSeed(text, size, seed);
}

/* Runs a statement to its end, its parameters bound before. */
static steno_status run(cache_file *self, cache_file_statement which) {
    sqlite3_stmt *statement = self->statements[which];
    int code = sqlite3_step(statement);
    while (code == SQLITE_ROW) code = sqlite3_step(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return cache_file_status(code);
}

/* Looks again soon: SQLite's own handler sleeps longer each time, and loses to those who come back at once. */
int cache_file_busy(void *file, int times) {
    cache_file *self = file;
    if (!self->waits) return 0;
    if (times == 0) self->waits_until = deadline_in(CACHE_FILE_BUSY_MS);
    if (!deadline_left_ms(self->waits_until)) return 0;
    nanosleep(&(struct timespec){.tv_nsec = BUSY_RETRY_NS}, NULL);
    return 1;
}

/* ---- Getting ---- */

static void touch(cache_file *self, int64_t id, int64_t now_ms) {
    sqlite3_bind_int64(self->statements[CACHE_FILE_TOUCH], 1, id);
    sqlite3_bind_int64(self->statements[CACHE_FILE_TOUCH], 2, now_ms);
    self->waits = false; /* who only reads waits for nobody */
    run(self, CACHE_FILE_TOUCH);
    self->waits = true;
}

/* The row that the statement is at. */
static steno_status read_row(sqlite3_stmt *row, const char *key, int64_t now_ms, cache_hit *out) {
    const int64_t stored_ms = sqlite3_column_int64(row, 1), expires_ms = sqlite3_column_int64(row, 2);
    if (expires_ms <= now_ms || stored_ms > now_ms + CLOCK_SLACK_MS) return STENO_NOT_FOUND;
    const void *text = sqlite3_column_blob(row, 5);
    const size_t size = (size_t)sqlite3_column_bytes(row, 5);
    if (!text || checksum(key, text, size, stored_ms) != sqlite3_column_int64(row, 4)) {
        /* NULL also stands for memory being short. */
        return text || sqlite3_column_type(row, 5) != SQLITE_BLOB || !size ? STENO_CORRUPT : STENO_NO_MEMORY;
    }
    return cache_hit_fill(out, text, size, stored_ms) ? STENO_OK : STENO_NO_MEMORY;
}

steno_status cache_file_get(cache_file *self, const char *key, int64_t now_ms, cache_hit *out) {
    sqlite3_stmt *row = self->statements[CACHE_FILE_GET];
    sqlite3_bind_text(row, 1, key, -1, SQLITE_STATIC);
    const int code = sqlite3_step(row);
    steno_status status = code == SQLITE_DONE ? STENO_NOT_FOUND : cache_file_status(code);
    int64_t id = 0, used_ms = 0;
    if (code == SQLITE_ROW) {
        id = sqlite3_column_int64(row, 0);
        used_ms = sqlite3_column_int64(row, 3);
        status = read_row(row, key, now_ms, out);
    }
    sqlite3_reset(row);
    sqlite3_clear_bindings(row);
    if (!status && now_ms - used_ms >= TOUCH_MS) touch(self, id, now_ms);
    return status;
}

/* ---- Putting ---- */

static steno_status ask_number(cache_file *self, cache_file_statement which, int64_t *out) {
    sqlite3_stmt *statement = self->statements[which];
    const int code = sqlite3_step(statement);
    *out = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return cache_file_status(code);
}

/* Pages that something is in. */
static steno_status pages_used(cache_file *self, int64_t *out) {
    int64_t all = 0, unused = 0;
    steno_status status = ask_number(self, CACHE_FILE_PAGES, &all);
    if (!status) status = ask_number(self, CACHE_FILE_PAGES_FREE, &unused);
    *out = all - unused;
    return status;
}

/* At most so many pages more for an answer of that size; in every few hundred one maps the others. */
static int64_t pages_needed(size_t size) {
    const int64_t whole = (int64_t)(size / CACHE_FILE_PAGE_BYTES);
    return whole + whole / 128 + PAGES_EXTRA;
}

/* Removes rows for an answer of that size. STENO_LIMIT: there is not room enough yet. */
static steno_status make_room(cache_file *self, size_t size, int64_t now_ms) {
    const int64_t most = cache_file_pages_max(self) - pages_needed(size);
    int64_t used = 0, all = 0;
    sqlite3_bind_int64(self->statements[CACHE_FILE_REMOVE_EXPIRED], 1, now_ms);
    steno_status status = run(self, CACHE_FILE_REMOVE_EXPIRED);
    if (!status) status = pages_used(self, &used);
    for (int i = 0; !status && used > most && i < OLDEST_A_PUT; i++) {
        status = run(self, CACHE_FILE_REMOVE_OLDEST);
        if (!status) status = pages_used(self, &used);
    }
    if (!status) status = ask_number(self, CACHE_FILE_PAGES, &all);
    if (!status && all > cache_file_pages_max(self)) status = run(self, CACHE_FILE_SHRINK);
    return status ? status : used > most ? STENO_LIMIT : STENO_OK;
}

static steno_status add(cache_file *self, const char *key, const char *text, size_t size, int64_t now_ms,
                        int64_t ttl_ms) {
    sqlite3_stmt *statement = self->statements[CACHE_FILE_ADD];
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, now_ms);
    sqlite3_bind_int64(statement, 3, now_ms + ttl_ms);
    sqlite3_bind_int64(statement, 4, checksum(key, text, size, now_ms));
    const int code = sqlite3_bind_blob64(statement, 5, text, size, SQLITE_STATIC);
    return code ? cache_file_status(code) : run(self, CACHE_FILE_ADD);
}

int cache_file_committed(void *file, sqlite3 *database, const char *name, int pages) {
    cache_file *self = file;
    self->log_pages = pages;
    if ((size_t)pages * CACHE_FILE_PAGE_BYTES >= cache_file_log_bytes(self))
        sqlite3_wal_checkpoint_v2(database, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return SQLITE_OK;
}

/* The log begins anew only when nobody reads in it, and a process that was stopped may do so for long: until then nothing is added to it. */
static bool log_has_room(cache_file *self) {
    const size_t most = cache_file_log_bytes(self) + self->bytes_max / CACHE_FILE_LARGEST_SHARE;
    if ((size_t)self->log_pages * CACHE_FILE_PAGE_BYTES <= most) return true;
    if (sqlite3_wal_checkpoint_v2(self->database, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL)) return false;
    self->log_pages = 0;
    return true;
}

steno_status cache_file_put(cache_file *self, const char *key, const char *text, size_t size, int64_t now_ms,
                            int64_t ttl_ms) {
    if (size > self->bytes_max / CACHE_FILE_LARGEST_SHARE) return STENO_LIMIT;
    if (!log_has_room(self)) return STENO_BUSY;
    steno_status status = run(self, CACHE_FILE_BEGIN);
    if (status) return status;
    status = make_room(self, size, now_ms);
    if (status == STENO_LIMIT) { /* what was removed stays so: the next one finds more room */
        run(self, CACHE_FILE_COMMIT);
    } else if (!status) {
        sqlite3_bind_text(self->statements[CACHE_FILE_REMOVE], 1, key, -1, SQLITE_STATIC);
        status = run(self, CACHE_FILE_REMOVE);
        if (!status) status = add(self, key, text, size, now_ms, ttl_ms);
        if (!status) status = run(self, CACHE_FILE_COMMIT);
    }
    if (status && !sqlite3_get_autocommit(self->database)) run(self, CACHE_FILE_ROLLBACK);
    return status;
}
