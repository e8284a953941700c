/* An event as a span. A call's terminal event is the span of the call; the end of an attempt (post_api_call) is an HTTP client span below it, by the general
 * HTTP conventions, so that retries are seen where they were. Each follows from its own event alone.
 */
#ifndef SUBSCRIBERS_OTLP_SPAN_H
#define SUBSCRIBERS_OTLP_SPAN_H

#include "subscribers/otlp_attributes.h"
#include "subscribers/otlp_call.h"
#include "subscribers/otlp_names.h"

typedef enum otlp_attempts {
    OTLP_ATTEMPTS_FAILED, /* those that failed: what was retried, or the last of a call that failed */
    OTLP_ATTEMPTS_ALL,
    OTLP_ATTEMPTS_NONE,
} otlp_attempts;

/* What is said of a call, beyond what is always said. */
typedef struct otlp_mapping {
    otlp_semconv semconv;
    otlp_attempts attempts;
    bool content;         /* what was asked and answered, too, and the words of errors, which may quote it */
    bool langfuse;        /* langfuse.* */
    bool openinference;   /* OpenInference's, which Phoenix reads */
    steno_prices *prices; /* borrowed; NULL: the built-in ones */
} otlp_mapping;

/* NULL: the event is no span of this mapping. Lies in the arena, and borrows from the event. */
Otlp__Span *otlp_span(otlp_arena *arena, const steno_event *event, const otlp_mapping *mapping);

/* The parts of the mapping, one a file. */
void otlp_put_genai(otlp_attributes *out, const otlp_call *call, const otlp_mapping *mapping);
void otlp_put_langfuse(otlp_attributes *out, const otlp_call *call, const otlp_mapping *mapping);
void otlp_put_openinference(otlp_attributes *out, const otlp_call *call, const otlp_mapping *mapping);

/* The words of a failed call's error; where content is not asked for, what it is in short. NULL: none. */
const char *otlp_error_text(otlp_arena *arena, const otlp_call *call, const otlp_mapping *mapping);
/* The request's parameters that are no content as JSON text (all of them where content is asked for); NULL: none. */
const char *otlp_parameters(otlp_arena *arena, const otlp_call *call, const otlp_mapping *mapping);

#endif
