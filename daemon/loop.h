/* The daemon at work: one thread, one loop, in which every other room has its turn. */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include "daemon/config.h"
#include "schema/place.h"

/* Runs until SIGTERM or SIGINT, which must be blocked. STENO_OK after a clean stop. */
steno_status loop_run(const place *where, const config *settings, bool subscribers, steno_error *error);

#endif
