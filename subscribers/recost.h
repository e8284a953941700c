/* Prices calls of the log again (steno recost). May touch tables `cost`, `cost_old`, `recost` and `spend`, beside a running stenod and steno-cost:
 * prices are computed between transactions, which only write what has changed, are short, and have a pause after them. Invariant: a cost, its old figure and
 * the sums change in one transaction; whoever is killed in between has done a part of the work, and the next run does the rest.
 */
#ifndef SUBSCRIBERS_RECOST_H
#define SUBSCRIBERS_RECOST_H

#include "subscribers/cost_again.h"

/* Rows that are read at once, and changed ones of a transaction: a few milliseconds each. */
#define RECOST_READ_ROWS 500
#define RECOST_WRITE_ROWS 100
/* After a transaction, so that the log's other writers have their turn: as long as it took, at least this. */
#define RECOST_PAUSE_MS 10

/* Which calls. */
typedef struct recost_query {
    double since, until; /* that started from then on and before then; may be infinite */
    const char *model;   /* NULL: of all */
    bool dry_run;        /* nothing is written */
} recost_query;

/* Hears of each call that was looked at: what it cost, and what it costs now. `model` may be NULL. */
typedef void (*recost_fn)(const char *model, const cost_stored *before, const cost_row *now, bool changed, void *ctx);

/* `left`: calls that are as they were, for what their price takes was not kept. `database` must be open for writing.
 * STENO_TIMEOUT: it is locked by somebody else for long; STENO_SYSTEM, STENO_NO_MEMORY. What was done until then stays done.
 */
steno_status recost_run(sqlite3 *database, steno_prices *prices, const recost_query *query, recost_fn visit, void *ctx,
                        int64_t *left, steno_error *error);

#endif
