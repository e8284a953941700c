/* What waits in the spool for a daemon that does not run. */
#ifndef CLI_LEFTOVER_H
#define CLI_LEFTOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "schema/place.h"
#include "schema/spool.h"

typedef struct leftover {
    char publisher[SPOOL_PUBLISHER_TEXT_BYTES];
    bool alive;      /* its process still runs */
    bool damaged;    /* a segment is damaged: there may be more */
    uint64_t events; /* not stored yet */
    uint64_t bytes;
} leftover;

/* Reads every publisher's spool from the first event that the log does not have; changes nothing. *out (free) holds *count entries,
 * those without such an event left out. Returns the exit status.
 */
int leftover_read(const place *where, leftover **out, size_t *count);

#endif
