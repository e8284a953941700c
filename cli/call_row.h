/* A row of the view `calls`, whatever the statement: its columns are found by their names (schema/log.sql). */
#ifndef CLI_CALL_ROW_H
#define CLI_CALL_ROW_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "cli/terminal.h"

/* A text or number column as text; NULL if it is NULL or does not exist. Borrowed until the next step. */
const char *call_row_text(sqlite3_stmt *row, const char *column);
/* False if the column is NULL or does not exist. */
bool call_row_number(sqlite3_stmt *row, const char *column, double *out);
/* The row as an object, without columns named _…: those that hold JSON are parsed, flags are booleans. Without `texts` it has no messages and responses.
 * A new reference; NULL when memory is short.
 */
json_t *call_row_json(sqlite3_stmt *row, bool texts);
/* What a call's state is shown in. */
tone call_row_tone(const char *status);

#endif
