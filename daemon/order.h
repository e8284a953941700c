/* Once, in order: what becomes of an event with a sequence number. Per publisher exactly `next` is taken; lower is a duplicate; higher
 * waits until the spool has been read up to there, and what is nowhere is a loss.
 */
#ifndef DAEMON_ORDER_H
#define DAEMON_ORDER_H

#include "daemon/intake.h"

/* A sequence this far beyond the expected one is no gap but nonsense. */
#define ORDER_JUMP_MAX (UINT64_C(1) << 32)
/* How long a hole in a spool may wait for the bus: the spool of a full disk passes its events on by the bus alone, and reading the
 * spool may overtake it.
 */
#define ORDER_HOLE_MS 500

/* A frame from the bus, `size` 0: a mark. There must be room in the batch. */
void order_frame(intake *self, publisher *from, uint64_t seq, const void *bytes, size_t size);
/* A record from the spool, read in `from->record`. False: it has to wait, for room or for the bus (then from->retry_ms says until when). */
bool order_record(intake *self, publisher *from);
/* The spool has no more: takes what is held, and gives up what the spool had no room for
 * (`from->refused`). False: the batch is full, or it has to wait for the bus.
 */
bool order_spool_end(intake *self, publisher *from);

#endif
