/* The subscribers that stenod runs: starts them, starts them again when they end (after 0.5 s, and longer each time, up to 30 s), and
 * passes on what they say, line by line. Owns their processes and pipes.
 */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

#include <sys/types.h>
#include <zmq.h>

#include "daemon/config.h"
#include "schema/place.h"

#define SUPERVISOR_PAUSE_MS 500
#define SUPERVISOR_PAUSE_MS_MAX 30000
/* One that ran this long begins again with the short pause. */
#define SUPERVISOR_SETTLED_MS 60000
/* Time to finish between SIGTERM and SIGKILL. */
#define SUPERVISOR_STOP_MS 5000

typedef struct supervisor supervisor;

typedef struct supervisor_child {
    const char *name, *command, *state; /* borrowed; state: running, waiting, stopped */
    pid_t pid;                          /* 0: none */
    unsigned restarts;
} supervisor_child;

steno_status supervisor_new(const config *settings, const place *where, supervisor **out, steno_error *error);
void supervisor_free(supervisor *self);
/* Starts what is due. Returns when to come again (clock_ms), INT64_MAX: never. */
int64_t supervisor_run(supervisor *self);
/* After SIGCHLD: sees who ended. */
void supervisor_reap(supervisor *self);
/* The pipes to poll: fills in up to CONFIG_SUBSCRIBERS_MAX items, returns how many. */
int supervisor_poll_items(const supervisor *self, zmq_pollitem_t *items);
/* Passes on what they have said. */
void supervisor_listen(supervisor *self);
/* Kills the child with this pid, which is then started again like any that ended. False: it is none of ours. */
bool supervisor_kill(supervisor *self, pid_t pid);
/* Asks all to end; those that don't are killed by supervisor_run when their time is up. None is started again. */
void supervisor_stop(supervisor *self);
/* True if no child is left. */
bool supervisor_idle(const supervisor *self);
size_t supervisor_count(const supervisor *self);
supervisor_child supervisor_child_at(const supervisor *self, size_t index);

#endif
