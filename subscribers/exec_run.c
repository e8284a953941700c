/* Giving up on events, and waiting for the next. */
#include "subscribers/exec_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "subscribers/clock.h"
#include "subscribers/stop_signal.h"

void exec_say(const exec_run *self, const steno_event *event, const char *what, const char *next) {
    const char *call_id = steno_event_string(event, "call_id");
    program_say(self->program, "event %" PRIu64 " (%s%s%s): %s %s; %s", steno_event_offset(event),
                steno_event_name(event), call_id ? " of call " : "", call_id ? call_id : "", self->options->command[0],
                what, next);
}

int64_t exec_pause_ms(unsigned number) {
    const unsigned doublings = number < 8 ? (number > 0 ? number - 1 : 0) : 7;
    const int64_t pause = (int64_t)EXEC_PAUSE_MS << doublings;
    return pause < EXEC_PAUSE_MS_MAX ? pause : EXEC_PAUSE_MS_MAX;
}

static exec_verdict bury(exec_run *self, const steno_event *event, const char *why) {
    steno_error error;
    char what[STENO_ERROR_MESSAGE_BYTES + 64];
    if (dead_letter_add(self->letters, event, why, &error)) {
        health_problem(&self->health, error.message);
        return EXEC_LATER;
    }
    const uint64_t count = dead_letter_count(self->letters);
    snprintf(what, sizeof what, "put aside in %s (%" PRIu64 " so far)", dead_letter_path(self->letters), count);
    exec_say(self, event, why, what);
    health_dead_letters(&self->health, count);
    return EXEC_HANDLED;
}

exec_verdict exec_give_up(exec_run *self, const steno_event *event, const char *why) {
    char next[64];
    switch (self->options->on_error) {
    case ON_ERROR_DEAD_LETTER: return bury(self, event, why);
    case ON_ERROR_STOP:
        exec_say(self, event, why, "giving up");
        self->ending = self->failed = true;
        return EXEC_KEPT;
    case ON_ERROR_SKIP: break;
    }
    self->skipped++;
    snprintf(next, sizeof next, "skipped (%" PRIu64 " so far)", self->skipped);
    exec_say(self, event, why, next);
    return EXEC_HANDLED;
}

static bool was_moved(exec_run *self) {
    steno_subscriber_counts counts = {.size = sizeof counts};
    steno_subscriber_get_counts(self->subscriber, &counts);
    const uint64_t moves = counts.moved + counts.new_logs;
    const bool moved = moves != self->moves;
    self->moves = moves;
    return moved;
}

const steno_event *exec_next(exec_run *self, bool may_take, int64_t ms, bool *moved) {
    const steno_event *event = NULL;
    steno_error error;
    const steno_status status = may_take ? steno_subscriber_next(self->subscriber, ms, &event, &error)
                                         : steno_subscriber_pause(self->subscriber, ms, &error);
    *moved = was_moved(self);
    self->stops = stop_signal_count();
    if (self->stops > 0) self->ending = true;
    if (!status || status == STENO_TIMEOUT || status == STENO_END) return event;
    program_say(self->program, "subscribing: %s", error.message);
    self->ending = self->failed = true;
    return NULL;
}
