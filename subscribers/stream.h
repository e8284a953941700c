/* The live stream: the daemon's events out, as they come. It may drop whatever it likes (ZeroMQ PUB does): whoever reads it
 * compares offsets. Invariant: what it holds is bounded, and nothing it hands out is malformed at the level of frames.
 */
#ifndef SUBSCRIBERS_STREAM_H
#define SUBSCRIBERS_STREAM_H

#include <zmq.h>

#include "schema/error.h"

typedef struct stream stream;

/* One message. Both kinds say that the journal has reached `offset`. Zeroed: none. Not to be copied: a short body lies inside. */
typedef struct stream_item {
    uint64_t offset;
    bool heartbeat; /* carries no event */
    bool held;      /* body is initialised */
    zmq_msg_t body;
} stream_item;

void stream_item_clear(stream_item *item);

/* Subscribes to `topics` (prefixes, NULL-terminated; NULL: everything) and to the heartbeat. */
steno_status stream_open(void *context, const char *endpoint, char *const *topics, stream **out, steno_error *error);
void stream_free(stream *self);
/* The socket, for polling. */
void *stream_socket(const stream *self);
/* The next message in the empty *out; owned by the caller (stream_item_clear). STENO_END: none is there. Waits for nothing. Messages that are
 * not of the protocol's form are dropped and added to *malformed.
 */
steno_status stream_receive(stream *self, stream_item *out, uint64_t *malformed);

#endif
