/* The subscriber: replay, then live, then replay again wherever the live stream is not enough.
 * Invariant: every matching event is handed out once, in order of offset. Only offset last + 1 is taken from the live stream;
 * what is not beyond `last` is a duplicate; anything else is asked for again from `last` on. Touches the two sockets and one eventfd.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "subscribers/clock.h"
#include "subscribers/subscriber_state.h"

/* A request without an answer is taken for lost after this (a daemon that was killed with it in hand) and made again. */
#define REQUEST_TIMEOUT_MS 3000
/* A daemon that refused is asked again after this. */
#define RETRY_MS 500
/* How often the stored cursor is looked at: somebody may have moved it (`steno replay`). */
#define WATCH_MS 1000

/* ---- asking ---- */

static bool has_cursor(const steno_subscriber *self) { return self->name[0] != 0; }
/* Still finding out where to begin? */
static bool settling(const steno_subscriber *self) { return self->phase == PHASE_CURSOR || self->phase == PHASE_NOW; }
/* Has the phase a question that is not in flight? */
static bool wants_to_ask(const steno_subscriber *self) {
    return self->phase != PHASE_LIVE && !self->asked.id && !batch_held(&self->batch);
}
static bool wants_to_commit(const steno_subscriber *self) {
    return has_cursor(self) && !settling(self) && !self->committing.id && !self->unsure &&
           (!self->stored || self->handled != self->committed);
}

static steno_status post(steno_subscriber *self, request *slot, steno_error *error) {
    steno_status status = control_client_post(self->control, self->draft, &slot->id, error);
    if (status == STENO_BUSY) return STENO_OK; /* asked again when there is a connection */
    slot->deadline = clock_after(REQUEST_TIMEOUT_MS);
    return status;
}

static steno_status ask(steno_subscriber *self, steno_error *error) {
    steno_draft_start(self->draft);
    switch (self->phase) {
    case PHASE_CURSOR:
        steno_draft_string(self->draft, "verb", "cursor");
        steno_draft_string(self->draft, "name", self->name);
        break;
    case PHASE_NOW:
    case PHASE_CHECK: steno_draft_string(self->draft, "verb", "status"); break;
    case PHASE_REPLAY:
        steno_draft_string(self->draft, "verb", "replay");
        steno_draft_int(self->draft, "after", (int64_t)self->last);
        if (self->topics) {
            steno_draft_array_begin(self->draft, "topics");
            for (char **topic = self->topics; *topic; topic++) steno_draft_string(self->draft, NULL, *topic);
            steno_draft_array_end(self->draft);
        }
        break;
    case PHASE_LIVE: break;
    }
    self->asked.offset = self->last;
    return post(self, &self->asked, error);
}

static steno_status post_commit(steno_subscriber *self, steno_error *error) {
    steno_draft_start(self->draft);
    steno_draft_string(self->draft, "verb", "commit");
    steno_draft_string(self->draft, "name", self->name);
    steno_draft_int(self->draft, "offset", (int64_t)self->handled);
    if (self->stored) steno_draft_int(self->draft, "was", (int64_t)self->committed);
    self->posted = self->handled;
    self->committing.offset = self->handled;
    self->commit_at = clock_after(self->commit_ms);
    self->unstored = 0;
    return post(self, &self->committing, error);
}

static bool wants_to_watch(const steno_subscriber *self) {
    return has_cursor(self) && self->stored && !settling(self) && !self->watching.id;
}

static steno_status post_watch(steno_subscriber *self, steno_error *error) {
    steno_draft_start(self->draft);
    steno_draft_string(self->draft, "verb", "cursor");
    steno_draft_string(self->draft, "name", self->name);
    return post(self, &self->watching, error);
}

/* ---- answers ---- */

static uint64_t offset_in(const control_reply *reply, const char *field) {
    int64_t offset = steno_value_int(control_get(reply->message, field), 0);
    return offset > 0 ? (uint64_t)offset : 0;
}

static void begin_after(steno_subscriber *self, uint64_t offset, phase next) {
    self->last = self->handled = offset;
    self->phase = next;
    self->commit_at = clock_after(self->commit_ms);
}

