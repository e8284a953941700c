/* Tells on stderr, from a thread of its own, that a hook has been at work on one event for long: whoever hangs can't say so himself. */
#ifndef SUBSCRIBERS_HOOK_WATCH_H
#define SUBSCRIBERS_HOOK_WATCH_H

#include "subscribers/program.h"

/* How long is long, and how often it is told again. */
#define HOOK_WATCH_MS 10000
#define HOOK_WATCH_AGAIN_MS 60000

/* One a process. False: there is no thread to be had, and nothing is told. */
bool hook_watch_start(const program *who);
/* A hook has the event in hand from now on; and no more. */
void hook_watch_begin(uint64_t offset);
void hook_watch_end(void);

#endif
