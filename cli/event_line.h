/* An event in one line, for people. */
#ifndef CLI_EVENT_LINE_H
#define CLI_EVENT_LINE_H

#include <jansson.h>
#include <stdbool.h>

#include "schema/event.h"

/* What this event says beside its name and time: "attempt 1, https://…", "HTTP 200, 812ms", "132 in, 45 out, $0.0021, stop".
 * Safe for a terminal. Owned by the caller (free); NULL when memory is short.
 */
char *event_line(const steno_event *event);
/* The whole event as JSON, with its journal offset as field `offset` in front. A new reference; NULL when memory is short. */
json_t *event_line_json(const steno_event *event);

#endif
