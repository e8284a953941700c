/* Lifecycle events as events of Mixpanel's import API (https://developer.mixpanel.com/reference/import-events). Pure, and the same every time for
 * the same event, so that a repetition is one to Mixpanel, too. Invariants: within the API's limits whatever is in the event; no content unless it is asked for.
 */
#ifndef SUBSCRIBERS_MIXPANEL_EVENT_H
#define SUBSCRIBERS_MIXPANEL_EVENT_H

#include <jansson.h>

#include "subscribers/call_cost.h"

/* The API's limits. */
#define MIXPANEL_EVENTS_MAX 2000
#define MIXPANEL_REQUEST_BYTES_MAX 10000000u
#define MIXPANEL_EVENT_BYTES_MAX 1000000u
/* "fewer than 255": of properties, of keys in a nested object, of elements in an array. */
#define MIXPANEL_ENTRIES_MAX 254
/* It cuts all strings there. */
#define MIXPANEL_STRING_CHARACTERS 255
/* $insert_id: at most 36 of [A-Za-z0-9-]. With the NUL. */
#define MIXPANEL_INSERT_ID_BYTES 37

/* {"event", "properties"}, a new reference; NULL when memory is short. A call that is over is named `call_name`, its status is a property; another lifecycle event
 * "LLM <its name>"; one of the user's own as it is. `content`: with the last message of the user, the reply, and the words of the error. `now_ms` is
 * the time of an event that has none, `cost` that of the call.
 */
json_t *mixpanel_event(const steno_event *event, const char *call_name, const call_cost *cost, bool content,
                       int64_t now_ms);

/* Of a call that is over: from its id and how it ended; of any other event: from its journal offset, too. */
void mixpanel_insert_id(const steno_event *event, char out[MIXPANEL_INSERT_ID_BYTES]);

#endif
