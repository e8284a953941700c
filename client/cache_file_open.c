/* Opening, making, setting aside. SQLite finds -wal and -shm by name, so a database must not be opened while another one is moved out of its name:
 * both are done under a lock on PATH-lock. A cache may be lost at any time, so nothing is ever synced.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "client/cache_file.h"
#include "client/deadline.h"
#include "schema/clean.h"

/* "StCa": whose file it is, in its head. */
#define APPLICATION_ID 0x53744361
#define VERSION 1
#define CACHE_KIB 1024
/* Between tries for the lock, which others hold for about a millisecond. */
#define LOCK_RETRY_NS 500000

/* Of this process: closing a file that somebody else here has open in SQLite would end their locks. Nobody is in here over a fork (cache_sqlite.c). */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static const char tables[] =
    "CREATE TABLE entry (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, stored_ms INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL, checksum INTEGER NOT NULL, text BLOB NOT NULL);"
    "CREATE INDEX entry_expires ON entry (expires_ms);"
    "CREATE INDEX entry_used ON entry (used_ms);";

static int open_quietly(const char *path, int flags) { return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600); }

/* The path with an ending; owned by the caller, NULL when memory is short. */
static char *beside(const cache_file *self, const char *ending) {
    char *path = NULL;
    return asprintf(&path, "%s%s", self->path, ending) < 0 ? NULL : path;
}

static void remove_beside(const cache_file *self, const char *ending) {
    cleanup_free char *path = beside(self, ending);
    if (path) unlink(path);
}

/* Takes the lock between processes; it goes with the descriptor. */
static steno_status lock_name(const cache_file *self, int *out, steno_error *error) {
    cleanup_free char *path = beside(self, "-lock");
    if (!path) return steno_fail(error, STENO_NO_MEMORY, "no memory to open the cache's file %s", self->path);
    *out = open_quietly(path, O_RDWR | O_CREAT);
    if (*out < 0)
        return steno_fail(error, STENO_SYSTEM, "cannot open %s, the lock of the cache's file: %s", path,
                          strerror(errno));
    const int64_t deadline = deadline_in(CACHE_FILE_BUSY_MS);
    while (flock(*out, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return steno_fail(error, STENO_SYSTEM, "cannot lock %s: %s", path, strerror(errno));
        if (!deadline_left_ms(deadline))
            return steno_fail(error, STENO_BUSY, "the cache's file %s is being opened by another process", self->path);
        nanosleep(&(struct timespec){.tv_nsec = LOCK_RETRY_NS}, NULL);
    }
    return STENO_OK;
}

/* Makes an empty file where there is none: SQLite would make it readable for all. What it has beside it is then of a file that is gone. */
static steno_status make(const cache_file *self, steno_error *error) {
    struct stat is;
    if (!stat(self->path, &is))
        return S_ISREG(is.st_mode)
                   ? STENO_OK
                   : steno_fail(error, STENO_INVALID, "the cache's file %s is no regular file", self->path);
    if (errno != ENOENT)
        return steno_fail(error, STENO_SYSTEM, "cannot look at the cache's file %s: %s", self->path, strerror(errno));
    remove_beside(self, "-wal");
    remove_beside(self, "-shm");
    cleanup_close int fd = open_quietly(self->path, O_RDWR | O_CREAT | O_EXCL);
    if (fd < 0)
        return steno_fail(error, STENO_SYSTEM, "cannot make the cache's file %s: %s", self->path, strerror(errno));
    return STENO_OK;
}

static steno_status failed(const cache_file *self, int code, steno_error *error) {
    return steno_fail(error, cache_file_status(code), "cannot use the cache's file %s: %s", self->path,
                      sqlite3_errstr(code));
}

static int ask_number(sqlite3 *database, const char *sql, int64_t *out) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database, sql, -1, &statement, NULL);
    if (!code) code = sqlite3_step(statement);
    if (code == SQLITE_ROW) *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? SQLITE_OK : code;
}

/* Whose database it is; *empty: nobody's yet. */
static steno_status recognise(const cache_file *self, bool *empty, steno_error *error) {
    int64_t id = 0, version = 0, things = 0;
    int code = ask_number(self->database, "SELECT count(*) FROM sqlite_master", &things);
    if (!code) code = ask_number(self->database, "PRAGMA application_id", &id);
    if (!code) code = ask_number(self->database, "PRAGMA user_version", &version);
    if (code) return failed(self, code, error);
    *empty = !things && !id && !version;
    if (!*empty && id != APPLICATION_ID)
        return steno_fail(error, STENO_INVALID, "%s is a database of something else; give the cache a file of its own",
                          self->path);
    if (!*empty && version != VERSION)
        return steno_fail(error, STENO_INVALID, "%s is a cache of another version of Steno; give this one another file",
                          self->path);
    return STENO_OK;
}

