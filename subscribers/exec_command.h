/* A command: started in a process group of its own, looked at now and then, ended when its time is up. Invariant: command_look reaps it, and nothing that it
 * does with its stdin, its output and its signals keeps us waiting.
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

/* Begin with {0}. */
typedef struct command {
    pid_t pid;         /* 0: none runs */
    int process;       /* its pidfd: readable when it has ended */
    int64_t begun;     /* clock_ms */
    int64_t due;       /* when command_look is to be called although it has not ended; CLOCK_NEVER: no need */
    command_end cause; /* why it is being ended; COMMAND_EXITED: it is not */
} command;

/* Starts argv (looked up in $PATH) with the event's JSON on one line as stdin, a few STENO_… variables added to the environment, no signal blocked, and our
 * stdout and stderr. `timeout_ms` 0: no limit. False: it does not run, and *why says why.
 */
bool command_start(command *self, char *const argv[], const steno_event *event, unsigned attempt, int64_t timeout_ms,
                   command_result *why);
/* The same for one that lives long: with these as stdin and stdout (-1: ours), and no variables. */
bool command_start_stream(command *self, char *const argv[], int stdin_fd, int stdout_fd, command_result *why);
/* Waits for nothing. True: it has ended. */
bool command_look(command *self, command_result *result);
/* Ends it: SIGTERM for its group, and SIGKILL two seconds later. */
void command_stop(command *self, command_end cause);
/* "exited 1", "took longer than 60 s and was killed", … */
void command_describe(const command_result *result, int64_t timeout_ms, char *out, size_t size);

#endif