static void begin_from(steno_subscriber *self, uint64_t last_offset) {
    self->seen = last_offset;
    self->from_oldest = self->from == STENO_FROM_BEGINNING;
    if (self->from == STENO_FROM_NOW)
        begin_after(self, last_offset, PHASE_LIVE);
    else
        begin_after(self, self->from_oldest ? 0 : (uint64_t)self->from - 1, PHASE_REPLAY);
}

static void tell_missed(steno_subscriber *self, uint64_t first, uint64_t last) {
    self->counts.missed += last - first + 1;
    if (self->on_missed) self->on_missed(first, last, self->on_missed_ctx);
}

static void on_replay(steno_subscriber *self, control_reply *reply) {
    batch_take(&self->batch, reply);
    const uint64_t first = self->batch.first;
    if (first > self->last + 1) {
        if (!self->from_oldest) tell_missed(self, self->last + 1, first - 1);
        self->last = self->handled = first - 1;
    }
    self->from_oldest = false;
}

/* The journal ended before an offset that it had reached: either the news was old, or this is another log. */
static void on_check(steno_subscriber *self, uint64_t last_offset) {
    self->phase = PHASE_REPLAY;
    if (last_offset >= self->seen) return;
    self->counts.new_logs++;
    self->seen = last_offset;
    self->stored = false;
    self->from_oldest = true;
    begin_after(self, 0, PHASE_REPLAY);
}

/* The answer to the phase's question. Takes over the reply. */
static steno_status on_answer(steno_subscriber *self, control_reply *reply, steno_error *error) {
    self->asked.id = 0;
    steno_error refusal = {0};
    steno_status status = STENO_OK;
    if (!control_reply_ok(reply, &refusal)) {
        self->ask_at = clock_after(RETRY_MS);
        /* What the daemon does not understand it will not understand later. */
        if (!strcmp(refusal.type, "invalid") || !strcmp(refusal.type, "unknown_verb"))
            status = steno_fail(error, STENO_INVALID, "%s", refusal.message);
    } else if (self->phase == PHASE_CURSOR) {
        self->stored = steno_value_bool(control_get(reply->message, "exists"), false);
        self->committed = offset_in(reply, "offset");
        if (self->stored)
            begin_after(self, self->committed, PHASE_REPLAY);
        else
            self->phase = PHASE_NOW;
    } else if (self->phase == PHASE_NOW) {
        begin_from(self, offset_in(reply, "last_offset"));
    } else if (self->phase == PHASE_CHECK) {
        on_check(self, offset_in(reply, "last_offset"));
    } else if (self->phase == PHASE_REPLAY) {
        on_replay(self, reply);
        reply = NULL;
    }
    control_reply_free(reply);
    return status;
}

/* Replies come in the order of their requests, so what is stored is what we know, or what a commit asked for whose answer was lost, or
 * somebody has moved the cursor: then reading goes on from there.
 */
static void on_watched(steno_subscriber *self, const control_reply *reply) {
    self->watching.id = 0;
    self->watch_at = clock_after(WATCH_MS);
    if (!control_reply_ok(reply, NULL) || !steno_value_bool(control_get(reply->message, "exists"), false)) return;
    const uint64_t stored = offset_in(reply, "offset");
    const bool ours = stored == self->committed || stored == self->posted;
    self->unsure = false;
    self->committed = stored;
    if (ours) return;
    self->posted = stored;
    batch_clear(&self->batch);
    self->asked.id = 0;
    self->from_oldest = false;
    begin_after(self, stored, PHASE_REPLAY);
}

static steno_status on_committed(steno_subscriber *self, const control_reply *reply, steno_error *error) {
    self->committing.id = 0;
    steno_error refusal = {0};
    if (!control_reply_ok(reply, error ? error : &refusal)) {
        if (!strcmp((error ? error : &refusal)->type, "moved")) self->watch_at = 0;
        return STENO_FAILED;
    }
    self->committed = self->committing.offset;
    self->stored = true;
    return STENO_OK;
}

