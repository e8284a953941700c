/* SIGTERM and SIGINT, for programs that finish what they hold: the first one stops the subscriber, and all are counted.
 * One a process.
 */
#ifndef SUBSCRIBERS_STOP_SIGNAL_H
#define SUBSCRIBERS_STOP_SIGNAL_H

#include "subscribers/steno_subscriber.h"

/* Takes the two signals over, and ignores SIGPIPE: output that nobody reads must not end a handler in mid-event. */
steno_status stop_signal_install(steno_error *error);
/* `subscriber` (NULL: none) is stopped from now on; at once if a signal has come already. */
void stop_signal_watch(steno_subscriber *subscriber);
/* How many have come. */
int stop_signal_count(void);
/* Readable since a signal has come; drain with stop_signal_drain. */
int stop_signal_fd(void);
void stop_signal_drain(void);
/* Sleeps for `ms`. True at once if a signal has come or comes. */
bool stop_signal_wait(int ms);

#endif
