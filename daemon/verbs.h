/* The verbs of the control socket that are answered at once (EVENTS.md, "Control"). They read and answer; all that they change is
 * a subscriber's cursor, and what it says of itself.
 */
#ifndef DAEMON_VERBS_H
#define DAEMON_VERBS_H

#include "daemon/intake.h"
#include "daemon/reports.h"
#include "daemon/supervisor.h"
#include "schema/control.h"
#include "schema/place.h"

/* Journal rows that one `replay` may look at, so that a filter that matches little does not hold up the loop. */
#define VERBS_REPLAY_ROWS_MAX 2000
/* Publishers that `status` lists: those with a spool, and the latest of the others. */
#define VERBS_PUBLISHERS_LISTED_MAX 1000

/* What the verbs may see. Everything is borrowed. */
typedef struct verb_view {
    const place *where;
    store *store;
    const intake *intake;
    const supervisor *children; /* NULL: none */
    double started;             /* Unix seconds */
    const char *problem;        /* NULL: none */
    reports *reports;           /* what subscribers say of themselves */
    const char *config_problem; /* why the configuration in force is not the one in the file; NULL: it is */
    const char *config_note;    /* what may not be meant in it; NULL: nothing */
} verb_view;

/* Answers into the draft. Returns NULL, or the error code with the reason in `message`; then the draft is of no use. */
typedef const char *(*verb_fn)(const verb_view *view, const control_message *request, steno_draft *reply,
                               char message[STENO_ERROR_MESSAGE_BYTES]);
/* NULL: there is no such verb (or it is `flush`, which waits: flush.h). */
verb_fn verb_find(const char *name);

#endif
