/* Are the events that come from the same log as those that were counted? A log that was deleted begins again with offset 1. */
#ifndef SUBSCRIBERS_OTLP_LOG_H
#define SUBSCRIBERS_OTLP_LOG_H

#include <stdint.h>

#include "schema/error.h"

/* False only where the daemon of folder `dir` (NULL: as everywhere) shows that its log has another event than `call_id`'s at `offset`, or ends before it.
 * True, too, where that cannot be known: no daemon answers, or the event has left the journal.
 */
bool otlp_log_is_same(const char *dir, uint64_t offset, const char *call_id);

#endif
