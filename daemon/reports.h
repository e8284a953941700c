/* What subscribers say about themselves (verb `report`), for `status`. In memory only: they say it again. Invariant: only those are held
 * that have something to say (a problem, dead letters), REPORTS_MAX at most.
 */
#ifndef DAEMON_REPORTS_H
#define DAEMON_REPORTS_H

#include "schema/control.h"

#define REPORTS_MAX 256

typedef struct report {
    char name[CONTROL_NAME_BYTES];
    char problem[CONTROL_PROBLEM_BYTES_MAX + 1]; /* "": none */
    double since;                                /* Unix seconds: when the problem began */
    double said;                                 /* when it was last reported */
    uint64_t dead_letters;
    bool listed; /* for whoever walks through them */
} report;

typedef struct reports {
    size_t count;
    report list[REPORTS_MAX];
} reports;

/* Takes note. `problem` NULL or "": well. The time of a problem is that of the first report in a row that had one. False: too many names. */
bool reports_set(reports *self, const char *name, const char *problem, uint64_t dead_letters, double now);
/* NULL: nothing is known of it. */
report *reports_find(reports *self, const char *name);

#endif
