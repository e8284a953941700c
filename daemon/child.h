/* One subscriber that stenod runs: its process, its pipe, and how it ended last. When it runs is decided in supervisor.c.
 * Invariant: each is in a session of its own, gets SIGTERM when stenod dies, and is reaped by its own pid.
 */
#ifndef DAEMON_CHILD_H
#define DAEMON_CHILD_H

#include <sys/types.h>

#include "daemon/config.h"
#include "daemon/said.h"

/* The pause before it is started again: at first, and at most; it doubles each time. */
#define CHILD_PAUSE_MS 500
#define CHILD_PAUSE_MS_MAX 30000
/* One that ran this long begins again with the short pause. */
#define CHILD_SETTLED_MS 60000
/* Room for "cannot be started: …". */
#define CHILD_EXIT_BYTES 128

/* Zero, with said.fd -1, to begin with. */
typedef struct child {
    config_subscriber settings; /* a name of "": nobody's */
    pid_t pid;                  /* 0: not running */
    bool asked, killed;         /* it was sent SIGTERM; SIGKILL */
    unsigned restarts;
    int64_t started_ms, kill_ms;      /* when its time to end is up */
    int64_t pause_ms, due_ms;         /* when it is to be started */
    char last_exit[CHILD_EXIT_BYTES]; /* "exited with 1", "signal 9"; "": it has not ended yet */
    said said;
} child;

/* What a child's environment is made of. */
typedef struct child_world {
    const char *folder; /* of stenod itself: its siblings are found there */
    const char *dir;    /* STENO_DIR; "": as it is */
} child_world;

/* It runs by these settings from the next start on, which is due now. */
void child_settle(child *self, const config_subscriber *settings);
/* Starts it. If that can't be done, it is due again after a pause. */
void child_start(child *self, const child_world *world);
/* Sends it SIGTERM, and notes until when it may take its time. */
void child_ask_to_end(child *self);
/* SIGKILL. */
bool child_kill(child *self);
/* Has it ended? Then what is left of its session is killed, and it is due again: after a pause, or at once if it was asked to end. */
bool child_reap(child *self);
void child_release(child *self);

#endif
