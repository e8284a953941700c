/* The asking side of the control socket: a DEALER whose requests carry ids, so that replies may be late, lost or out of order.
 * A request goes out only over a standing connection: none is queued for a daemon that is not there.
 */
#ifndef SUBSCRIBERS_CONTROL_CLIENT_H
#define SUBSCRIBERS_CONTROL_CLIENT_H

#include <zmq.h>

#include "schema/control.h"
#include "subscribers/steno_subscriber.h"

/* A reply with the bytes that it was decoded from, in one block: ZeroMQ keeps short ones inside the frame. */
typedef struct control_reply {
    uint64_t id; /* of its request */
    control_message *message;
    zmq_msg_t frame;
} control_reply;

void control_reply_free(control_reply *reply);
/* True for {ok: true}. Otherwise fills `error` (STENO_FAILED) with the daemon's code and message. */
bool control_reply_ok(const control_reply *reply, steno_error *error);

/* A client on `endpoint` in the caller's context, which must outlive it. */
steno_status control_client_open(void *context, const char *endpoint, steno_control **out, steno_error *error);
/* The socket, for polling. */
void *control_client_socket(const steno_control *self);
/* Can a request be sent now? */
bool control_client_ready(const steno_control *self);
/* Adds the id to the draft and sends it; *id is never 0. STENO_BUSY: no daemon is connected. Waits for nothing. */
steno_status control_client_post(steno_control *self, steno_draft *request, uint64_t *id, steno_error *error);
/* The next reply, whoever it is for; owned by the caller (control_reply_free); NULL: none has come. Waits for nothing. */
control_reply *control_client_take(steno_control *self);

#endif
