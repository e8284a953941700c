/* The log, opened for reading: what may be missing or wrong is told in words that say what to do. */
#include "cli/database.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/program.h"
#include "cli/text.h"
#include "schema/log.h"

static int no_log_yet(const place *where) {
    return program_fail("no log yet at %s: start stenod, or set STENO_DIR", where->log);
}

/* The schema's version, -1 if it cannot be read. */
static int schema_version(sqlite3 *database) {
    cleanup(database_finalize) sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK) return -1;
    return sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int(statement, 0) : -1;
}

int database_open(place *where, sqlite3 **out) {
    place found;
    if (!where) where = &found;
    steno_error error;
    if (place_find(where, NULL, &error)) return program_fail("%s", error.message);
    if (access(where->log, F_OK) != 0 && errno == ENOENT) return no_log_yet(where);

    cleanup(database_close) sqlite3 *database = NULL;
    int code = sqlite3_open_v2(where->log, &database, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) sqlite3_busy_timeout(database, DATABASE_BUSY_MS);
    int version = code == SQLITE_OK ? schema_version(database) : -1;
    if (version < 0) return program_fail("%s: cannot read the log: %s", where->log, sqlite3_errmsg(database));
    if (version == 0) return no_log_yet(where);
    if (version > STENO_LOG_VERSION)
        return program_fail("%s: written by a newer Steno (schema %d, known here: %d): use that Steno's programs",
                            where->log, version, STENO_LOG_VERSION);
    if (version < STENO_LOG_VERSION)
        return program_fail(
            "%s: written by an older Steno (schema %d, needed here: %d): start stenod once, it brings it up to date",
            where->log, version, STENO_LOG_VERSION);
    *out = database;
    database = NULL;
    return EXIT_FINE;
}

int database_begin(sqlite3 *database) {
    const int code = sqlite3_exec(database, "BEGIN", NULL, NULL, NULL);
    return database_end(database, code == SQLITE_OK ? SQLITE_DONE : code);
}

int database_prepare(sqlite3 *database, const char *sql, sqlite3_stmt **out) {
    if (sqlite3_prepare_v2(database, sql, -1, out, NULL) == SQLITE_OK) return EXIT_FINE;
    return program_fail("the log cannot be read: %s", sqlite3_errmsg(database));
}

int database_end(sqlite3 *database, int code) {
    if (code == SQLITE_DONE) return EXIT_FINE;
    return program_fail("reading the log: %s", sqlite3_errmsg(database));
}

static json_t *json_text(const char *text, size_t size) {
    json_t *json = json_stringn(text, size);
    if (json) return json;
    size_t repaired_size;
    cleanup_free char *repaired = text_utf8(text, size, &repaired_size);
    return repaired ? json_stringn_nocheck(repaired, repaired_size) : NULL;
}

char *database_hex(sqlite3_stmt *statement, int column) {
    const unsigned char *bytes = sqlite3_column_blob(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    char *hex = malloc(2 * size + 1);
    if (!hex) return NULL;
    for (size_t i = 0; i < size; i++) {
        hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    hex[2 * size] = '\0';
    return hex;
}

json_t *database_json(sqlite3_stmt *statement, int column) {
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return json_integer(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT: {
        json_t *real = json_real(sqlite3_column_double(statement, column));
        return real ? real : json_null(); /* JSON has no infinity */
    }
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_column_text(statement, column);
        return json_text(text, (size_t)sqlite3_column_bytes(statement, column));
    }
    case SQLITE_BLOB: {
        cleanup_free char *hex = database_hex(statement, column);
        return hex ? json_string_nocheck(hex) : NULL;
    }
    default: return json_null();
    }
}

json_t *database_json_parsed(sqlite3_stmt *statement, int column) {
    if (sqlite3_column_type(statement, column) != SQLITE_TEXT) return database_json(statement, column);
    const char *text = (const char *)sqlite3_column_text(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    json_t *json = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    return json ? json : database_json(statement, column);
}

int database_column(sqlite3_stmt *statement, const char *name) {
    for (int i = 0; i < sqlite3_column_count(statement); i++)
        if (strcmp(sqlite3_column_name(statement, i), name) == 0) return i;
    return -1;
}
