/* The sender thread: reads the publisher's own spool and sends each event by PUB. It owns its ZeroMQ context and socket, takes no
 * signals, and sleeps on an eventfd while there is nothing to send.
 */
#ifndef CLIENT_SENDER_H
#define CLIENT_SENDER_H

#include "schema/place.h"
#include "schema/spool.h"

typedef struct sender sender;

/* Events larger than this travel by the spool alone: the bus then carries an empty body, which says "read my spool". With the
 * high-water mark it bounds what a daemon that stands still costs the app: 16 MiB.
 */
#define SENDER_BODY_BYTES_MAX (64u << 10)
#define SENDER_HIGH_WATER_MARK 256
/* Events that the spool could not keep and that still go out on the bus: what waits for the thread, in count and bytes. */
#define SENDER_UNSPOOLED_MAX 1000
#define SENDER_UNSPOOLED_BYTES_MAX (4u << 20)

/* Starts the thread. `writer` is borrowed and must outlive the sender. */
steno_status sender_start(const place *where, const uint8_t publisher[SPOOL_PUBLISHER_BYTES], spool_writer *writer,
                          sender **out, steno_error *error);
/* Sends what is at hand, waits for nobody, ends the thread and frees. */
void sender_stop(sender *self);
/* After fork(), in the child, where the thread does not exist: gives back what can be. */
void sender_abandon(sender *self);
/* Something was appended to the spool. One system call if the thread sleeps, else none. Any thread. */
void sender_wake(sender *self);
/* Hands over a copy of an event that is not in the spool. False if it had to be dropped. Any thread. */
bool sender_offer_unspooled(sender *self, uint64_t seq, const void *body, size_t size);

#endif
