/* What a scope has spent in a period, out of the roll-ups of log.db: calls count when they started. Reads table `spend` alone. */
#ifndef SUBSCRIBERS_BUDGET_SPENT_H
#define SUBSCRIBERS_BUDGET_SPENT_H

#include <sqlite3.h>

#include "schema/budget.h"

typedef struct budget_sum {
    int64_t pico_dollars; /* ends at INT64_MAX */
    int64_t unpriced;     /* calls whose cost is unknown, and in no sum */
    int64_t estimated;    /* calls that are in the sum by an estimate */
} budget_sum;

/* The statement for budget_spent; owned by the caller (sqlite3_finalize). SQLite's code. */
int budget_spent_prepare(sqlite3 *database, sqlite3_stmt **out);
/* SQLite's code, SQLITE_OK where *out is filled in. */
int budget_spent(sqlite3_stmt *statement, const char *scope, budget_span span, budget_sum *out);

#endif
