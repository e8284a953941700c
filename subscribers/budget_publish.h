/* Publishes `alert.budget` for each row of `budget_alert` that has not been published, and marks it. May touch that table, table `event` (to read), and
 * a publisher of its own. Invariant: a row is marked only after its event is in the spool, so no alert is lost; one that was published by a
 * process that was killed before it could mark the row is found in the journal by its id, and not published again.
 */
#ifndef SUBSCRIBERS_BUDGET_PUBLISH_H
#define SUBSCRIBERS_BUDGET_PUBLISH_H

#include <sqlite3.h>

#include "schema/error.h"

#define BUDGET_EVENT "alert.budget"

typedef struct budget_publish budget_publish;

/* `dir` is copied; NULL: as everywhere. Nothing is opened before there is an alert. */
steno_status budget_publish_new(const char *dir, budget_publish **out, steno_error *error);
void budget_publish_free(budget_publish *self);
/* Publishes what is to be published in `database`. On failure the rest waits for the next time. STENO_TIMEOUT: the log is locked, or the daemon has not
 * stored yet what may be an alert of the life before.
 */
steno_status budget_publish_run(budget_publish *self, sqlite3 *database, steno_error *error);

#endif