static bool forget_if_lost(request *slot) {
    const bool lost = slot->id && clock_until(slot->deadline) == 0;
    if (lost) slot->id = 0;
    return lost;
}

/* Reads the replies that are there. *commit_status: what became of a commit, if it was answered. */
static steno_status take_replies(steno_subscriber *self, steno_status *commit_status, steno_error *commit_error,
                                 steno_error *error) {
    steno_status status = STENO_OK;
    control_reply *reply;
    while (!status && (self->asked.id || self->committing.id || self->watching.id) &&
           (reply = control_client_take(self->control))) {
        if (reply->id == self->asked.id) {
            status = on_answer(self, reply, error);
            continue;
        }
        if (reply->id == self->committing.id) *commit_status = on_committed(self, reply, commit_error);
        if (reply->id == self->watching.id) on_watched(self, reply);
        control_reply_free(reply); /* others are late */
    }
    forget_if_lost(&self->asked);
    if (forget_if_lost(&self->committing) && self->stored) {
        self->unsure = true;
        self->watch_at = 0;
    }
    forget_if_lost(&self->watching);
    return status;
}

/* ---- handing out ---- */

/* The event in hand, if there is one, was handled. */
static void settle(steno_subscriber *self) {
    if (self->event) {
        self->handled = self->last;
        self->unstored++;
    }
    steno_event_free(self->event);
    self->event = NULL;
    stream_item_clear(&self->item);
}

/* Decodes the event at `offset`. False: it is none, and counts as handled. */
static bool hold(steno_subscriber *self, uint64_t offset, const void *body, size_t size) {
    self->last = offset;
    if (offset > self->seen) self->seen = offset;
    if (steno_event_decode(body, size, &self->event, NULL)) {
        self->event = NULL;
        self->handled = offset;
        self->counts.malformed++;
        return false;
    }
    steno_event_set_offset(self->event, offset);
    self->counts.delivered++;
    return true;
}

static bool hold_from_batch(steno_subscriber *self) {
    uint64_t offset;
    const void *body;
    size_t size;
    while (batch_next(&self->batch, self->last, &offset, &body, &size, &self->counts.malformed))
        if (hold(self, offset, body, size)) return true;
    if (self->batch.last > self->last) self->last = self->batch.last;
    self->handled = self->last;
    /* A reply that brings nothing and promises more must not be asked for in a circle: the next heartbeat will do. */
    if (self->batch.end || self->last <= self->asked.offset) self->phase = PHASE_LIVE;
    batch_clear(&self->batch);
    return false;
}

static void replay_from_last(steno_subscriber *self) {
    self->counts.replays++;
    self->phase = PHASE_REPLAY;
}

/* Reads the stream until an event is in hand, it is empty, or it turns out not to be enough. */
static bool hold_from_stream(steno_subscriber *self) {
    while (self->phase == PHASE_LIVE && !stream_receive(self->stream, &self->item, &self->counts.malformed)) {
        const uint64_t offset = self->item.offset;
        const bool heartbeat = self->item.heartbeat;
        if (!heartbeat && offset == self->last + 1 &&
            hold(self, offset, zmq_msg_data(&self->item.body), zmq_msg_size(&self->item.body)))
            return true;
        stream_item_clear(&self->item);
        if (offset > self->last)
            replay_from_last(self);
        else if (heartbeat && offset < self->seen)
            self->phase = PHASE_CHECK;
        if (offset > self->seen) self->seen = offset;
    }
    return false;
}

/* Does all that can be done without waiting. STENO_OK: an event is in hand; STENO_END: there is nothing more to do for now.
 * Not `for_event`: only settles where to begin.
 */
static steno_status advance(steno_subscriber *self, bool for_event, steno_error *error) {
    steno_status ignored; /* a commit that failed is made again when the next is due */
    for (;;) {
        steno_status status = take_replies(self, &ignored, NULL, error);
        if (status) return status;
        if (!for_event && !settling(self)) return STENO_END;
        if (batch_held(&self->batch) ? hold_from_batch(self) : hold_from_stream(self)) return STENO_OK;
        if (wants_to_ask(self)) {
            if (clock_until(self->ask_at) > 0 || !control_client_ready(self->control)) return STENO_END;
            status = ask(self, error);
            if (status) return status;
        } else {
            return STENO_END;
        }
    }
}

