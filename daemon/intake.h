/* What the rooms that take events in share: where they come from, the table of publishers, and the batch they go into.
 * ingress (the bus) and spools (the files) find events; order decides on each: take, hold, duplicate or loss.
 */
#ifndef DAEMON_INTAKE_H
#define DAEMON_INTAKE_H

#include "daemon/batch.h"
#include "daemon/logline.h"
#include "daemon/publishers.h"
#include "daemon/store.h"

typedef struct intake {
    const char *spool_folder; /* borrowed */
    store *store;             /* borrowed; read only here */
    publishers *table;
    publisher *own; /* the daemon's own, for the events it makes itself */
    batch batch;
    uint64_t generation; /* raised by whoever wants to know that all spools were read to their end after now */
    uint64_t scanned;    /* generation in which the spool folder was last looked through */
    int64_t look_ms;     /* when that is due again */
    publisher *turn;     /* where the next round over the publishers begins; may be NULL */
    unsigned readers;    /* open */

    /* Since the start. */
    uint64_t stored, duplicates, malformed;
    logline_limit malformed_said, full_said, damage_said, spool_said;
} intake;

steno_status intake_open(intake *self, const char *spool_folder, store *log, steno_error *error);
void intake_close(intake *self);
/* The table's entry of a publisher, loaded from the log or new. NULL: no room, or the log can't be read now. */
publisher *intake_publisher(intake *self, const uint8_t uuid[SPOOL_PUBLISHER_BYTES], bool spooled);
/* An event of the daemon's own. There must be room in the batch. */
steno_status intake_own_event(intake *self, const void *bytes, size_t size, steno_error *error);
/* True while something that was found has not been taken yet, for want of room in the batch. */
bool intake_behind(const intake *self);
/* The batch is in the log: nothing of it is under way any more. */
void intake_stored(intake *self);
/* Counts a message that is none, and says so now and then. */
void intake_malformed(intake *self, const char *where, const char *why);

#endif
