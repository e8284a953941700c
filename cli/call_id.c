/* Call ids as people copy them. All by the unique index on call.call_id: neighbours and ranges, no scan. */
#include "cli/call_id.h"

#include <stdio.h>
#include <string.h>

#include "cli/database.h"
#include "cli/program.h"

/* How many of the calls that a prefix could mean are listed. */
#define CANDIDATES_SHOWN 5

static size_t common_prefix(const char *a, const char *b) {
    size_t size = 0;
    while (a[size] && a[size] == b[size]) size++;
    return size;
}

size_t call_id_short(sqlite3 *database, const char *call_id) {
    size_t size = CALL_ID_SHORT, whole = strlen(call_id);
    cleanup(database_finalize) sqlite3_stmt *statement = NULL;
    if (database_prepare(database,
                         "SELECT max(call_id) FROM call WHERE call_id < ?1 UNION ALL "
                         "SELECT min(call_id) FROM call WHERE call_id > ?1",
                         &statement))
        return whole;
    sqlite3_bind_text(statement, 1, call_id, -1, SQLITE_STATIC);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const char *neighbour = (const char *)sqlite3_column_text(statement, 0);
        if (neighbour && common_prefix(call_id, neighbour) >= size) size = common_prefix(call_id, neighbour) + 1;
    }
    /* "0190a3b4-1f2e-" reads like a mistake. */
    if (size < whole && call_id[size - 1] == '-') size++;
    return size < whole ? size : whole;
}

int call_id_find(sqlite3 *database, const char *prefix, char out[CALL_ID_BYTES]) {
    if (!*prefix) return program_fail("an empty call id: \"steno logs\" shows the ids");
    cleanup(database_finalize) sqlite3_stmt *statement = NULL;
    int failed = database_prepare(database,
                                  "SELECT call_id FROM call WHERE call_id >= ?1 AND call_id < ?1 || char(0x10FFFF) "
                                  "ORDER BY call_id LIMIT ?2",
                                  &statement);
    if (failed) return failed;
    sqlite3_bind_text(statement, 1, prefix, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 2, CANDIDATES_SHOWN + 1);
    char candidates[(CANDIDATES_SHOWN + 1) * (CALL_ID_BYTES + 2)] = "";
    char *end = candidates;
    int found = 0, code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *call_id = (const char *)sqlite3_column_text(statement, 0);
        if (!call_id || strlen(call_id) >= CALL_ID_BYTES) continue;
        if (found++ == 0) strcpy(out, call_id);
        if (strcmp(call_id, prefix) == 0) return EXIT_FINE; /* whole, whatever else begins with it */
        if (found <= CANDIDATES_SHOWN) {
            end = stpcpy(end, found > 1 ? ", " : "");
            end = stpcpy(end, call_id);
        }
    }
    failed = database_end(database, code);
    if (failed || found == 1) return failed;
    if (found == 0)
        return program_fail("%s: no call in the log has an id that begins so: \"steno logs\" shows the ids", prefix);
    return program_fail("%s: more than one call begins so: %s%s", prefix, candidates,
                        found > CANDIDATES_SHOWN ? ", …" : "");
}