/* Of this connection; nothing of it writes to a file that is a cache already, so others who write do not matter. */
static int settle(const cache_file *self) {
    char sql[512];
    sqlite3_snprintf(sizeof sql, sql,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA secure_delete = FAST;"
                     "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -%d; PRAGMA journal_size_limit = %lld;"
                     "PRAGMA max_page_count = %lld;",
                     CACHE_KIB, (long long)cache_file_log_bytes(self), (long long)cache_file_pages_max(self));
    return sqlite3_exec(self->database, sql, NULL, NULL, NULL);
}

/* Of the file, before anything else is written to it. */
static int shape(const cache_file *self) {
    char sql[128];
    sqlite3_snprintf(sizeof sql, sql, "PRAGMA page_size = %d; PRAGMA auto_vacuum = INCREMENTAL", CACHE_FILE_PAGE_BYTES);
    return sqlite3_exec(self->database, sql, NULL, NULL, NULL);
}

static int make_tables(const cache_file *self) {
    char sql[1024];
    sqlite3_snprintf(sizeof sql, sql,
                     "BEGIN IMMEDIATE; %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;", tables,
                     APPLICATION_ID, VERSION);
    return sqlite3_exec(self->database, sql, NULL, NULL, NULL);
}

static int prepare(cache_file *self) {
    int code = SQLITE_OK;
    for (size_t i = 0; i < CACHE_FILE_STATEMENTS && !code; i++)
        code = sqlite3_prepare_v3(self->database, cache_file_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                  &self->statements[i], NULL);
    return code;
}

/* Under the lock. The file is closed again on failure, unless it is damaged. */
static steno_status open_named(cache_file *self, steno_error *error) {
    steno_status status = make(self, error);
    if (status) return status;
    bool empty = false;
    int code = sqlite3_open_v2(self->path, &self->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code) status = failed(self, code, error);
    if (!status) {
        sqlite3_extended_result_codes(self->database, 1);
        self->waits = true;
        sqlite3_busy_handler(self->database, cache_file_busy, self);
        status = recognise(self, &empty, error);
    }
    if (!status) {
        if (empty) code = shape(self);
        if (!code) code = settle(self);
        if (!code && empty) code = make_tables(self);
        if (!code) code = prepare(self);
        if (code) status = failed(self, code, error);
    }
    if (!status) sqlite3_wal_hook(self->database, cache_file_committed, self);
    if (status && status != STENO_CORRUPT) cache_file_close(self);
    return status;
}

/* Under the lock. */
static void move_aside(cache_file *self) {
    cleanup_free char *aside = beside(self, ".damaged");
    if (!cache_file_is_gone(self)) {
        remove_beside(self, "-shm");
        remove_beside(self, "-wal");
        if (!aside || rename(self->path, aside)) unlink(self->path);
    }
    cache_file_close(self); /* SQLite sees that the name is gone, and leaves alone what is there by then */
}

steno_status cache_file_open(cache_file *self, steno_error *error) {
    cleanup_close int lock = -1;
    pthread_mutex_lock(&opening);
    steno_status status = lock_name(self, &lock, error);
    if (!status) status = open_named(self, error);
    if (status == STENO_CORRUPT) {
        move_aside(self);
        status = open_named(self, error);
        if (status) cache_file_close(self);
    }
    pthread_mutex_unlock(&opening);
    return status;
}

bool cache_file_is_gone(cache_file *self) {
    int moved = 0;
    return !sqlite3_file_control(self->database, "main", SQLITE_FCNTL_HAS_MOVED, &moved) && moved;
}

void cache_file_set_aside(cache_file *self) {
    cleanup_close int lock = -1;
    pthread_mutex_lock(&opening);
    if (lock_name(self, &lock, NULL))
        cache_file_close(self); /* whoever holds the lock is opening it, and finds the damage too */
    else
        move_aside(self);
    pthread_mutex_unlock(&opening);
}

void cache_file_close(cache_file *self) {
    for (size_t i = 0; i < CACHE_FILE_STATEMENTS; i++) {
        sqlite3_finalize(self->statements[i]);
        self->statements[i] = NULL;
    }
    sqlite3_close(self->database);
    self->database = NULL;
    self->log_pages = 0;
}
