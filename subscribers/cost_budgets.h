/* All that steno-cost does about budgets beside counting: looks at the definitions, the clock and the log twice a second, publishes alerts and keeps
 * budgets.json. What fails is told once on standard error and tried again. Invariant: nothing here keeps a cost from being stored.
 */
#ifndef SUBSCRIBERS_COST_BUDGETS_H
#define SUBSCRIBERS_COST_BUDGETS_H

#include "subscribers/cost_log.h"

/* How often it looks while nothing changes. */
#define COST_BUDGETS_LOOK_MS 500

typedef struct cost_budgets cost_budgets;

/* `dir` as of place_open. */
steno_status cost_budgets_new(const place *where, const char *dir, cost_budgets **out, steno_error *error);
void cost_budgets_free(cost_budgets *self);
/* For cost_log_open; borrowed. */
budget_watch *cost_budgets_watch(cost_budgets *self);
/* Again and again; `wrote`: rows were written since. */
void cost_budgets_run(cost_budgets *self, cost_log *log, bool wrote);

#endif
