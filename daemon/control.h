/* The control socket: requests in, replies out. Owns the ROUTER socket and the requests that wait (`flush`); what a verb means is in
 * verbs.c. Invariant: each request gets one reply, unless its peer has more bytes waiting than the limit allows.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include "daemon/verbs.h"

/* Requests that wait in one peer's pipe, and replies that wait for one peer. */
#define CONTROL_HIGH_WATER_MARK 64
/* Bytes of replies that ZeroMQ holds for peers that don't fetch them, all together; beyond it requests are refused. */
#define CONTROL_WAITING_BYTES_MAX (16u << 20)
/* What is answered in one turn of the loop, so that events are taken in between: so many requests, and none more after so long. */
#define CONTROL_TURN_REQUESTS 16
#define CONTROL_TURN_MS 2
/* `flush`es that wait at once. */
#define CONTROL_FLUSHES_MAX 256

typedef struct control control;

steno_status control_open(void *zmq_context, const char *endpoint, control **out, steno_error *error);
/* Closes the socket; control_dispose frees after ZeroMQ's context has ended. */
void control_close(control *self);
void control_dispose(control *self);
void *control_socket(const control *self);
/* Takes requests and answers them. `into` is where flush asks for spools to be read. True: there may be more. */
bool control_take(control *self, const verb_view *view, intake *into);
/* True if somebody waits for something to be stored. */
bool control_flushing(const control *self);
/* Answers those that waited and whose time has come. Returns when the next one's time is up (clock_ms), INT64_MAX: none waits. */
int64_t control_settle(control *self, const verb_view *view);

#endif
