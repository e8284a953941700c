/* Events that were taken and are not all handled yet, in order of offset, for programs that finish them out of order. Invariant: what is said to be handled has no
 * hole below it.
 */
#ifndef SUBSCRIBERS_FLIGHT_H
#define SUBSCRIBERS_FLIGHT_H

#include "schema/event.h"

typedef struct flight_item {
    steno_event *event; /* a copy; NULL when it is done */
    void *body;
    size_t size;
    uint64_t offset;
    bool done;
    bool forgotten; /* the cursor was moved: it has no place any more, and is there only for whoever works on it */
    unsigned attempts;
    uint64_t end; /* of a stream: where its line ends */
} flight_item;

typedef struct flight flight;

/* NULL: no memory. `room` events and `bytes` of them at most, but one always. */
flight *flight_new(size_t room, size_t bytes);
void flight_free(flight *self);
bool flight_full(const flight *self);
size_t flight_count(const flight *self);
/* Item 0 is the oldest. */
flight_item *flight_at(const flight *self, size_t index);
/* NULL: it is not there. */
flight_item *flight_find(const flight *self, uint64_t offset);
/* Copies the event to the end; there is room. NULL: no memory. The item stays where it is until it is settled or forgotten. */
flight_item *flight_take(flight *self, const steno_event *event);
/* It is handled, and its event is freed; where somebody else holds places before it, its place is kept. Of a forgotten one nothing is left. */
void flight_done(flight *self, flight_item *item);
/* Frees the oldest ones, as long as they are done. Returns how many; *offset is the last one's. */
size_t flight_settle(flight *self, uint64_t *offset);
/* Empties it: those that `working` says somebody works on are only marked, the others freed. */
void flight_forget(flight *self, bool (*working)(const flight_item *item, const void *ctx), const void *ctx);

#endif
