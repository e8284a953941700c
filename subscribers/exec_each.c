/* steno-exec's first way: a command for each event, up to --jobs of them at once, started in order. Invariant: the cursor passes an event only when its command
 * succeeded, or it was given up on, and so it is with all before it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "schema/clean.h"
#include "subscribers/clock.h"
#include "subscribers/exec_run.h"

/* The cursor is stored after each event, not in passing: a command's effects are worth more than the round trip, so that only the events in hand come again after a
 * crash. While the daemon is away, that is tried only so often.
 */
#define COMMIT_RETRY_MS 30000
/* One without a time limit, or a long one, that runs so long is worth telling. */
#define LONG_MS 60000

typedef enum slot_state {
    SLOT_FREE,
    SLOT_RUNNING,
    SLOT_WAITING, /* for its next attempt */
    SLOT_BURYING, /* for room for its dead letter */
} slot_state;

typedef struct slot {
    slot_state state;
    flight_item *item;
    command command;
    int64_t again_at;
    char why[160];
} slot;

typedef struct each {
    exec_run *run;
    int64_t commit_at;
    size_t busy;
    size_t count;
    slot slots[];
} each;

/* The item is done with, one way or the other; `handled` false: it comes again next time. */
static void free_slot(each *self, slot *one, bool handled) {
    if (handled || one->item->forgotten) flight_done(self->run->flight, one->item);
    one->item = NULL;
    one->state = SLOT_FREE;
    self->busy--;
}

static void give_up(each *self, slot *one) {
    if (one->item->forgotten) {
        free_slot(self, one, true);
        return;
    }
    const exec_verdict verdict = exec_give_up(self->run, one->item->event, one->why);
    if (verdict == EXEC_LATER && self->run->stops == 0) {
        one->state = SLOT_BURYING;
        one->again_at = clock_after(exec_pause_ms(++one->item->attempts));
    } else {
        free_slot(self, one, verdict == EXEC_HANDLED);
    }
}

/* What to do about a command that failed. */
static void on_failure(each *self, slot *one, const command_result *result) {
    exec_run *run = self->run;
    const unsigned attempt = one->item->attempts;
    const bool hopeless = result->end == COMMAND_NOT_FOUND || result->end == COMMAND_INTERRUPTED;
    char next[64], told[256];
    command_describe(result, run->options->timeout_ms, one->why, sizeof one->why);
    snprintf(told, sizeof told, "event %" PRIu64 ": %.60s %s", one->item->offset, run->options->command[0], one->why);
    if (result->end == COMMAND_NOT_FOUND) {
        exec_say(run, one->item->event, one->why, "giving up");
        health_note(&run->health, told);
        run->ending = run->failed = true;
        free_slot(self, one, false);
    } else if (run->ending && (hopeless || attempt <= run->options->retries)) {
        exec_say(run, one->item->event, one->why, "stopping; the event stays unhandled");
        free_slot(self, one, false);
    } else if (attempt <= run->options->retries && !one->item->forgotten) {
        const int64_t pause = exec_pause_ms(attempt);
        snprintf(next, sizeof next, "again in %.1f s (%u of %u)", (double)pause / 1000, attempt, run->options->retries);
        exec_say(run, one->item->event, one->why, next);
        health_note(&run->health, told);
        one->state = SLOT_WAITING;
        one->again_at = clock_after(pause);
    } else {
        health_note(&run->health, told);
        give_up(self, one);
    }
}

static void start(each *self, slot *one) {
    const exec_options *options = self->run->options;
    command_result result;
    one->state = SLOT_RUNNING;
    one->item->attempts++;
    if (!command_start(&one->command, options->command, one->item->event, one->item->attempts, options->timeout_ms,
                       &result)) {
        on_failure(self, one, &result);
        return;
    }
    /* It leaves the set when it is closed. If it cannot be added, the turn of the loop finds it. */
    struct epoll_event ended = {.events = EPOLLIN};
    epoll_ctl(self->run->wake, EPOLL_CTL_ADD, one->command.process, &ended);
}

