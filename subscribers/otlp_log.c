#include "subscribers/otlp_log.h"

#include <string.h>

#include "schema/clean.h"
#include "schema/event.h"
#include "subscribers/steno_subscriber.h"

#define ANSWER_MS 2000

CLEANUP_FUNCTION(clean_control, steno_control, steno_control_free)
CLEANUP_FUNCTION(clean_draft, steno_draft, steno_draft_free)
CLEANUP_FUNCTION(clean_event, steno_event, steno_event_free)

/* False: the event of the reply is another than the call's. */
static bool same_event(const steno_value *reply, uint64_t offset, const char *call_id) {
    const steno_value *found = steno_value_at(steno_value_get(reply, "events"), 0);
    size_t size = 0;
    const char *body = steno_value_string(steno_value_at(found, 2), &size);
    if (!body || (uint64_t)steno_value_int(steno_value_at(found, 0), 0) != offset) return true;
    cleanup(clean_event) steno_event *event = NULL;
    if (steno_event_decode(body, size, &event, NULL)) return true;
    const char *its = steno_event_string(event, "call_id");
    return !strcmp(its ? its : "", call_id);
}

bool otlp_log_is_same(const char *dir, uint64_t offset, const char *call_id) {
    cleanup(clean_control) steno_control *control = NULL;
    cleanup(clean_draft) steno_draft *request = steno_draft_new();
    const steno_value *reply;
    if (!offset || !request || steno_control_new(dir, &control, NULL)) return true;
    steno_draft_start(request);
    steno_draft_string(request, "verb", "status");
    if (steno_control_call(control, request, ANSWER_MS, &reply, NULL)) return true;
    if ((uint64_t)steno_value_int(steno_value_get(reply, "last_offset"), INT64_MAX) < offset) return false;
    steno_draft_start(request);
    steno_draft_string(request, "verb", "replay");
    steno_draft_int(request, "after", (int64_t)offset - 1);
    steno_draft_int(request, "limit", 1);
    if (steno_control_call(control, request, ANSWER_MS, &reply, NULL)) return true;
    return same_event(reply, offset, call_id);
}
