/* What steno-exec's two ways of running a command share: the settings, what is done about an event that keeps failing, the cursor, how it is told. */
#ifndef SUBSCRIBERS_EXEC_RUN_H
#define SUBSCRIBERS_EXEC_RUN_H

#include "subscribers/dead_letter.h"
#include "subscribers/exec_command.h"
#include "subscribers/flight.h"
#include "subscribers/health.h"

/* Before the first repetition; it doubles each time, up to the limit. */
#define EXEC_PAUSE_MS 500
#define EXEC_PAUSE_MS_MAX 30000
/* The longest wait in a loop. */
#define EXEC_TURN_MS 1000

typedef enum exec_on_error { ON_ERROR_DEAD_LETTER, ON_ERROR_SKIP, ON_ERROR_STOP } exec_on_error;

typedef struct exec_options {
    char **command;     /* its argv */
    int64_t timeout_ms; /* 0: no limit */
    unsigned retries;
    exec_on_error on_error;
    unsigned jobs;
    bool stream, ack;
} exec_options;

typedef struct exec_run {
    const exec_options *options;
    const program *program;
    steno_subscriber *subscriber;
    dead_letter *letters;
    health health;
    flight *flight;
    int wake;         /* an epoll: what is in it ends the subscriber's waits */
    bool ending;      /* no more events are taken */
    bool failed;      /* the exit status */
    int stops;        /* signals that were seen */
    uint64_t skipped; /* events that were given up on and are nowhere */
    uint64_t moves;   /* of the cursor */
    bool named;       /* there is a cursor */
} exec_run;

/* "event 7 (failure of call x): what; next" on stderr. */
void exec_say(const exec_run *self, const steno_event *event, const char *what, const char *next);
/* The pause before attempt `number` + 1. */
int64_t exec_pause_ms(unsigned number);

typedef enum exec_verdict {
    EXEC_HANDLED, /* as --on-error wants it */
    EXEC_LATER,   /* the dead letters' disk is full, …: told, and to be tried again */
    EXEC_KEPT,    /* the program ends, and the event comes again */
} exec_verdict;

/* The event has failed for good: `why`. */
exec_verdict exec_give_up(exec_run *self, const steno_event *event, const char *why);
/* The next event if there is room for one (`may_take`), waited for at most `ms`; NULL: something else is to be done, or nothing. *moved: the cursor was moved, and
 * what is in flight is of no use any more. Sees stop signals: the first one sets `ending`.
 */
const steno_event *exec_next(exec_run *self, bool may_take, int64_t ms, bool *moved);

/* The two ways (exec_each.c, exec_stream.c). They return when they are to end and nothing runs any more. */
void exec_each(exec_run *self);
void exec_stream(exec_run *self);

#endif
