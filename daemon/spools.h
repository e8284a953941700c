/* The sure way in: reading on from the spools. A gap, a publisher nobody heard of, an idle tail, a dead app's leftovers and the
 * daemon's own restart are all the same here: a publisher that is behind, read from `next`.
 */
#ifndef DAEMON_SPOOLS_H
#define DAEMON_SPOOLS_H

#include "daemon/intake.h"

/* How often the spool folder is looked through, and an idle publisher's spool read on. */
#define SPOOLS_LOOK_MS 200
/* With more publishers than this each is looked at less often. */
#define SPOOLS_LOOKED_AT 64
/* Readers kept open: each has a buffer of up to 64 KiB. */
#define SPOOLS_READERS_MAX 24
/* A reader whose buffer had to grow beyond that for one record is closed at the end of its spool. */
#define SPOOLS_RECORD_BYTES_ORDINARY (64u << 10)
/* Records taken from one publisher before the next one's turn. */
#define SPOOLS_TURN_RECORDS 128
/* Something in a spool that can't be read or deleted is tried again after so long. */
#define SPOOLS_RETRY_MS 1000
/* Segments are given back after so much was stored (to look for them after each batch would cost a tenth of the work), and of a
 * publisher that writes little, this often.
 */
#define SPOOLS_RELEASE_BYTES (4u << 20)
#define SPOOLS_RELEASE_MS 1000

/* Looks for publishers, and for idle and dead ones, when that is due. */
void spools_look(intake *self);
/* Has every spool read to its end from now on, see spools_read_since. Returns the generation to ask for. */
uint64_t spools_want(intake *self);
/* Reads on for those that are behind, as long as the batch has room. */
void spools_read(intake *self);
/* After a commit: gives back what the log has taken over, and forgets publishers that are done. */
void spools_release(intake *self);
/* True if every spool was read to its end in this generation or later, and what was read is in the log. */
bool spools_read_since(const intake *self, uint64_t generation);

#endif
