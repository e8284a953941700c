/* The loop: poll → take in → store → fan out → answer. Invariant: a batch that could not be stored is tried again before anything
 * else is taken in, so that memory stays bounded and nothing unstored is ever acknowledged.
 */
#include "daemon/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "daemon/checkpoint.h"
#include "daemon/clock.h"
#include "daemon/control.h"
#include "daemon/fanout.h"
#include "daemon/ingress.h"
#include "daemon/intake.h"
#include "daemon/lock_holder.h"
#include "daemon/retention.h"
#include "daemon/spools.h"
#include "daemon/supervisor.h"
#include "schema/clean.h"
#include "schema/identity.h"

/* Between two commits, unless a batch is full or somebody waits: each rewrites some 15 pages, however few events it has. */
#define COMMIT_GAP_MS 3
/* After the disk was full, and after the log's other writer was in the way. */
#define RETRY_DISK_MS 500
#define RETRY_BUSY_MS 10
/* A writer that is in the way for so long is a problem worth saying. */
#define BUSY_PATIENCE_MS 5000
/* On stop: what can't be stored in this time stays in the spools for the next start. */
#define DRAIN_MS 10000
/* Sockets and signals, before the children's pipes. */
#define POLL_OWN 4

typedef enum stage { RUNNING, DRAINING, STOPPING_CHILDREN, DRAINING_AGAIN, DONE } stage;

typedef struct daemon_loop {
    const place *where;
    const loop_options *options;
    void *context;
    ingress *ingress;
    fanout *fanout;
    control *control;
    store *store;
    supervisor *children; /* NULL: none wanted */
    reports reports;
    intake *intake;
    retention retention;
    checkpoint checkpoint;
    bool resting; /* nothing is written, for the checkpoint's sake */
    int64_t committed_ms;
    int signal_fd;
    double started;

    stage stage;
    int64_t stage_until_ms;
    uint64_t stage_generation;
    bool more; /* a socket was left with something in it */
    int64_t retry_ms, failing_since_ms;
    int64_t holder_ms; /* not before is it looked who keeps the log locked */
    int64_t due_ms;    /* when something is to be done without being asked */
    char problem[STENO_ERROR_MESSAGE_BYTES];
    char config_problem[STENO_ERROR_MESSAGE_BYTES];
    const char *config_note; /* NULL: none, or none that was not wanted */
} daemon_loop;

static verb_view view_of(daemon_loop *self) {
    return (verb_view){.where = self->where,
                       .store = self->store,
                       .intake = self->intake,
                       .children = self->children,
                       .started = self->started,
                       .problem = self->problem[0] ? self->problem : NULL,
                       .reports = &self->reports,
                       .config_problem = self->config_problem[0] ? self->config_problem : NULL,
                       .config_note = self->config_note};
}

static bool failing(const daemon_loop *self) { return self->failing_since_ms != 0; }
/* Nothing is taken in: what is in the batch has to be stored first, or nothing can be. */
static bool closed(const daemon_loop *self) { return failing(self) || self->resting; }

/* ---- one turn, in the order of the loop ---- */

static void wait_for_work(daemon_loop *self) {
    int64_t now = clock_ms(), wait = self->due_ms > now ? self->due_ms - now : 0;
    if (!closed(self) && (self->more || intake_behind(self->intake))) wait = 0;
    zmq_pollitem_t items[POLL_OWN + SUPERVISOR_CHILDREN_MAX] = {
        {.fd = self->signal_fd, .events = ZMQ_POLLIN},
        {.socket = control_socket(self->control), .events = ZMQ_POLLIN},
        {.socket = fanout_socket(self->fanout), .events = ZMQ_POLLIN},
        /* Last of ours, so that it can be left out: nothing is taken in while the log can't be written. */
        {.socket = ingress_socket(self->ingress), .events = ZMQ_POLLIN},
    };
    int count = closed(self) ? POLL_OWN - 1 : POLL_OWN;
    if (self->children) count += supervisor_poll_items(self->children, items + count);
    zmq_poll(items, count, (long)wait);
}

static void begin_stage(daemon_loop *self, stage next) {
    self->stage = next;
    self->stage_until_ms = clock_ms() + DRAIN_MS;
    self->stage_generation = spools_want(self->intake);
    self->more = true; /* what is in the socket now is to be seen, too */
}

static void keep_journal(daemon_loop *self, const config *settings) {
    self->retention.age_max = settings->journal_days * 86400.0;
    self->retention.bytes_max = (int64_t)settings->journal_mb << 20;
    self->retention.due_ms = 0;
}

/* Whoever wants no subscribers knows that there are no costs. */
static void note_configuration(daemon_loop *self, const config *settings) {
    const char *before = self->config_note;
    self->config_note = self->children ? config_note(settings) : NULL;
    if (self->config_note && !before) logline("%s", self->config_note);
}

