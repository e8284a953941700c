/* A copy of an event, for whoever keeps it longer than the subscriber lends it. */
#ifndef SUBSCRIBERS_EVENT_COPY_H
#define SUBSCRIBERS_EVENT_COPY_H

#include "schema/event.h"

/* The copy, with its offset, and the bytes that it reads: both owned by the caller (event_copy_free). NULL: no memory. */
steno_event *event_copy(const steno_event *event, void **body);
void event_copy_free(steno_event *event, void *body);

#endif
