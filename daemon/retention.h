/* Keeps the journal small: events leave it after some days, or when it is too large, oldest first. Calls and costs stay. Invariant: one
 * turn deletes little, so that nothing else waits for it; the last event always stays.
 */
#ifndef DAEMON_RETENTION_H
#define DAEMON_RETENTION_H

#include "daemon/logline.h"
#include "daemon/store.h"

/* Between two looks when there is nothing to delete, and after a failure. */
#define RETENTION_LOOK_MS 1000

typedef struct retention {
    double age_max;    /* seconds; 0: no limit */
    int64_t bytes_max; /* 0: no limit */
    int64_t due_ms;
    logline_limit said;
} retention;

/* Deletes a little if that is due. Returns when it is due again (clock_ms). */
int64_t retention_run(retention *self, store *log);

#endif
