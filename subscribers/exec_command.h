/* One run of a command for one event. Invariant: when it returns, the command has ended and is reaped, and it never took longer
 * than its time limit and the grace, whatever it did with its stdin, its output and its signals.
 */
#ifndef SUBSCRIBERS_EXEC_COMMAND_H
#define SUBSCRIBERS_EXEC_COMMAND_H

#include <sys/types.h>

#include "schema/event.h"

typedef enum command_end {
    COMMAND_EXITED,      /* `code` is its exit status */
    COMMAND_SIGNALLED,   /* `code` is the signal */
    COMMAND_TIMED_OUT,   /* and was killed */
    COMMAND_INTERRUPTED, /* killed because we were told twice to stop */
    COMMAND_NOT_RUN,     /* `code` is the errno; memory, processes: may work later */
    COMMAND_NOT_FOUND,   /* `code` is the errno; no such program, or not ours to run */
} command_end;

typedef struct command_result {
    command_end end;
    int code;
} command_result;

/* Runs argv (looked up in $PATH) in a process group of its own, with the event's JSON on one line as stdin, a few STENO_… variables
 * added to the environment, no signal blocked, and our stdout and stderr. `timeout_ms` 0: no limit.
 */
command_result command_run(char *const argv[], const steno_event *event, unsigned attempt, int64_t timeout_ms);

#endif
