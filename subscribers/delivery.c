/* Delivery: a loop around one batch. What is in the batch are copies, because the subscriber lends an event only until its next call. */
#include "subscribers/delivery.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "schema/clean.h"
#include "subscribers/clock.h"
#include "subscribers/dead_letter.h"
#include "subscribers/event_copy.h"
#include "subscribers/health.h"
#include "subscribers/stop_signal.h"

/* How long a wait for the first of a batch is, at most: then `idle` is called. */
#define IDLE_MS 1000
/* The cursor follows what was delivered by so much: what comes again after a kill -9. */
#define COMMIT_MS 100
/* A peer's Retry-After counts up to this. */
#define RETRY_AFTER_MS_MAX 3600000
/* Dead letters are told on stderr so often. */
#define LETTERS_SAID_MS 10000

typedef enum verdict {
    GO_ON,
    STOPPED, /* a signal: what is in the batch stays undelivered */
    MOVED,   /* the cursor was moved: the batch is of no use any more */
    BROKEN,
} verdict;

typedef struct run {
    const delivery *what;
    steno_subscriber *subscriber;
    dead_letter *letters;
    health health;
    steno_event **events; /* the batch, and behind it one that did not fit */
    void **bodies;        /* what the events were decoded from */
    size_t count, bytes;
    bool carried;   /* events[count] is there: the first of the next batch */
    int64_t due;    /* when the batch is to be delivered, full or not */
    uint64_t moves; /* of the cursor, by others, as far as is known */
    int64_t say_letters_at;
} run;

delivery_result delivery_say(delivery_outcome outcome, const char *format, ...) {
    delivery_result result = {.outcome = outcome};
    va_list values;
    va_start(values, format);
    vsnprintf(result.why, sizeof result.why, format, values);
    va_end(values);
    return result;
}

/* ---- the batch ---- */

static void drop_events(run *self, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        event_copy_free(self->events[i], self->bodies[i]);
        self->events[i] = NULL;
        self->bodies[i] = NULL;
    }
}

static void drop_all(run *self) {
    drop_events(self, 0, self->count + self->carried);
    self->count = self->bytes = 0;
    self->carried = false;
}

static size_t body_size(const steno_event *event) {
    size_t size;
    steno_event_body(event, &size);
    return size;
}

static void count_in(run *self) {
    if (self->count == 0) self->due = clock_after(self->what->batch_ms);
    self->bytes += body_size(self->events[self->count++]);
}

/* What was carried begins the next batch. */
static void next_batch(run *self) {
    const size_t done = self->count;
    drop_events(self, 0, done);
    self->count = self->bytes = 0;
    if (!self->carried) return;
    self->carried = false;
    self->events[0] = self->events[done];
    self->bodies[0] = self->bodies[done];
    if (done > 0) self->events[done] = NULL, self->bodies[done] = NULL;
    count_in(self);
}

static bool full(const run *self) {
    return self->carried || self->count >= self->what->batch_events || self->bytes >= self->what->batch_bytes;
}

/* Copies the event into the batch, or behind it if it is too much. False: no memory. */
static bool take(run *self, const steno_event *event) {
    void *body;
    steno_event *copy = event_copy(event, &body);
    if (!copy) return false;
    self->events[self->count] = copy;
    self->bodies[self->count] = body;
    if (self->count > 0 && self->bytes + body_size(copy) > self->what->batch_bytes)
        self->carried = true;
    else
        count_in(self);
    return true;
}

static uint64_t moves_of(const steno_subscriber *subscriber) {
    steno_subscriber_counts counts = {.size = sizeof counts};
    steno_subscriber_get_counts(subscriber, &counts);
    return counts.moved + counts.new_logs;
}

/* True, once, if the cursor was moved: then the batch was dropped. */
static bool moved(run *self) {
    const uint64_t moves = moves_of(self->subscriber);
    if (moves == self->moves) return false;
    self->moves = moves;
    drop_all(self);
    return true;
}

