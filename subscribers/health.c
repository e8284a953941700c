/* Tells changes at once, the rest by the clock. */
#include "subscribers/health.h"

#include <stdio.h>
#include <string.h>

#include "subscribers/clock.h"

static void tell(health *self) {
    steno_subscriber_report(self->subscriber, self->problem[0] ? self->problem : NULL, self->dead_letters);
    self->told = self->problem[0] || self->dead_letters;
    self->told_at = clock_ms();
    self->tell_at = clock_after(HEALTH_AGAIN_MS);
}

void health_begin(health *self, const program *who, steno_subscriber *subscriber, uint64_t dead_letters) {
    *self = (health){.program = who, .subscriber = subscriber, .dead_letters = dead_letters};
    /* Whatever an earlier life of ours said last is taken back, unless this one ends of the same before. */
    self->told = true;
    self->tell_at = clock_after(HEALTH_BEGIN_MS);
}

void health_problem(health *self, const char *what) {
    char line[sizeof self->problem];
    snprintf(line, sizeof line, "%s", what);
    const bool same = !strcmp(line, self->problem);
    if (!same || clock_until(self->log_at) == 0) {
        program_say(self->program, "%s", line);
        self->log_at = clock_after(HEALTH_LOG_AGAIN_MS);
    }
    strcpy(self->problem, line);
    self->noted = false;
    if (same)
        health_repeat(self);
    else
        tell(self);
}

void health_note(health *self, const char *what) {
    const bool was_well = !self->problem[0];
    snprintf(self->problem, sizeof self->problem, "%s", what);
    if (was_well) self->log_at = clock_after(HEALTH_LOG_AGAIN_MS);
    self->noted = true;
    self->tell_at = clock_earlier(self->tell_at, self->told_at + HEALTH_COUNT_MS);
    health_repeat(self);
}

void health_well(health *self) {
    if (self->problem[0]) {
        if (!self->noted) program_say(self->program, "going on: the problem is over (%s)", self->problem);
        self->noted = false;
        self->problem[0] = '\0';
        tell(self);
    }
    health_repeat(self);
}

void health_dead_letters(health *self, uint64_t count) {
    if (count == self->dead_letters) return;
    self->dead_letters = count;
    self->tell_at = clock_earlier(self->tell_at, self->told_at + HEALTH_COUNT_MS);
    health_repeat(self);
}

void health_repeat(health *self) {
    const bool ill = self->problem[0] || self->dead_letters;
    if ((ill || self->told) && clock_until(self->tell_at) == 0) tell(self);
}
