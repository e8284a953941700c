/* The cumulative view of a call: what its earlier stages carried is readable in the later ones. Stages that went by are remembered, the others are read
 * from the journal over the control socket. Invariant: what an event is joined to does not depend on what is remembered, only how long that takes.
 */
#include "subscribers/joined.h"

#include <stdlib.h>
#include <string.h>

#include "subscribers/clock.h"
#include "subscribers/open_calls.h"
#include "subscribers/subscriber_state.h"

#define PRE_TOPIC "pre_api_call."
#define POST_TOPIC "post_api_call."

struct joined {
    open_calls *calls;
    steno_control *control; /* one of its own: the subscriber's has its own requests in flight */
    steno_draft *draft;
    open_call *ended;   /* its terminal event is in hand, and joined to it */
    bool sees_stages;   /* every pre and post comes by here */
    uint64_t delivered; /* of the event that was joined last */
    uint64_t jumps, offset;
};

void joined_free(joined *self) {
    if (!self) return;
    open_calls_free(self->calls);
    steno_control_free(self->control);
    steno_draft_free(self->draft);
    free(self);
}

static bool covers(char *const *topics, const char *topic) {
    if (!topics) return true;
    for (; *topics; topics++)
        if (!strncmp(topic, *topics, strlen(*topics))) return true;
    return false;
}

static steno_status make(steno_subscriber *subscriber, steno_error *error) {
    joined *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory to join the stages of calls");
    self->calls = open_calls_new();
    self->draft = steno_draft_new();
    self->sees_stages = covers(subscriber->topics, PRE_TOPIC) && covers(subscriber->topics, POST_TOPIC);
    steno_status status = STENO_OK;
    if (!self->calls || !self->draft)
        status = steno_fail(error, STENO_NO_MEMORY, "no memory to join the stages of calls");
    if (!status) status = control_client_open(subscriber->context, subscriber->endpoint, &self->control, error);
    if (status)
        joined_free(self);
    else
        subscriber->joined = self;
    return status;
}

/* Has an event gone by without us, or does one come again? Then what is remembered may be of another attempt. */
static void forget_if_out_of_turn(joined *self, const steno_subscriber *subscriber) {
    const steno_subscriber_counts *counts = &subscriber->counts;
    const uint64_t jumps = counts->moved + counts->missed + counts->new_logs,
                   offset = steno_event_offset(subscriber->event);
    if (self->ended) open_calls_drop(self->calls, self->ended);
    self->ended = NULL;
    if (counts->delivered != self->delivered + 1 || jumps != self->jumps || offset <= self->offset)
        open_calls_clear(self->calls);
    self->jumps = jumps;
}

/* ---- what the journal has ---- */

static steno_status ask(joined *self, const char *call_id, uint64_t after, int64_t timeout_ms,
                        const steno_value **reply, steno_error *error) {
    steno_draft_start(self->draft);
    steno_draft_string(self->draft, "verb", "replay");
    steno_draft_int(self->draft, "after", (int64_t)after);
    steno_draft_string(self->draft, "call_id", call_id);
    steno_draft_array_begin(self->draft, "topics");
    steno_draft_string(self->draft, NULL, PRE_TOPIC);
    steno_draft_string(self->draft, NULL, POST_TOPIC);
    steno_draft_array_end(self->draft);
    return steno_control_call(self->control, self->draft, timeout_ms, reply, error);
}

static bool is_stage_of(const void *body, size_t size, const char *call_id) {
    steno_event *event;
    if (steno_event_decode(body, size, &event, NULL)) return false;
    const char *whose = steno_event_string(event, "call_id");
    const steno_event_kind kind = steno_event_kind_of(event);
    const bool is = whose && !strcmp(whose, call_id) && (kind == STENO_PRE_API_CALL || kind == STENO_POST_API_CALL);
    steno_event_free(event);
    return is;
}

/* Keeps the stages of a reply that come before `end`. */
static steno_status keep_stages(joined *self, open_call *call, const char *call_id, const steno_value *reply,
                                uint64_t end, steno_error *error) {
    const steno_value *events = steno_value_get(reply, "events");
    steno_status status = STENO_OK;
    for (size_t i = 0; i < steno_value_count(events) && !status; i++) {
        const steno_value *entry = steno_value_at(events, i);
        size_t size = 0;
        const void *body = steno_value_string(steno_value_at(entry, 2), &size);
        if ((uint64_t)steno_value_int(steno_value_at(entry, 0), 0) >= end) break;
        if (body && is_stage_of(body, size, call_id)) status = open_calls_keep(self->calls, call, body, size, error);
    }
    return status;
}