/* Reads until the batch is full or due, or nothing has come for a while. */
static verdict gather(run *self) {
    while (!full(self)) {
        const int64_t wait_ms = self->count == 0 ? IDLE_MS : clock_until(self->due);
        const steno_event *event;
        steno_error error;
        const steno_status status = steno_subscriber_next(self->subscriber, wait_ms, &event, &error);
        moved(self);
        if (status == STENO_END) return STOPPED;
        if (status == STENO_TIMEOUT) return GO_ON;
        if (status) {
            program_say(self->what->program, "subscribing: %s", error.message);
            return BROKEN;
        }
        if (!take(self, event)) {
            program_say(self->what->program, "no memory for event %" PRIu64, steno_event_offset(event));
            return BROKEN;
        }
    }
    return GO_ON;
}

/* ---- delivering ---- */

/* From 75 % to 125 % of it, so that many do not come back to a server at once. */
static int64_t with_jitter(int64_t ms) {
    uint32_t random;
    if (getentropy(&random, sizeof random)) random = 0;
    return ms * 3 / 4 + (int64_t)(random % 1000) * ms / 2000;
}

/* Waits before the next try. *pause_ms grows. */
static verdict wait_to_retry(run *self, int64_t asked_ms, int64_t *pause_ms) {
    if (asked_ms > RETRY_AFTER_MS_MAX) asked_ms = RETRY_AFTER_MS_MAX;
    int64_t left = asked_ms > 0 ? asked_ms : with_jitter(*pause_ms);
    *pause_ms = *pause_ms * 2 < DELIVERY_PAUSE_MS_MAX ? *pause_ms * 2 : DELIVERY_PAUSE_MS_MAX;
    const int64_t until = clock_after(left);
    while ((left = until - clock_ms()) > 0) {
        steno_error error;
        const int64_t turn = left < HEALTH_AGAIN_MS ? left : HEALTH_AGAIN_MS;
        const steno_status status = steno_subscriber_pause(self->subscriber, turn, &error);
        if (status == STENO_END) return GO_ON; /* the last try */
        if (status == STENO_OK) return MOVED;
        if (status != STENO_TIMEOUT) {
            program_say(self->what->program, "waiting: %s", error.message);
            return BROKEN;
        }
        health_repeat(&self->health);
    }
    return GO_ON;
}

static void note_done(run *self, const delivery_result *result) {
    if (result->why[0])
        health_problem(&self->health, result->why);
    else
        health_well(&self->health);
}

/* Delivers events [first, first + count) until they are taken or refused. */
static verdict try_range(run *self, size_t first, size_t count, delivery_result *result) {
    int64_t pause_ms = DELIVERY_PAUSE_MS;
    for (;;) {
        const bool last_try = stop_signal_count() > 0;
        *result = self->what->deliver((const steno_event *const *)self->events + first, count, self->what->self);
        if (result->outcome == DELIVERY_DONE) note_done(self, result);
        if (result->outcome == DELIVERY_DONE || result->outcome == DELIVERY_REFUSED) return GO_ON;
        health_problem(&self->health, result->why);
        if (result->outcome == DELIVERY_BROKEN) return BROKEN;
        if (last_try) return STOPPED;
        const verdict waited = wait_to_retry(self, result->retry_after_ms, &pause_ms);
        if (waited != GO_ON) return waited;
    }
}

/* Puts one event aside, when there is room for it. */
static verdict bury(run *self, const steno_event *event, const char *why) {
    int64_t pause_ms = DELIVERY_PAUSE_MS;
    for (;;) {
        const bool last_try = stop_signal_count() > 0;
        steno_error error;
        if (!dead_letter_add(self->letters, event, why, &error)) break;
        health_problem(&self->health, error.message);
        if (last_try) return STOPPED;
        const verdict waited = wait_to_retry(self, 0, &pause_ms);
        if (waited != GO_ON) return waited;
    }
    if (clock_until(self->say_letters_at) == 0) {
        program_say(self->what->program, "event %" PRIu64 " is put aside in %s, which has %" PRIu64 ": %s",
                    steno_event_offset(event), dead_letter_path(self->letters), dead_letter_count(self->letters), why);
        self->say_letters_at = clock_after(LETTERS_SAID_MS);
    }
    health_dead_letters(&self->health, dead_letter_count(self->letters));
    return GO_ON;
}

