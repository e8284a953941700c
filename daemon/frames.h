/* A ZeroMQ message of several frames, as it is received from a socket of the daemon's. */
#ifndef DAEMON_FRAMES_H
#define DAEMON_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <zmq.h>

/* No message of the protocol has more: topic, header, body; or identity, an empty delimiter from a REQ, the request. */
#define FRAMES_MAX 3

/* Receives one message into `frames`, which are initialised; *count: how many it had. Those beyond FRAMES_MAX are counted and not kept. False: there is none. */
bool frames_receive(void *socket, zmq_msg_t frames[FRAMES_MAX], size_t *count);

#endif