/* A configuration that is wrong changes nothing. */
static void read_configuration_again(daemon_loop *self) {
    config settings;
    steno_error error;
    steno_status status = config_read(self->options->config, self->options->config_required, &settings, &error);
    if (!status) status = store_set_durability(self->store, settings.durability_full, &error);
    if (status) {
        snprintf(self->config_problem, sizeof self->config_problem, "%s", error.message);
        logline("%s; the configuration stays as it was", self->config_problem);
        return;
    }
    self->config_problem[0] = '\0';
    logline("the configuration was read again");
    keep_journal(self, &settings);
    if (self->children) supervisor_configure(self->children, &settings);
    note_configuration(self, &settings);
}

/* The terminal is gone that this was started in, and nobody has said with nohup(1) that it is to go on. */
static bool hung_up(const struct signalfd_siginfo *heard) {
    struct sigaction action;
    return heard->ssi_signo == SIGHUP && heard->ssi_code == SI_KERNEL && !sigaction(SIGHUP, NULL, &action) &&
           action.sa_handler != SIG_IGN;
}

static void hear(daemon_loop *self, const struct signalfd_siginfo *heard) {
    if (heard->ssi_signo == SIGCHLD) {
        if (self->children) supervisor_reap(self->children);
    } else if (heard->ssi_signo == SIGHUP && !hung_up(heard)) {
        if (self->stage == RUNNING && heard->ssi_code != SI_KERNEL) read_configuration_again(self);
    } else {
        logline("signal %u: storing what is there, then ending", heard->ssi_signo);
        if (self->stage == RUNNING) begin_stage(self, DRAINING);
    }
}

static void hear_signals(daemon_loop *self) {
    struct signalfd_siginfo heard;
    while (read(self->signal_fd, &heard, sizeof heard) == sizeof heard) hear(self, &heard);
    if (self->children) supervisor_listen(self->children);
}

static void take_in(daemon_loop *self) {
    self->more = ingress_take(self->ingress, self->intake);
    spools_look(self->intake);
    spools_read(self->intake);
}

/* Another process has kept the log locked for long. One of our own subscribers, stopped or stuck in mid-transaction, is killed: what it had
 * begun is undone, and it is started again. Anybody else is named, once in a while.
 */
static void end_long_lock(daemon_loop *self, int64_t now) {
    if (now < self->holder_ms) return;
    self->holder_ms = now + BUSY_PATIENCE_MS;
    char name[LOCK_HOLDER_NAME_BYTES];
    pid_t pid = lock_holder_find(self->where->log, LOCK_WRITING, name);
    if (pid > 0 && self->children && supervisor_kill(self->children, pid))
        logline("subscriber %s, pid %d, kept log.db locked for %d s: killed", name, (int)pid, BUSY_PATIENCE_MS / 1000);
    else if (pid > 0)
        snprintf(self->problem, sizeof self->problem, "log.db is kept locked by process %d (%s): nothing can be stored",
                 (int)pid, name);
}

static void note_failure(daemon_loop *self, steno_status status, const char *why) {
    int64_t now = clock_ms();
    if (!failing(self)) self->failing_since_ms = now;
    self->retry_ms = now + (status == STENO_BUSY ? RETRY_BUSY_MS : RETRY_DISK_MS);
    if (status == STENO_BUSY && now - self->failing_since_ms < BUSY_PATIENCE_MS) return;
    const bool new = !self->problem[0];
    if (new || status != STENO_BUSY) snprintf(self->problem, sizeof self->problem, "%s", why);
    if (status == STENO_BUSY) end_long_lock(self, now);
    if (new) logline("%s; what comes waits in the spools until it can be stored", self->problem);
}

/* When the batch may be stored: at once, or a little later together with what comes until then. */
static int64_t store_due(const daemon_loop *self) {
    if (self->resting) return self->checkpoint.retry_ms;
    if (batch_empty(&self->intake->batch)) return INT64_MAX;
    if (failing(self)) return self->retry_ms;
    const bool hurried = self->stage != RUNNING || control_flushing(self->control);
    return hurried || !batch_fits(&self->intake->batch, 0) ? 0 : self->committed_ms + COMMIT_GAP_MS;
}

static void store_and_fan_out(daemon_loop *self) {
    /* On the way out there is no rest: what is read now will be read no more. */
    const bool may_rest = self->stage == RUNNING && !failing(self);
    self->resting = may_rest && checkpoint_run(&self->checkpoint, self->store, self->where->log);
    if (self->resting) return;
    if (!batch_empty(&self->intake->batch)) {
        if (clock_ms() < store_due(self)) return;
        steno_error error;
        steno_status status = store_write(self->store, &self->intake->batch, &error);
        if (status) {
            note_failure(self, status, error.message);
            return;
        }
        if (self->problem[0]) logline("the log can be written again");
        self->problem[0] = '\0';
        self->failing_since_ms = 0;
        self->committed_ms = clock_ms();
        fanout_send(self->fanout, &self->intake->batch);
        intake_stored(self->intake);
    }
    spools_release(self->intake);
}