static verdict deliver_range(run *self, size_t first, size_t count) {
    delivery_result result;
    verdict ended = try_range(self, first, count, &result);
    if (ended != GO_ON) return ended;
    if (result.outcome == DELIVERY_REFUSED && count > 1) {
        ended = deliver_range(self, first, count / 2);
        return ended == GO_ON ? deliver_range(self, first + count / 2, count - count / 2) : ended;
    }
    if (result.outcome == DELIVERY_REFUSED) ended = bury(self, self->events[first], result.why);
    if (ended == GO_ON) steno_subscriber_handled(self->subscriber, steno_event_offset(self->events[first + count - 1]));
    return ended;
}

static verdict deliver_batch(run *self) {
    const verdict ended = deliver_range(self, 0, self->count);
    if (ended == MOVED) {
        moved(self);
        return GO_ON;
    }
    if (ended == GO_ON) next_batch(self);
    return ended;
}

static verdict idle(run *self) {
    const delivery_result result = self->what->idle ? self->what->idle(self->what->self) : DELIVERED;
    if (result.outcome == DELIVERY_DONE)
        note_done(self, &result);
    else
        health_problem(&self->health, result.why);
    return result.outcome == DELIVERY_BROKEN ? BROKEN : GO_ON;
}

static verdict work(run *self) {
    verdict gathered, delivered;
    health_repeat(&self->health);
    do {
        gathered = gather(self);
        if (gathered == BROKEN) return BROKEN;
        delivered = self->count > 0 ? deliver_batch(self) : gathered == GO_ON ? idle(self) : GO_ON;
    } while (gathered == GO_ON && delivered == GO_ON && stop_signal_count() == 0);
    /* On the way out: what did not fit, too. */
    if (delivered == GO_ON && self->count > 0) delivered = deliver_batch(self);
    return delivered;
}

/* ---- beginning and ending ---- */

static steno_status open_run(run *self, steno_subscriber_config *config, steno_error *error) {
    const delivery *what = self->what;
    if (what->batch_events < 1 || what->batch_events > DELIVERY_EVENTS_MAX)
        return steno_fail(error, STENO_INVALID, "a batch has 1 to %d events", DELIVERY_EVENTS_MAX);
    config->manual = true;
    config->commit_events = DELIVERY_EVENTS_MAX;
    config->commit_ms = COMMIT_MS;
    self->events = calloc(what->batch_events + 1, sizeof(void *));
    self->bodies = calloc(what->batch_events + 1, sizeof *self->bodies);
    if (!self->events || !self->bodies) return steno_fail(error, STENO_NO_MEMORY, "no memory for a batch");
    const char *name = config->name ? config->name : what->program->name;
    steno_status status = steno_subscriber_new(config, &self->subscriber, error);
    if (!status) status = dead_letter_open(config->dir, name, &self->letters, error);
    return status;
}

static void close_run(run *self) {
    drop_all(self);
    free(self->events);
    free(self->bodies);
    dead_letter_free(self->letters);
    steno_subscriber_free(self->subscriber);
}

int delivery_run(const delivery *what, steno_subscriber_config *config) {
    run self = {.what = what};
    steno_error error;
    verdict ended = BROKEN;
    if (open_run(&self, config, &error)) {
        program_say(what->program, "%s", error.message);
    } else {
        stop_signal_watch(self.subscriber);
        health_begin(&self.health, what->program, self.subscriber, dead_letter_count(self.letters));
        ended = work(&self);
        stop_signal_watch(NULL);
        if (config->name && steno_subscriber_commit(self.subscriber, &error))
            program_say(what->program, "%s; what was delivered since it was last stored comes again", error.message);
    }
    close_run(&self);
    return ended == BROKEN ? PROGRAM_FAILED : PROGRAM_FINE;
}
