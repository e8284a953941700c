/* The daemon at work: one thread, one loop, in which every other room has its turn. */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include "daemon/config.h"
#include "schema/place.h"

typedef struct loop_options {
    const char *config;   /* where the configuration is read again at SIGHUP */
    bool config_required; /* it must be there */
    bool subscribers;     /* are they to be run? */
} loop_options;

/* Runs until SIGTERM or SIGINT, which must be blocked as SIGHUP and SIGCHLD must. STENO_OK after a clean stop. */
steno_status loop_run(const place *where, const config *settings, const loop_options *options, steno_error *error);

#endif
