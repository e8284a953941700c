/* Events out: the XPUB socket that subscribers connect to. Sends what is committed, each event with its offset, and a heartbeat once a
 * second. A slow subscriber costs a bounded amount of memory: beyond it events are not sent, and subscribers replay (EVENTS.md).
 */
#ifndef DAEMON_FANOUT_H
#define DAEMON_FANOUT_H

#include "daemon/batch.h"

/* Messages that wait for one subscriber. */
#define FANOUT_HIGH_WATER_MARK 1000
/* Bodies that wait for any of them, all together. */
#define FANOUT_BYTES_MAX (8u << 20)
#define FANOUT_HEARTBEAT_MS 1000

typedef struct fanout fanout;

steno_status fanout_open(void *zmq_context, const char *endpoint, fanout **out, steno_error *error);
/* The socket is closed at once; what ZeroMQ still holds of bodies is given back when its context ends, and `self` with it. */
void fanout_close(fanout *self);
/* Frees after the context has ended. */
void fanout_free(fanout *self);
void *fanout_socket(const fanout *self);
/* Sends the events of a committed batch and takes their bodies over. */
void fanout_send(fanout *self, batch *committed);
/* Sends a heartbeat if one is due. Returns when the next one is (clock_ms). */
int64_t fanout_heartbeat(fanout *self, uint64_t last_offset);
/* Reads what subscribers say, so that it does not pile up; ZeroMQ itself has acted on it. */
void fanout_listen(fanout *self);

#endif
