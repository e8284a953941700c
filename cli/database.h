/* The log, opened for reading. No verb of steno can change it, and none keeps a read transaction while it prints. */
#ifndef CLI_DATABASE_H
#define CLI_DATABASE_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "schema/clean.h"
#include "schema/place.h"

/* How long a reader waits for the daemon's lock (a checkpoint, a migration). */
#define DATABASE_BUSY_MS 5000

/* Opens log.db of the Steno folder read-only. Returns EXIT_FINE with *out owned by the caller (sqlite3_close), or the exit status
 * after telling what is wrong. `where` may be NULL.
 */
int database_open(place *where, sqlite3 **out);
/* From the next statement until it is closed the log is seen as it is at one moment. Returns as database_end. */
int database_begin(sqlite3 *database);
/* Prepares our own SQL: EXIT_FINE, or the exit status after telling why not. */
int database_prepare(sqlite3 *database, const char *sql, sqlite3_stmt **out);
/* Tells what sqlite says about a statement that stopped with `code`; EXIT_FINE for SQLITE_DONE. */
int database_end(sqlite3 *database, int code);

/* A column as JSON: text is made valid UTF-8, a BLOB is hexadecimal text, numbers stay numbers. A new reference. */
json_t *database_json(sqlite3_stmt *statement, int column);
/* A text column that holds JSON, parsed (as it is if it is none). A new reference. */
json_t *database_json_parsed(sqlite3_stmt *statement, int column);
/* The number of a column by its name; -1 if there is none. */
int database_column(sqlite3_stmt *statement, const char *name);
/* Hexadecimal digits of a BLOB, owned by the caller (free). */
char *database_hex(sqlite3_stmt *statement, int column);

CLEANUP_FUNCTION(database_close, sqlite3, sqlite3_close)
CLEANUP_FUNCTION(database_finalize, sqlite3_stmt, sqlite3_finalize)
CLEANUP_FUNCTION(database_json_release, json_t, json_decref)

#endif
