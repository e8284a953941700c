/* The publisher: an event goes into the spool on the caller's thread (no system call in the usual case), and from there by
 * PUB to the daemon on a thread of its own, which takes no signals. Nothing here waits for the daemon or a disk.
 */
#ifndef CLIENT_PUBLISHER_H
#define CLIENT_PUBLISHER_H

#include "client/steno.h"
#include "schema/place.h"

typedef struct publisher publisher;

/* A publisher with a new random identity. `spool_bytes_max` 0: SPOOL_BYTES_MAX. */
steno_status publisher_open(const place *where, size_t spool_bytes_max, publisher **out, steno_error *error);
/* Hands what is in hand to the socket, waits for nothing, and frees. */
void publisher_close(publisher *self);
/* Takes over one encoded event; `receipt` may be NULL. Thread-safe; safe after fork (the child gets an identity of its own).
 * STENO_OK: it is in the spool. STENO_LIMIT, STENO_SYSTEM: the spool could not keep it; it goes out on the bus alone and `receipt`
 * is filled in all the same. STENO_INVALID: larger than STENO_EVENT_BYTES_MAX.
 */
steno_status publisher_publish(publisher *self, const void *body, size_t size, steno_receipt *receipt,
                               steno_error *error);
/* The same for an event that is followed by another one within microseconds, whose publishing wakes the sender for both: a wake is a system call,
 * and costs more than all the rest.
 */
steno_status publisher_publish_first(publisher *self, const void *body, size_t size, steno_error *error);

#endif
