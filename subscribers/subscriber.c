/* The subscriber: replay, then live, then replay again wherever the live stream is not enough.
 * Invariant: every matching event is handed out once, in order of offset. Only offset last + 1 is taken from the live stream;
 * what is not beyond `last` is a duplicate; anything else is asked for again from `last` on. Touches the two sockets and one eventfd.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "schema/sized.h"
#include "subscribers/clock.h"
#include "subscribers/subscriber_state.h"

/* How long a report may keep its caller. */
#define REPORT_MS 1000

/* ---- handing out ---- */

/* The event in hand, if there is one, was handled (unless that is said by steno_subscriber_handled). */
static void settle(steno_subscriber *self) {
    if (self->event && !self->manual) {
        self->handled = self->last;
        self->unstored++;
    }
    steno_event_free(self->event);
    self->event = NULL;
    stream_item_clear(&self->item);
    asking_follow_cursor(self);
}

/* Decodes the event at `offset`. False: it is none, and counts as handled. */
static bool hold(steno_subscriber *self, uint64_t offset, const void *body, size_t size) {
    if (offset > self->seen) self->seen = offset;
    if (steno_event_decode(body, size, &self->event, NULL)) {
        self->event = NULL;
        subscriber_pass(self, offset);
        self->counts.malformed++;
        return false;
    }
    self->last = self->handed = offset;
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
    subscriber_pass(self, self->batch.last > self->last ? self->batch.last : self->last);
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
        steno_status status = asking_take_replies(self, &ignored, NULL, error);
        if (status) return status;
        if (!for_event && !settling(self)) return STENO_END;
        if (batch_held(&self->batch) ? hold_from_batch(self) : hold_from_stream(self)) return STENO_OK;
        if (wants_to_ask(self)) {
            if (clock_until(self->ask_at) > 0 || !control_client_ready(self->control)) return STENO_END;
            status = asking_post_question(self, error);
            if (status) return status;
        } else {
            return STENO_END;
        }
    }
}

static steno_status commit_if_due(steno_subscriber *self, steno_error *error) {
    if (!wants_to_commit(self)) return STENO_OK;
    if (self->unstored < self->commit_events && clock_until(self->commit_at) > 0) return STENO_OK;
    return control_client_ready(self->control) ? asking_post_commit(self, error) : STENO_OK;
}

static steno_status watch_if_due(steno_subscriber *self, steno_error *error) {
    const bool due = wants_to_watch(self) && clock_until(self->watch_at) == 0;
    return due && control_client_ready(self->control) ? asking_post_watch(self, error) : STENO_OK;
}

/* ---- waiting ---- */

/* What a wait is for, beside answers. */
typedef enum wait_for {
    FOR_ANSWERS = 0,
    FOR_STOP = 1,   /* steno_subscriber_stop and steno_subscriber_wake_on */
    FOR_EVENTS = 2, /* what the next event needs */
    FOR_CONNECTION = 4,
} wait_for;

