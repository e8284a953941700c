/* The budgets that steno-cost keeps: what each has spent in its period, which thresholds were reached, and which scopes are used up.
 * A figure is read from `spend` once and then counted on with each batch of rows; whatever could make it wrong (a batch that is rolled back, costs that
 * were computed again, another definition) has it read anew. Invariant: a threshold that the rows in `spend` reach is in `budget_alert` when they are.
 */
#ifndef SUBSCRIBERS_BUDGET_WATCH_H
#define SUBSCRIBERS_BUDGET_WATCH_H

#include "subscribers/budget_files.h"
#include "subscribers/spend.h"

typedef struct budget_watch budget_watch;

/* Reads the definitions; what is wrong with them is in budget_watch_problem. STENO_NO_MEMORY. */
steno_status budget_watch_new(const place *where, budget_watch **out, steno_error *error);
void budget_watch_free(budget_watch *self);
/* From now on figures are of this log, borrowed until budget_watch_close or the next budget_watch_open. STENO_CORRUPT. */
steno_status budget_watch_open(budget_watch *self, sqlite3 *database, steno_error *error);
void budget_watch_close(budget_watch *self);
/* Nothing that was counted is to be relied on. */
void budget_watch_doubt(budget_watch *self);

/* Within a transaction, after `changes` were written to `spend`: counts them, and stores which thresholds are reached. *decided: how many. SQLite's code. */
int budget_watch_count(budget_watch *self, spend *changes, double now, size_t *decided);
/* Reads the definitions again if they changed, begins new periods, and reads what figures are missing. *due: a threshold is reached that is not stored:
 * budget_watch_count is to be called in a transaction. SQLite's code.
 */
int budget_watch_look(budget_watch *self, double now, bool *due);

/* What is wrong with the definitions; NULL: nothing. Those from before it count. */
const char *budget_watch_problem(const budget_watch *self);
/* Whether a budget of those that count would stop calls. */
bool budget_watch_stops(const budget_watch *self);
/* The definitions were read, and so was what each budget has spent: what budget_watch_each_stopped visits is all there is. */
bool budget_watch_ready(const budget_watch *self);
/* Visits the budgets with a stop that are used up now. */
typedef void (*budget_stopped_fn)(const budget *which, budget_span span, int64_t spent, void *ctx);
void budget_watch_each_stopped(const budget_watch *self, double now, budget_stopped_fn visit, void *ctx);

#endif
