/* Any bytes, decoded as an event: no crash, no leak, and what is accepted can be validated, printed and written again. */
#include <stdlib.h>

#include "schema/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    steno_event *event;
    if (steno_event_decode(bytes, size, &event, NULL)) return 0;
    char topic[STENO_TOPIC_BYTES];
    steno_event_topic(event, topic);
    steno_event_validate(event, NULL);
    free(steno_event_json(event));
    steno_draft *draft = steno_draft_new();
    steno_draft_value(draft, "copy", steno_event_value(event));
    const void *body;
    size_t body_size;
    if (steno_draft_finish(draft, &body, &body_size, NULL)) abort();
    steno_draft_free(draft);
    steno_event_free(event);
    return 0;
}
