/* The children in the order of the file, and behind them those that were taken out of it and have not ended yet. */
#include "daemon/supervisor.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/child.h"
#include "daemon/clock.h"
#include "daemon/logline.h"

struct supervisor {
    config settings;
    char folder[PATH_MAX];      /* of stenod itself */
    char dir[PLACE_PATH_BYTES]; /* STENO_DIR for the children; "": as it is */
    bool stopping;
    size_t count;
    child *list[SUPERVISOR_CHILDREN_MAX]; /* into the slots */
    child slots[SUPERVISOR_CHILDREN_MAX];
};

/* ---- which there are ---- */

static const config_subscriber *wanted(const supervisor *self, const char *name) {
    for (size_t i = 0; i < self->settings.subscriber_count; i++)
        if (!strcmp(self->settings.subscribers[i].name, name)) return &self->settings.subscribers[i];
    return NULL;
}

/* The slot of that name, NULL if there is none; with "" a free one. */
static child *slot_of(supervisor *self, const char *name) {
    for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++)
        if (!strcmp(self->slots[i].settings.name, name)) return &self->slots[i];
    return NULL;
}

/* Puts the list in order. A new one for which there is no slot has its turn when one of those that are ending is gone. */
static void arrange(supervisor *self) {
    child *ending[SUPERVISOR_CHILDREN_MAX];
    size_t ending_count = 0;
    for (size_t i = 0; i < self->count; i++) {
        child *one = self->list[i];
        if (wanted(self, one->settings.name)) continue;
        if (one->pid)
            ending[ending_count++] = one;
        else
            child_release(one);
    }
    self->count = 0;
    for (size_t i = 0; i < self->settings.subscriber_count; i++) {
        const config_subscriber *settings = &self->settings.subscribers[i];
        child *one = slot_of(self, settings->name);
        if (!one && (one = slot_of(self, ""))) child_settle(one, settings);
        if (one) self->list[self->count++] = one;
    }
    for (size_t i = 0; i < ending_count; i++) self->list[self->count++] = ending[i];
}

steno_status supervisor_new(const config *settings, const place *where, supervisor **out, steno_error *error) {
    *out = NULL;
    supervisor *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for subscribers");
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    if (size > 0) {
        path[size] = '\0';
        snprintf(self->folder, sizeof self->folder, "%s", dirname(path));
    }
    /* One folder for both means STENO_DIR or --dir: the children must use the same. */
    if (!strcmp(where->runtime, where->state)) snprintf(self->dir, sizeof self->dir, "%s", where->state);
    for (size_t i = 0; i < SUPERVISOR_CHILDREN_MAX; i++) self->slots[i].said.fd = -1;
    self->settings = *settings;
    arrange(self);
    *out = self;
    return STENO_OK;
}

void supervisor_free(supervisor *self) {
    if (!self) return;
    for (size_t i = 0; i < self->count; i++) child_release(self->list[i]);
    free(self);
}

/* ---- who runs ---- */

/* Must it end, so that another command can take its place, or none? */
static bool outdated(const supervisor *self, const child *one) {
    const config_subscriber *settings = wanted(self, one->settings.name);
    return !settings || strcmp(settings->command, one->settings.command) != 0;
}

void supervisor_configure(supervisor *self, const config *settings) {
    self->settings = *settings;
    for (size_t i = 0; i < self->count; i++) {
        child *one = self->list[i];
        const config_subscriber *new = wanted(self, one->settings.name);
        if (!outdated(self, one))
            one->settings.stop_timeout_ms = new->stop_timeout_ms;
        else
            logline("subscriber %s is %s: %s", one->settings.name, new ? "another one now" : "not wanted any more",
                    one->asked ? "it is ending already" : "it is stopped");
    }
    arrange(self);
}

/* Sees to the end of one that has to. Returns when to come again. */
static int64_t end(child *one, int64_t now) {
    if (!one->pid || one->killed) return INT64_MAX;
    if (!one->asked) child_ask_to_end(one);
    if (now < one->kill_ms) return one->kill_ms;
    logline("subscriber %s does not end: killed", one->settings.name);
    child_kill(one);
    return INT64_MAX;
}

static int64_t run_child(supervisor *self, child *one, int64_t now) {
    if (one->pid) return one->asked || outdated(self, one) ? end(one, now) : INT64_MAX;
    if (outdated(self, one)) child_settle(one, wanted(self, one->settings.name));
    if (now < one->due_ms) return one->due_ms;
    const child_world world = {.folder = self->folder, .dir = self->dir};
    child_start(one, &world);
    return one->pid ? INT64_MAX : one->due_ms;
}

/* The last one that still runs; those before it are not told yet. */
static int64_t stop_next(supervisor *self, int64_t now) {
    for (size_t i = self->count; i > 0; i--)
        if (self->list[i - 1]->pid) return end(self->list[i - 1], now);
    return INT64_MAX;
}

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t supervisor_run(supervisor *self) {
    int64_t now = clock_ms(), next = INT64_MAX;
    if (self->stopping)
        next = stop_next(self, now);
    else
        for (size_t i = 0; i < self->count; i++) next = earlier(next, run_child(self, self->list[i], now));
    for (size_t i = 0; i < self->count; i++) next = earlier(next, said_due(&self->list[i]->said, now));
    return next;
}

void supervisor_reap(supervisor *self) {
    bool gone = false;
    for (size_t i = 0; i < self->count; i++)
        if (child_reap(self->list[i]) && !wanted(self, self->list[i]->settings.name)) gone = true;
    if (gone) arrange(self);
}

bool supervisor_kill(supervisor *self, pid_t pid) {
    for (size_t i = 0; i < self->count; i++)
        if (self->list[i]->pid == pid) return child_kill(self->list[i]);
    return false;
}

void supervisor_stop(supervisor *self) {
    self->stopping = true;
    supervisor_run(self);
}

bool supervisor_idle(const supervisor *self) {
    for (size_t i = 0; i < self->count; i++)
        if (self->list[i]->pid) return false;
    return true;
}

/* ---- listening ---- */

void supervisor_listen(supervisor *self) {
    const int64_t now = clock_ms();
    for (size_t i = 0; i < self->count; i++) said_listen(&self->list[i]->said, self->list[i]->settings.name, now);
}

int supervisor_poll_items(const supervisor *self, zmq_pollitem_t *items) {
    const int64_t now = clock_ms();
    int count = 0;
    for (size_t i = 0; i < self->count; i++)
        if (said_open(&self->list[i]->said, now))
            items[count++] = (zmq_pollitem_t){.fd = self->list[i]->said.fd, .events = ZMQ_POLLIN};
    return count;
}

/* ---- telling ---- */

size_t supervisor_count(const supervisor *self) { return self->count; }

supervisor_child supervisor_child_at(const supervisor *self, size_t index) {
    const child *one = self->list[index];
    const bool waits = !one->pid && !self->stopping;
    const int64_t left_ms = one->due_ms - clock_ms();
    const char *stays = self->stopping ? "stopped" : "waiting", *runs = one->asked ? "stopping" : "running";
    return (supervisor_child){.name = one->settings.name,
                              .command = one->settings.command,
                              .state = one->pid ? runs : stays,
                              .last_exit = one->last_exit[0] ? one->last_exit : NULL,
                              .said = one->said.last[0] ? one->said.last : NULL,
                              .pid = one->pid,
                              .restarts = one->restarts,
                              .starts_in_ms = !waits        ? -1
                                              : left_ms > 0 ? left_ms
                                                            : 0};
}
