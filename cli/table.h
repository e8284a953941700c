/* Tables that fit the terminal (libsmartcols): there wide columns are cut, and where that is not enough columns are left out; in a pipe everything
 * is whole.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "cli/terminal.h"

typedef enum table_flags {
    TABLE_LEFT = 0,
    TABLE_RIGHT = 1, /* numbers */
    TABLE_CUT = 2,   /* gives way when the terminal is narrow */
    TABLE_SPARE = 4, /* is left out when that is not enough: empty columns first, then from the right */
} table_flags;

/* One table, built row by row and printed at once. Owned by its maker. Memory that runs short is told by table_print. */
typedef struct table table;

table *table_new(void);
void table_free(table *table);
/* Adds a column and returns its number, from 0 on. `name` is made safe and copied. Before the first row only. */
size_t table_column(table *table, const char *name, table_flags flags);
/* Begins a row. */
void table_row(table *table);
/* A cell of the row in hand, made safe and copied; NULL or "" stays empty. */
void table_cell(table *table, size_t column, const char *text, tone look);
void table_cell_n(table *table, size_t column, const char *text, size_t size, tone look);
void table_count(table *table, size_t column, int64_t count);
/* Prints it to standard output and returns the exit status. */
int table_print(table *table);

#endif
