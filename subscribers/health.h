/* How a program is, told where people look: once on stderr when it changes, and to the daemon (`steno status`), again now and then, for the daemon
 * forgets it when it ends. Invariant: a problem that lasts fills no log.
 */
#ifndef SUBSCRIBERS_HEALTH_H
#define SUBSCRIBERS_HEALTH_H

#include "schema/control.h"
#include "subscribers/program.h"

/* How often what has not changed is told to the daemon again, and the log. */
#define HEALTH_AGAIN_MS 10000
#define HEALTH_LOG_AGAIN_MS 600000
/* A life that lasts so long is well unless it says otherwise. */
#define HEALTH_BEGIN_MS 10000
/* Between two tellings of how many dead letters there are. */
#define HEALTH_COUNT_MS 1000

typedef struct health {
    const program *program;
    steno_subscriber *subscriber;
    char problem[CONTROL_PROBLEM_BYTES_MAX]; /* "": well */
    uint64_t dead_letters;
    int64_t told_at, tell_at, log_at;
    bool noted; /* nobody was told of the problem on stderr here, so nobody is of its end */
    bool told;  /* the daemon knows something that has to be taken back when it is over */
} health;

void health_begin(health *self, const program *who, steno_subscriber *subscriber, uint64_t dead_letters);
/* There is a problem: `what` it is, for people. */
void health_problem(health *self, const char *what);
/* The same where it has been said on stderr already: only the daemon is told, once a second at most. */
void health_note(health *self, const char *what);
/* It is over, if there was one. */
void health_well(health *self);
void health_dead_letters(health *self, uint64_t count);
/* Tells the daemon again if it is time. Called now and then. */
void health_repeat(health *self);

#endif