static steno_status commit_if_due(steno_subscriber *self, steno_error *error) {
    if (!wants_to_commit(self)) return STENO_OK;
    if (self->unstored < self->commit_events && clock_until(self->commit_at) > 0) return STENO_OK;
    return control_client_ready(self->control) ? post_commit(self, error) : STENO_OK;
}

static steno_status watch_if_due(steno_subscriber *self, steno_error *error) {
    const bool due = wants_to_watch(self) && clock_until(self->watch_at) == 0;
    return due && control_client_ready(self->control) ? post_watch(self, error) : STENO_OK;
}

/* ---- waiting ---- */

/* Sleeps until something can be done, at most until `deadline`. */
static steno_status wait_for_work(steno_subscriber *self, int64_t deadline, bool stoppable, steno_error *error) {
    const bool asking = wants_to_ask(self);
    if (asking) deadline = clock_earlier(deadline, self->ask_at > clock_ms() ? self->ask_at : CLOCK_NEVER);
    if (self->asked.id) deadline = clock_earlier(deadline, self->asked.deadline);
    if (self->committing.id) deadline = clock_earlier(deadline, self->committing.deadline);
    const bool commit_due = wants_to_commit(self) && clock_until(self->commit_at) == 0;
    if (wants_to_commit(self) && !commit_due) deadline = clock_earlier(deadline, self->commit_at);
    if (self->watching.id) deadline = clock_earlier(deadline, self->watching.deadline);
    const bool watch_due = wants_to_watch(self) && clock_until(self->watch_at) == 0;
    if (wants_to_watch(self) && !watch_due) deadline = clock_earlier(deadline, self->watch_at);
    const bool to_send = (asking && clock_until(self->ask_at) == 0) || commit_due || watch_due;
    short control_events = 0;
    if (self->asked.id || self->committing.id || self->watching.id) control_events |= ZMQ_POLLIN;
    if (to_send) control_events |= ZMQ_POLLOUT;
    zmq_pollitem_t items[] = {
        {.socket = control_client_socket(self->control), .events = control_events},
        {.socket = stream_socket(self->stream), .events = self->phase == PHASE_LIVE ? ZMQ_POLLIN : 0},
        {.fd = self->wake, .events = stoppable ? ZMQ_POLLIN : 0},
    };
    const int ready = zmq_poll(items, 3, clock_until(deadline));
    if (ready < 0 && errno != EINTR)
        return steno_fail(error, STENO_SYSTEM, "cannot wait for events: %s", zmq_strerror(errno));
    /* The flag was set before the eventfd was written: whoever drains it here sees the flag next. */
    uint64_t count;
    if (ready > 0 && items[2].revents && read(self->wake, &count, sizeof count) < 0 && errno != EAGAIN &&
        errno != EINTR)
        return steno_fail(error, STENO_SYSTEM, "cannot read an eventfd: %s", strerror(errno));
    return STENO_OK;
}

/* True if steno_subscriber_stop was called; that is used up. */
static bool take_stop(steno_subscriber *self) {
    return atomic_load_explicit(&self->stopping, memory_order_relaxed) && atomic_exchange(&self->stopping, false);
}

static steno_status no_daemon(steno_subscriber *self, steno_error *error) {
    self->connect_deadline = 0;
    return steno_fail(error, STENO_NOT_FOUND, "no stenod answers on %s: start it with `stenod`", self->endpoint);
}

/* Works until an event is in hand or, for connect, the beginning is settled. */
static steno_status work(steno_subscriber *self, int64_t deadline, bool for_event, steno_error *error) {
    if (!self->connect_deadline) self->connect_deadline = clock_after(self->connect_timeout_ms);
    for (;;) {
        if (take_stop(self)) return STENO_END;
        if (!for_event && !settling(self)) return STENO_OK;
        steno_status status = commit_if_due(self, error);
        if (!status) status = watch_if_due(self, error);
        if (!status) status = advance(self, for_event, error);
        if (status != STENO_END) return status;
        if (!for_event && !settling(self)) return STENO_OK;
        if (settling(self) && clock_until(self->connect_deadline) == 0) return no_daemon(self, error);
        if (clock_until(deadline) == 0) return steno_fail(error, STENO_TIMEOUT, "no event yet");
        status = wait_for_work(self, settling(self) ? clock_earlier(deadline, self->connect_deadline) : deadline, true,
                               error);
        if (status) return status;
    }
}

