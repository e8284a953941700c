/* The subscribers that stenod runs: which run, and which end. Invariant: of each name one process at most, which runs by what the
 * configuration says now; one that was told to end is waited for before another takes its place.
 */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

#include <sys/types.h>
#include <zmq.h>

#include "daemon/config.h"
#include "schema/place.h"

/* Those of the configuration, and as many that were taken out of it and have not ended yet. */
#define SUPERVISOR_CHILDREN_MAX (2 * CONFIG_SUBSCRIBERS_MAX)

typedef struct supervisor supervisor;

/* All text is borrowed until the next call that is not const. */
typedef struct supervisor_child {
    const char *name, *command;
    const char *state;     /* running, waiting (to be started again), stopping, stopped */
    const char *last_exit; /* "exited with 1", "signal 9"; NULL: it has not ended yet */
    const char *said;      /* its last line; NULL: none */
    pid_t pid;             /* 0: none */
    unsigned restarts;
    int64_t starts_in_ms; /* of one that is waiting; else -1 */
} supervisor_child;

steno_status supervisor_new(const config *settings, const place *where, supervisor **out, steno_error *error);
void supervisor_free(supervisor *self);
/* From now on the subscribers are those of `settings`. Those that are the same go on untouched; one with another command is stopped and started
 * anew, one that is there no more is stopped.
 */
void supervisor_configure(supervisor *self, const config *settings);
/* Starts and ends what is due. Returns when to come again (clock_ms), INT64_MAX: never. */
int64_t supervisor_run(supervisor *self);
/* After SIGCHLD: sees who ended. */
void supervisor_reap(supervisor *self);
/* The pipes to poll: fills in up to SUPERVISOR_CHILDREN_MAX items, returns how many. */
int supervisor_poll_items(const supervisor *self, zmq_pollitem_t *items);
/* Passes on what they have said. */
void supervisor_listen(supervisor *self);
/* Kills the child with this pid, which is then started again like any that ended. False: it is none of ours. */
bool supervisor_kill(supervisor *self, pid_t pid);
/* Asks all to end, one after the other, the last of the file first; who takes longer than its `stop_timeout` is killed. None is started again. */
void supervisor_stop(supervisor *self);
/* True if no child is left. */
bool supervisor_idle(const supervisor *self);
size_t supervisor_count(const supervisor *self);
supervisor_child supervisor_child_at(const supervisor *self, size_t index);

#endif