/* Is any of them failing, or taking long? */
static bool in_trouble(const each *self) {
    for (size_t i = 0; i < self->count; i++) {
        const slot *one = &self->slots[i];
        if (one->state > SLOT_RUNNING) return true;
        if (one->state == SLOT_RUNNING && clock_ms() - one->command.begun >= LONG_MS) return true;
    }
    return false;
}

static void look_at_running(each *self, slot *one) {
    exec_run *run = self->run;
    command_result result;
    if (run->stops > 1) command_stop(&one->command, COMMAND_INTERRUPTED);
    const int64_t ran_ms = clock_ms() - one->command.begun;
    if (!command_look(&one->command, &result)) {
        char told[160];
        if (ran_ms < LONG_MS) return;
        snprintf(told, sizeof told, "event %" PRIu64 ": %.60s has been running for %" PRId64 " min", one->item->offset,
                 run->options->command[0], ran_ms / 60000);
        if (strcmp(told, run->health.problem) != 0) health_note(&run->health, told);
    } else if (result.end == COMMAND_EXITED && result.code == 0) {
        free_slot(self, one, true);
        if (!in_trouble(self)) health_well(&run->health);
    } else {
        on_failure(self, one, &result);
    }
}

static void look_at(each *self, slot *one) {
    if (one->state == SLOT_RUNNING)
        look_at_running(self, one);
    else if (one->state != SLOT_FREE && (self->run->ending || one->item->forgotten))
        free_slot(self, one, false); /* comes again */
    else if (one->state != SLOT_FREE && clock_until(one->again_at) == 0)
        one->state == SLOT_WAITING ? start(self, one) : give_up(self, one);
}

static int64_t next_moment(const each *self) {
    int64_t moment = clock_after(EXEC_TURN_MS);
    for (size_t i = 0; i < self->count; i++) {
        const slot *one = &self->slots[i];
        if (one->state == SLOT_RUNNING) moment = clock_earlier(moment, one->command.due);
        if (one->state > SLOT_RUNNING) moment = clock_earlier(moment, one->again_at);
    }
    return moment;
}

static slot *find_free(each *self) {
    for (size_t i = 0; i < self->count; i++)
        if (self->slots[i].state == SLOT_FREE) return &self->slots[i];
    return NULL;
}

/* Stores how far everything is handled. */
static void settle(each *self) {
    exec_run *run = self->run;
    uint64_t offset;
    if (flight_settle(run->flight, &offset) == 0) return;
    steno_subscriber_handled(run->subscriber, offset);
    if (!run->named || clock_until(self->commit_at) > 0) return;
    if (steno_subscriber_commit(run->subscriber, NULL)) self->commit_at = clock_after(COMMIT_RETRY_MS);
}

static bool in_a_slot(const flight_item *item, const void *ctx) {
    const each *self = ctx;
    for (size_t i = 0; i < self->count; i++)
        if (self->slots[i].item == item) return true;
    return false;
}

static void take(each *self, const steno_event *event) {
    slot *one = find_free(self);
    one->item = flight_take(self->run->flight, event);
    if (!one->item) {
        program_say(self->run->program, "no memory for event %" PRIu64, steno_event_offset(event));
        self->run->ending = self->run->failed = true;
        return;
    }
    self->busy++;
    start(self, one);
}

void exec_each(exec_run *run) {
    cleanup_free each *self = calloc(1, sizeof *self + run->options->jobs * sizeof *self->slots);
    if (!self) {
        program_say(run->program, "no memory to begin");
        run->failed = true;
        return;
    }
    self->run = run;
    self->count = run->options->jobs;
    for (;;) {
        for (size_t i = 0; i < self->count; i++) look_at(self, &self->slots[i]);
        settle(self);
        health_repeat(&run->health);
        if (run->ending && self->busy == 0) return;
        const bool may_take = !run->ending && self->busy < self->count && !flight_full(run->flight);
        bool moved;
        const steno_event *event = exec_next(run, may_take, clock_until(next_moment(self)), &moved);
        if (moved) flight_forget(run->flight, in_a_slot, self);
        if (event) take(self, event);
    }
}
