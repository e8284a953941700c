/* The tables that steno-cost writes: `cost`, its sums in `spend`, and its own row in `subscriber`.
 * Invariant: all change in one transaction, so a call is priced once whatever is killed when.
 */
#ifndef SUBSCRIBERS_COST_LOG_H
#define SUBSCRIBERS_COST_LOG_H

#include "subscribers/budget_watch.h"
#include "subscribers/cost_row.h"

/* The name of its cursor. */
#define COST_SUBSCRIBER "steno-cost"

typedef struct cost_log cost_log;

/* Opens log.db at `path`. `budgets`, borrowed, are counted with every write, and are of this log until it is closed; NULL: none.
 * STENO_NOT_FOUND: stenod has not made it yet.
 */
steno_status cost_log_open(const char *path, budget_watch *budgets, cost_log **out, steno_error *error);
void cost_log_close(cost_log *self);
/* Reads where to go on: everything up to *offset is priced. STENO_TIMEOUT as below. */
steno_status cost_log_read_cursor(cost_log *self, uint64_t *offset, steno_error *error);
/* Looks whether the stored cursor is still the one of cost_log_cursor. STENO_BUSY: somebody else moved it. */
steno_status cost_log_check_cursor(cost_log *self, steno_error *error);
/* The cursor as last read or written here. */
uint64_t cost_log_cursor(const cost_log *self);
/* Stores the rows and the cursor; is_new of each tells whether its call had none before. A call that has a row keeps the one of its earliest event; the same event's is computed anew.
 * STENO_BUSY: somebody else moved the cursor, nothing was written: read it again and go on from there. STENO_TIMEOUT: the
 * database is locked; STENO_SYSTEM: the disk refuses: both may work later. STENO_CORRUPT: it won't.
 */
steno_status cost_log_write(cost_log *self, cost_row *rows, size_t count, uint64_t offset, steno_error *error);
/* Stores which thresholds of budgets are reached, without rows. Errors as above. */
steno_status cost_log_decide(cost_log *self, steno_error *error);
/* How many thresholds the last write stored. */
size_t cost_log_decided(const cost_log *self);
/* The connection; borrowed, for reading and for what is not in a transaction of this room. */
sqlite3 *cost_log_database(const cost_log *self);

#endif
