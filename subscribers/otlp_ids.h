/* Trace and span ids. Invariant: they follow from the event alone, so that a span that is sent again, by whatever process, has the same ids. */
#ifndef SUBSCRIBERS_OTLP_IDS_H
#define SUBSCRIBERS_OTLP_IDS_H

#include "schema/event.h"

#define OTLP_TRACE_ID_BYTES 16
#define OTLP_SPAN_ID_BYTES 8

/* From trace_id; where there is none from parent_id (so that a call and those that it caused meet), else from call_id. 32 hex digits, with the dashes
 * of a UUID or without, are the id; any other text is hashed (XXH3, 128 bits).
 */
void otlp_trace_id(const steno_event *event, unsigned char out[OTLP_TRACE_ID_BYTES]);
/* The span of the call `call_id`: 16 hex digits (a span of the app's own tracing, as a parent) are the id, any other text is hashed. */
void otlp_span_id(const char *call_id, unsigned char out[OTLP_SPAN_ID_BYTES]);
/* The span of one attempt of a call. */
void otlp_attempt_id(const char *call_id, int64_t attempt, unsigned char out[OTLP_SPAN_ID_BYTES]);

#endif