/* Sleeps until something can be done, at most until `deadline`. */
static steno_status wait_for_work(steno_subscriber *self, int64_t deadline, int what, steno_error *error) {
    const bool asking = what & FOR_EVENTS && wants_to_ask(self);
    if (asking) deadline = clock_earlier(deadline, self->ask_at > clock_ms() ? self->ask_at : CLOCK_NEVER);
    if (self->asked.id) deadline = clock_earlier(deadline, self->asked.deadline);
    if (self->committing.id) deadline = clock_earlier(deadline, self->committing.deadline);
    const bool commit_due = wants_to_commit(self) && clock_until(self->commit_at) == 0;
    if (wants_to_commit(self) && !commit_due) deadline = clock_earlier(deadline, self->commit_at);
    if (self->watching.id) deadline = clock_earlier(deadline, self->watching.deadline);
    if (self->reporting.id) deadline = clock_earlier(deadline, self->reporting.deadline);
    const bool watch_due = wants_to_watch(self) && clock_until(self->watch_at) == 0;
    if (wants_to_watch(self) && !watch_due) deadline = clock_earlier(deadline, self->watch_at);
    const bool to_send = what & FOR_CONNECTION || (asking && clock_until(self->ask_at) == 0) || commit_due || watch_due;
    short control_events = 0;
    if (subscriber_in_flight(self)) control_events |= ZMQ_POLLIN;
    if (to_send) control_events |= ZMQ_POLLOUT;
    zmq_pollitem_t items[] = {
        {.socket = control_client_socket(self->control), .events = control_events},
        {.socket = stream_socket(self->stream),
         .events = what & FOR_EVENTS && self->phase == PHASE_LIVE ? ZMQ_POLLIN : 0},
        {.fd = self->wake, .events = what & FOR_STOP ? ZMQ_POLLIN : 0},
        {.fd = self->wake_on, .events = ZMQ_POLLIN},
    };
    const bool woken_by_fd = what & FOR_STOP && self->wake_on >= 0;
    const int ready = zmq_poll(items, woken_by_fd ? 4 : 3, clock_until(deadline));
    if (ready < 0 && errno != EINTR)
        return steno_fail(error, STENO_SYSTEM, "cannot wait for events: %s", zmq_strerror(errno));
    /* The flag was set before the eventfd was written: whoever drains it here sees the flag next. */
    uint64_t count;
    if (ready > 0 && items[2].revents && read(self->wake, &count, sizeof count) < 0 && errno != EAGAIN &&
        errno != EINTR)
        return steno_fail(error, STENO_SYSTEM, "cannot read an eventfd: %s", strerror(errno));
    if (ready > 0 && woken_by_fd && items[3].revents) self->woken = true;
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

/* Says once that nobody answers. */
static void tell_waiting(steno_subscriber *self) {
    if (clock_until(self->waiting_at) > 0) return;
    self->waiting_at = CLOCK_NEVER;
    if (self->on_waiting) self->on_waiting(self->endpoint, self->on_waiting_ctx);
}

/* Works until an event is in hand or, for connect, the beginning is settled. */
static steno_status work(steno_subscriber *self, int64_t deadline, bool for_event, steno_error *error) {
    if (!self->connect_deadline) self->connect_deadline = clock_after(self->connect_timeout_ms);
    if (!self->waiting_at) self->waiting_at = clock_after(SUBSCRIBER_WAITING_MS);
    self->woken = false;
    for (;;) {
        if (take_stop(self)) return STENO_END;
        if (!for_event && !settling(self)) return STENO_OK;
        steno_status status = commit_if_due(self, error);
        if (!status) status = watch_if_due(self, error);
        if (!status) status = advance(self, for_event, error);
        if (status != STENO_END) return status;
        if (!for_event && !settling(self)) return STENO_OK;
        if (settling(self) && clock_until(self->connect_deadline) == 0) return no_daemon(self, error);
        if (settling(self)) tell_waiting(self);
        if (self->woken || clock_until(deadline) == 0) return steno_fail(error, STENO_TIMEOUT, "no event yet");
        int64_t until = deadline;
        if (settling(self)) until = clock_earlier(until, clock_earlier(self->connect_deadline, self->waiting_at));
        status = wait_for_work(self, until, FOR_STOP | FOR_EVENTS, error);
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
    self->last = self->handed = self->handled;
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
    if (settling(subscriber)) return STENO_OK; /* nothing was handed out */
    const int64_t deadline = clock_after(SUBSCRIBER_REQUEST_MS);
    steno_status outcome = STENO_OK;
    while (!outcome) {
        steno_status status = asking_take_replies(subscriber, &outcome, error, error);
        if (status || outcome) return status ? status : outcome;
        if (!subscriber->committing.id && !subscriber->unsure && !wants_to_commit(subscriber)) return STENO_OK;
        if (wants_to_commit(subscriber) && control_client_ready(subscriber->control))
            status = asking_post_commit(subscriber, error);
        if (!status) status = watch_if_due(subscriber, error);
        if (!status && clock_until(deadline) == 0) break;
        if (wants_to_commit(subscriber)) subscriber->commit_at = 0; /* due: wait for a connection */
        if (!status) status = wait_for_work(subscriber, deadline, FOR_ANSWERS, error);
        if (status) return status;
    }
    return steno_fail(error, STENO_TIMEOUT, "cannot store the cursor of %s: no stenod answers on %s", subscriber->name,
                      subscriber->endpoint);
}

void steno_subscriber_handled(steno_subscriber *subscriber, uint64_t offset) {
    if (!subscriber->manual || offset <= subscriber->handled || offset > subscriber->handed) return;
    /* With the newest one goes what was passed over after it. */
    subscriber->handled = offset == subscriber->handed ? subscriber->last : offset;
    subscriber->unstored++;
}

steno_status steno_subscriber_pause(steno_subscriber *subscriber, int64_t timeout_ms, steno_error *error) {
    const int64_t deadline = clock_after(timeout_ms);
    const uint64_t moves = subscriber->counts.moved;
    steno_status ignored;
    settle(subscriber);
    subscriber->woken = false;
    for (;;) {
        if (take_stop(subscriber)) return STENO_END;
        steno_status status = asking_take_replies(subscriber, &ignored, NULL, error);
        if (!status && subscriber->counts.moved != moves) return STENO_OK;
        if (!status) status = commit_if_due(subscriber, error);
        if (!status) status = watch_if_due(subscriber, error);
        if (status) return status;
        if (subscriber->woken || clock_until(deadline) == 0)
            return steno_fail(error, STENO_TIMEOUT, "nobody moved the cursor");
        status = wait_for_work(subscriber, deadline, FOR_STOP, error);
        if (status) return status;
    }
}

void steno_subscriber_wake_on(steno_subscriber *subscriber, int fd) { subscriber->wake_on = fd; }

void steno_subscriber_report(steno_subscriber *subscriber, const char *problem, uint64_t dead_letters) {
    if (!has_cursor(subscriber)) return;
    const int64_t deadline = clock_after(REPORT_MS);
    steno_status status = STENO_OK, ignored;
    bool posted = false;
    subscriber->reporting.id = 0; /* an earlier one's answer is worth nothing now */
    while (!status && clock_until(deadline) > 0) {
        if (!posted && control_client_ready(subscriber->control)) {
            status = asking_post_report(subscriber, problem, dead_letters, NULL);
            posted = subscriber->reporting.id != 0;
        }
        if (!status) status = asking_take_replies(subscriber, &ignored, NULL, NULL);
        if (posted && !subscriber->reporting.id) return;
        if (!status) status = commit_if_due(subscriber, NULL);
        if (!status) status = watch_if_due(subscriber, NULL);
        if (!status) status = wait_for_work(subscriber, deadline, posted ? FOR_ANSWERS : FOR_CONNECTION, NULL);
    }
    subscriber->reporting.id = 0;
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
    sized_give(out, &subscriber->counts, sizeof subscriber->counts);
}
