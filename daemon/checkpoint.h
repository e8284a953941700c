/* Keeps the write-ahead log small. It can begin anew only when nobody reads a state that is only there; where readers overlap without end,
 * writing rests for a moment so that they can come to the newest state. Invariant: a rest is bounded, and so is what rests cost together:
 * after one in vain the log may be twice as large before the next.
 */
#ifndef DAEMON_CHECKPOINT_H
#define DAEMON_CHECKPOINT_H

#include "daemon/logline.h"
#include "daemon/store.h"

/* Pages (8 KiB) at which writing rests: 64 MiB. */
#define CHECKPOINT_REST_PAGES 8192
/* As long as a query that people wait for. What comes meanwhile waits in the spools. */
#define CHECKPOINT_REST_MS 3000
#define CHECKPOINT_RETRY_MS 5

typedef struct checkpoint {
    int64_t rest_until_ms; /* 0: not resting */
    int64_t retry_ms;
    int rest_pages; /* 0: CHECKPOINT_REST_PAGES */
    int seen_pages;
    logline_limit said;
} checkpoint;

/* True: nothing is to be written now; come again at self->retry_ms. */
bool checkpoint_run(checkpoint *self, store *log, const char *log_path);

#endif
