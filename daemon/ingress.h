/* Events in: the SUB socket that publishers connect to. Takes messages apart, believes nothing in them, and hands them to order.
 * Owns the socket.
 */
#ifndef DAEMON_INGRESS_H
#define DAEMON_INGRESS_H

#include "daemon/intake.h"

/* Messages that wait in one publisher's pipe. PUB drops what does not fit, the spool keeps it; so this bounds memory, not loss:
 * 16 frames of libsteno's largest, 64 KiB, are 1 MiB.
 */
#define INGRESS_HIGH_WATER_MARK 16
/* Messages taken in one turn, so that the spools of those who are behind get their turn too. */
#define INGRESS_TURN_MESSAGES 256

typedef struct ingress ingress;

steno_status ingress_open(void *zmq_context, const char *endpoint, ingress **out, steno_error *error);
void ingress_close(ingress *self);
void *ingress_socket(const ingress *self);
/* Takes what is there, as long as the batch has room and the turn lasts. True: there may be more. */
bool ingress_take(ingress *self, intake *into);

/* Frame 2, msgpack [1, publisher (16 bytes), seq]. False: it is something else. */
bool ingress_header(const void *bytes, size_t size, uint8_t uuid[SPOOL_PUBLISHER_BYTES], uint64_t *seq);

#endif
