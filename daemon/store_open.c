/* Opening log.db: settings and schema. The version of the schema is PRAGMA user_version; an older one is brought up to date in one
 * transaction, a newer one is left alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store_database.h"
#include "schema/log.h"

extern const char log_sql[], migration_002[], migration_003[], migration_004[], migration_005[], migration_006[];

/* What leads from version N to the next: entry 0 makes the newest version out of an empty file. */
static const char *const migrations[STENO_LOG_VERSION] = {log_sql,       migration_002, migration_003,
                                                          migration_004, migration_005, migration_006};

steno_status database_fail(sqlite3 *database, int code, const char *what, steno_error *error) {
    int primary = code & 0xFF;
    const char *advice = "";
    if (primary == SQLITE_FULL || primary == SQLITE_IOERR) advice = " (is the disk full?)";
    return steno_fail(error, primary == SQLITE_BUSY || primary == SQLITE_LOCKED ? STENO_BUSY : STENO_SYSTEM,
                      "log.db: cannot %s: %s%s", what, database ? sqlite3_errmsg(database) : sqlite3_errstr(code),
                      advice);
}

steno_status database_prepare(sqlite3 *database, const char *sql, sqlite3_stmt **out, steno_error *error) {
    int code = sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return code ? database_fail(database, code, "prepare a statement", error) : STENO_OK;
}

static steno_status run(sqlite3 *database, const char *sql, const char *what, steno_error *error) {
    int code = sqlite3_exec(database, sql, NULL, NULL, NULL);
    return code ? database_fail(database, code, what, error) : STENO_OK;
}

static steno_status read_version(sqlite3 *database, int *version, steno_error *error) {
    sqlite3_stmt *statement = NULL;
    steno_status status = database_prepare(database, "PRAGMA user_version", &statement, error);
    if (status) return status;
    int code = sqlite3_step(statement);
    *version = code == SQLITE_ROW ? sqlite3_column_int(statement, 0) : 0;
    if (code != SQLITE_ROW) status = database_fail(database, code, "read its version", error);
    sqlite3_finalize(statement);
    return status;
}

static steno_status migrate(sqlite3 *database, const char *path, steno_error *error) {
    steno_status status = run(database, "BEGIN IMMEDIATE", "begin", error);
    if (status) return status;
    int version = 0;
    status = read_version(database, &version, error);
    if (!status && (version > STENO_LOG_VERSION || version < 0))
        status =
            steno_fail(error, STENO_INVALID,
                       "%s has version %d and this stenod knows up to %d: it was written by a newer Steno, run that",
                       path, version, STENO_LOG_VERSION);
    if (!status && version == 0) {
        status = run(database, migrations[0], "make its tables", error);
        version = STENO_LOG_VERSION;
    }
    for (; !status && version < STENO_LOG_VERSION; version++)
        status = run(database, migrations[version], "bring its tables up to date", error);
    if (!status) status = run(database, "COMMIT", "commit its tables", error);
    if (status && !sqlite3_get_autocommit(database)) sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static steno_status settle(sqlite3 *database, bool durability_full, steno_error *error) {
    char settings[512];
    sqlite3_snprintf(
        sizeof settings, settings,
        "PRAGMA page_size = %d; PRAGMA journal_mode = WAL; PRAGMA synchronous = %s; PRAGMA cache_size = -%d;"
        "PRAGMA journal_size_limit = %u; PRAGMA temp_store = MEMORY;",
        STORE_PAGE_BYTES, durability_full ? "FULL" : "NORMAL", STORE_CACHE_KIB, STORE_WAL_BYTES_MAX);
    return run(database, settings, "be set up", error);
}

steno_status database_open(const char *path, bool durability_full, sqlite3 **out, steno_error *error) {
    sqlite3 *database = NULL;
    *out = NULL;
    /* Only the loop's thread uses SQLite: its locks and memory statistics would be a tenth of the work. Once a process; later on
     * it is refused, and nothing lost.
     */
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    int code = sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    steno_status status = STENO_OK;
    if (code) status = steno_fail(error, STENO_SYSTEM, "cannot open %s: %s", path, sqlite3_errstr(code));
    if (!status) {
        sqlite3_extended_result_codes(database, 1);
        sqlite3_busy_timeout(database, STORE_BUSY_MS);
        status = settle(database, durability_full, error);
    }
    if (!status) status = migrate(database, path, error);
    if (status) {
        sqlite3_close(database);
        return status;
    }
    *out = database;
    return STENO_OK;
}