/* Reads the stages before the event at `end`. */
static steno_status look_up(joined *self, const char *call_id, uint64_t end, int64_t deadline, open_call **out,
                            steno_error *error) {
    open_call *call = open_calls_find(self->calls, call_id);
    if (call) open_calls_drop(self->calls, call);
    steno_status status = open_calls_open(self->calls, call_id, &call, error);
    uint64_t after = 0;
    bool more = true;
    while (!status && more) {
        const steno_value *reply;
        status = ask(self, call_id, after, clock_until(deadline), &reply, error);
        if (!status) status = keep_stages(self, call, call_id, reply, end, error);
        if (status) break;
        const uint64_t last = (uint64_t)steno_value_int(steno_value_get(reply, "last"), 0);
        more = last > after && last + 1 < end && !steno_value_bool(steno_value_get(reply, "end"), true);
        after = last;
    }
    if (status && call) open_calls_drop(self->calls, call);
    *out = status ? NULL : call;
    return status;
}

/* ---- joining ---- */

/* Is what is remembered of the call all that came before this event? */
static bool is_up_to_date(const joined *self, open_call *call, const steno_event *event) {
    if (!call) return false;
    if (self->sees_stages) return true;
    /* What was looked up is good for the further chunks of the same attempt. */
    return steno_event_kind_of(event) == STENO_STREAM_EVENT &&
           steno_value_int(steno_event_get(event, "chunk_index"), -1) > *open_call_mark(call);
}

static bool is_terminal(steno_event_kind kind) { return kind == STENO_SUCCESS || kind == STENO_FAILURE; }

/* Nothing of the call reached a provider, so nothing came before. */
static bool is_alone(const steno_event *event) {
    return is_terminal(steno_event_kind_of(event)) && steno_value_int(steno_event_get(event, "attempts"), -1) == 0;
}

static steno_status remember(joined *self, const char *call_id, const steno_event *event, steno_error *error) {
    open_call *call;
    size_t size;
    const void *body = steno_event_body(event, &size);
    steno_status status = open_calls_open(self->calls, call_id, &call, error);
    return status ? status : open_calls_keep(self->calls, call, body, size, error);
}

static steno_status join(joined *self, steno_event *event, const char *call_id, int64_t deadline, steno_error *error) {
    const steno_event_kind kind = steno_event_kind_of(event);
    if (kind == STENO_PRE_API_CALL) return self->sees_stages ? remember(self, call_id, event, error) : STENO_OK;
    open_call *call = open_calls_find(self->calls, call_id);
    if (!is_up_to_date(self, call, event)) {
        steno_status status = look_up(self, call_id, steno_event_offset(event), deadline, &call, error);
        if (status) return status;
    }
    const steno_event *earlier = is_terminal(kind) ? open_call_post(call) : NULL;
    steno_event_join(event, earlier ? earlier : open_call_pre(call));
    *open_call_mark(call) =
        kind == STENO_STREAM_EVENT ? steno_value_int(steno_event_get(event, "chunk_index"), -1) : -1;
    if (is_terminal(kind)) self->ended = call;
    return kind == STENO_POST_API_CALL && self->sees_stages ? remember(self, call_id, event, error) : STENO_OK;
}

steno_status steno_subscriber_join(steno_subscriber *subscriber, int64_t timeout_ms, steno_error *error) {
    steno_event *event = subscriber->event;
    if (!event) return steno_fail(error, STENO_INVALID, "there is no event in hand to join");
    if (!subscriber->joined) {
        steno_status status = make(subscriber, error);
        if (status) return status;
    }
    joined *self = subscriber->joined;
    if (self->delivered == subscriber->counts.delivered) return STENO_OK; /* it is joined */
    forget_if_out_of_turn(self, subscriber);
    const char *call_id = steno_event_string(event, "call_id");
    if (call_id && steno_event_kind_of(event) != STENO_CUSTOM && !is_alone(event)) {
        steno_status status = join(self, event, call_id, clock_after(timeout_ms), error);
        if (status) return status;
    }
    self->delivered = subscriber->counts.delivered;
    self->offset = steno_event_offset(event);
    return STENO_OK;
}