static void answer(daemon_loop *self) {
    verb_view view = view_of(self);
    fanout_listen(self->fanout);
    if (control_take(self->control, &view, self->intake)) self->more = true;
    int64_t due = control_settle(self->control, &view);
    int64_t heartbeat = fanout_heartbeat(self->fanout, store_last_offset(self->store));
    if (heartbeat < due) due = heartbeat;
    int64_t children = self->children ? supervisor_run(self->children) : INT64_MAX;
    if (children < due) due = children;
    int64_t trim = closed(self) ? INT64_MAX : retention_run(&self->retention, self->store);
    if (trim < due) due = trim;
    int64_t storing = store_due(self);
    if (storing < due) due = storing;
    self->due_ms = closed(self) || due < self->intake->look_ms ? due : self->intake->look_ms;
}

/* True if all that was in the sockets and spools when the stage began is in the log, or its time is up. */
static bool drained(const daemon_loop *self) {
    if (clock_ms() >= self->stage_until_ms) return true;
    return !self->more && batch_empty(&self->intake->batch) && !intake_behind(self->intake) &&
           spools_read_since(self->intake, self->stage_generation);
}

/* Stopping: the log first, then the children, who commit their cursors through us, then what came meanwhile. */
static void step_towards_end(daemon_loop *self) {
    switch (self->stage) {
    case RUNNING:
    case DONE: break;
    case DRAINING:
        if (!drained(self)) break;
        if (self->children) supervisor_stop(self->children);
        self->stage = STOPPING_CHILDREN;
        break;
    case STOPPING_CHILDREN:
        if (!self->children || supervisor_idle(self->children)) begin_stage(self, DRAINING_AGAIN);
        break;
    case DRAINING_AGAIN:
        if (drained(self)) self->stage = DONE;
        break;
    }
}

static void run(daemon_loop *self) {
    while (self->stage != DONE) {
        wait_for_work(self);
        hear_signals(self);
        if (!closed(self)) take_in(self);
        store_and_fan_out(self);
        answer(self);
        step_towards_end(self);
    }
    if (self->problem[0]) logline("ending although %s; what is in the spools is kept", self->problem);
}

/* ---- opening and closing ---- */

static steno_status open_signals(int *out, steno_error *error) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    *out = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return *out < 0 ? steno_fail(error, STENO_SYSTEM, "cannot wait for signals: %s", strerror(errno)) : STENO_OK;
}

static steno_status open_all(daemon_loop *self, const config *settings, steno_error *error) {
    steno_status status = open_signals(&self->signal_fd, error);
    if (!status) status = store_open(self->where->log, settings->durability_full, &self->store, error);
    self->intake = calloc(1, sizeof *self->intake);
    self->context = zmq_ctx_new();
    if (!status && (!self->intake || !self->context)) status = steno_fail(error, STENO_NO_MEMORY, "no memory to start");
    if (!status) status = intake_open(self->intake, self->where->spool, self->store, error);
    if (!status) status = fanout_open(self->context, self->where->events_out, &self->fanout, error);
    if (!status) status = ingress_open(self->context, self->where->events_in, &self->ingress, error);
    if (!status) status = control_open(self->context, self->where->control, &self->control, error);
    if (!status && self->options->subscribers) status = supervisor_new(settings, self->where, &self->children, error);
    return status;
}

/* The sockets first, then ZeroMQ (which gives back what it still holds of theirs), then the rest. */
static void close_all(daemon_loop *self) {
    ingress_close(self->ingress);
    fanout_close(self->fanout);
    control_close(self->control);
    if (self->context) zmq_ctx_term(self->context);
    fanout_free(self->fanout);
    control_dispose(self->control);
    supervisor_free(self->children);
    if (self->intake) intake_close(self->intake);
    free(self->intake);
    store_close(self->store);
    if (self->signal_fd >= 0) close(self->signal_fd);
}

steno_status loop_run(const place *where, const config *settings, const loop_options *options, steno_error *error) {
    daemon_loop self = {.where = where, .options = options, .signal_fd = -1, .started = identity_now()};
    keep_journal(&self, settings);
    steno_status status = open_all(&self, settings, error);
    if (!status) {
        logline("stenod " STENO_BUILD_VERSION ", pid %d, at work in %s", (int)getpid(), where->state);
        note_configuration(&self, settings);
        run(&self);
        logline("ended with %llu events in the log", (unsigned long long)store_last_offset(self.store));
    }
    close_all(&self);
    return status;
}
