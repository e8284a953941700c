/* Calls whose app died: each ends as a `failure` (ProcessDied) that the daemon itself publishes, once its publisher's spool is drained.
 * Once, also across a restart in between: the failure and the end of `pending` are in one transaction.
 */
#ifndef DAEMON_ENDINGS_H
#define DAEMON_ENDINGS_H

#include "daemon/intake.h"

/* Calls closed in one transaction. */
#define ENDINGS_A_BATCH 256
/* When the log could not be asked for them. */
#define ENDINGS_RETRY_MS 1000

/* Puts failures for the open calls of a dead publisher into the batch, or, where there are none, marks it as ended.
 * False: the batch has no room.
 */
bool endings_take(intake *self, publisher *dead);

#endif