/* ---- the public face ---- */

steno_status steno_subscriber_connect(steno_subscriber *subscriber, steno_error *error) {
    return work(subscriber, CLOCK_NEVER, false, error);
}

steno_status steno_subscriber_next(steno_subscriber *subscriber, int64_t timeout_ms, const steno_event **out,
                                   steno_error *error) {
    *out = NULL;
    settle(subscriber);
    steno_status status = work(subscriber, clock_after(timeout_ms), true, error);
    if (!status) *out = subscriber->event;
    return status;
}

/* The event in hand was not handled: it will be asked for again. */
static void give_back(steno_subscriber *self) {
    steno_event_free(self->event);
    self->event = NULL;
    stream_item_clear(&self->item);
    batch_clear(&self->batch);
    self->asked.id = 0;
    self->last = self->handled;
    self->phase = PHASE_REPLAY;
}

steno_status steno_subscriber_run(steno_subscriber *subscriber, steno_handler_fn handler, void *ctx,
                                  steno_error *error) {
    const steno_event *event;
    steno_status status = steno_subscriber_next(subscriber, -1, &event, error);
    for (; !status; status = steno_subscriber_next(subscriber, -1, &event, error)) {
        if (handler(event, ctx) == 0) continue;
        status = steno_fail(error, STENO_FAILED, "the handler refused event %" PRIu64, subscriber->last);
        give_back(subscriber);
        break;
    }
    if (has_cursor(subscriber) && !settling(subscriber)) steno_subscriber_commit(subscriber, NULL);
    return status == STENO_END ? STENO_OK : status;
}

steno_status steno_subscriber_commit(steno_subscriber *subscriber, steno_error *error) {
    if (!has_cursor(subscriber))
        return steno_fail(error, STENO_INVALID, "a subscriber without a name has no cursor to commit");
    const int64_t deadline = clock_after(REQUEST_TIMEOUT_MS);
    steno_status outcome = STENO_OK;
    while (!settling(subscriber) && !outcome) {
        steno_status status = take_replies(subscriber, &outcome, error, error);
        if (status || outcome) return status ? status : outcome;
        if (!subscriber->committing.id && !subscriber->unsure && !wants_to_commit(subscriber)) return STENO_OK;
        if (wants_to_commit(subscriber) && control_client_ready(subscriber->control))
            status = post_commit(subscriber, error);
        if (!status) status = watch_if_due(subscriber, error);
        if (!status && clock_until(deadline) == 0) break;
        if (wants_to_commit(subscriber)) subscriber->commit_at = 0; /* due: wait for a connection */
        if (!status) status = wait_for_work(subscriber, deadline, false, error);
        if (status) return status;
    }
    return steno_fail(error, STENO_TIMEOUT, "cannot store the cursor of %s: no stenod answers on %s", subscriber->name,
                      subscriber->endpoint);
}

void steno_subscriber_stop(steno_subscriber *subscriber) {
    if (!subscriber) return;
    const int saved = errno;
    const uint64_t one = 1;
    atomic_store(&subscriber->stopping, true);
    ssize_t written = write(subscriber->wake, &one, sizeof one);
    (void)written; /* a full counter wakes as well */
    errno = saved;
}

uint64_t steno_subscriber_offset(const steno_subscriber *subscriber) { return subscriber->last; }

void steno_subscriber_get_counts(const steno_subscriber *subscriber, steno_subscriber_counts *out) {
    const size_t size = out->size < sizeof *out ? out->size : sizeof *out;
    const size_t asked = out->size;
    memcpy(out, &subscriber->counts, size);
    out->size = asked;
}
