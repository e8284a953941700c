/* What the rooms of the store share: the connection, its statements, and binding of event values. Private to store*.c and call_row.c. */
#ifndef DAEMON_STORE_DATABASE_H
#define DAEMON_STORE_DATABASE_H

#include <sqlite3.h>

#include "daemon/call_row.h"
#include "daemon/store.h"
#include "schema/clean.h"

struct store {
    sqlite3 *database;
    char *path;
    call_row *calls;
    sqlite3_stmt *begin, *commit, *rollback;
    sqlite3_stmt *insert_event, *insert_publisher, *update_publisher, *insert_loss, *set_journal;
    sqlite3_stmt *load_publisher, *read, *read_call, *first, *oldest, *delete_events, *get_cursor, *set_cursor,
        *each_cursor, *count_pending, *each_pending;
    uint64_t last_offset;
    uint64_t losses;
    int64_t journal_bytes;
    int wal_pages; /* that the write-ahead log had after the last commit */
};

static inline __attribute__((unused)) void clean_statement(sqlite3_stmt **statement) {
    if (*statement) {
        sqlite3_reset(*statement);
        sqlite3_clear_bindings(*statement);
    }
}
/* A prepared statement in use in this scope: ready for its next use at the end. */
#define cleanup_reset cleanup(clean_statement)

/* Opens the connection with its settings, and brings the schema up to date. */
steno_status database_open(const char *path, bool durability_full, sqlite3 **out, steno_error *error);
steno_status database_prepare(sqlite3 *database, const char *sql, sqlite3_stmt **out, steno_error *error);
/* Turns SQLite's last failure into ours. `what` was tried. */
steno_status database_fail(sqlite3 *database, int code, const char *what, steno_error *error);

#endif
