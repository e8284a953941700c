/* An event as one line of JSON with its journal offset: what commands read on stdin and files of lines hold. */
#ifndef SUBSCRIBERS_EVENT_LINE_H
#define SUBSCRIBERS_EVENT_LINE_H

#include "schema/event.h"

/* The line with its newline, NUL-terminated; owned by the caller (free). NULL when memory is short. The last field is `offset`, so that readers of JSON let
 * it win over a field of the event's own.
 */
char *event_line(const steno_event *event, size_t *size);

#endif
