/* steno-prometheus: counts calls and answers Prometheus. The main thread reads events and counts them (call_series.c); the HTTP server's thread asks the daemon how it
 * is (bus_metrics.c) and writes both. Invariant: a counter that was shown never goes down, but to 0 where its state was lost: the counts go on from
 * the state that was saved and the events after it, and are not shown before these have been read.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/control.h"
#include "schema/place.h"
#include "subscribers/bus_metrics.h"
#include "subscribers/call_series.h"
#include "subscribers/clock.h"
#include "subscribers/health.h"
#include "subscribers/metrics_server.h"
#include "subscribers/stop_signal.h"

#define LISTEN_DEFAULT "127.0.0.1:9469"
/* What a scrape, or the start, waits for the daemon at once. */
#define STATUS_TIMEOUT_MS 1000
/* The state is written so often, if anything was counted; a restart reads the events since then again. */
#define SAVE_MS 10000
#define LOOK_MS 500

enum { OPTION_LISTEN = PROGRAM_OWN_OPTION, OPTION_MODELS };

typedef struct options {
    listen_address listen;
    int64_t models;
} options;

static bool take_option(int option, const char *value, void *own);

static const char *const topics[] = {"success.", "failure.", NULL};
static const struct option own_options[] = {
    {"listen", required_argument, NULL, OPTION_LISTEN}, {"models", required_argument, NULL, OPTION_MODELS}, {0}};
static const program PROGRAM = {
    .name = "steno-prometheus",
    .synopsis = "[OPTION...] [TOPIC...]",
    .about = "Counts calls, errors, tokens, cost and times by model, and shows them and the daemon's own health\nto "
             "Prometheus, at http://" LISTEN_DEFAULT "/metrics.",
    .help = "  --listen ADDRESS     where to listen: 127.0.0.1:9469, [::1]:9469 or a port alone; 0 is any that is\n"
            "                       free (default: " LISTEN_DEFAULT ")\n"
            "  --models N           that have series of their own, 1 to 1000; calls of the rest are counted\n"
            "                       under \"other\" (default: 100)\n",
    .notes = "The counts go on where they were when it is started again: they are kept in NAME.metrics of the\n"
             "state folder.\n",
    .options = own_options,
    .take_option = take_option,
    .topics = topics,
};

typedef struct exporter {
    const char *name;
    char state[PLACE_PATH_BYTES + 128]; /* where the counts are kept */
    steno_control *control;             /* the server's thread's own */
    steno_draft *draft;                 /* the same */
    int64_t ask_at;                     /* the same: until then a daemon that did not answer is not asked again */
    pthread_mutex_t lock;               /* guards what follows: the main thread writes, the server's reads */
    call_series series;
    uint64_t missed;
    bool ready; /* all that had come before the start is counted */

    /* The main thread's own. */
    steno_prices *prices;
    health health;
    char save_problem[STENO_ERROR_MESSAGE_BYTES];
    bool kept;               /* there is a state, and it is of this log */
    uint64_t counted, saved; /* offsets */
    uint64_t target;         /* ready when so much is counted */
    uint64_t new_logs;
    int64_t save_at, look_at;
} exporter;

/* ---- a scrape ---- */

static steno_status ask(steno_control *control, steno_draft *draft, const char *verb, const char *name,
                        const steno_value **reply) {
    steno_error error;
    steno_draft_start(draft);
    steno_draft_string(draft, "verb", verb);
    if (name) steno_draft_string(draft, "name", name);
    return steno_control_call(control, draft, STATUS_TIMEOUT_MS, reply, &error);
}

static void put_self(const exporter *self, FILE *out) {
    metric_family(out, "steno_prometheus_ready", "gauge",
                  "0 while the events from before the start of steno-prometheus are not all counted: counts of calls "
                  "are not shown until then.");
    metric_count(out, "steno_prometheus_ready", NULL, self->ready);
    metric_family(out, "steno_prometheus_missed_events_total", "counter",
                  "Events that had left the journal before steno-prometheus came for them, since it was started.");
    metric_count(out, "steno_prometheus_missed_events_total", NULL, self->missed);
}

static void put_metrics(FILE *out, void *ctx) {
    exporter *self = ctx;
    const steno_value *status = NULL;
    if (clock_until(self->ask_at) == 0 && ask(self->control, self->draft, "status", NULL, &status)) {
        status = NULL;
        self->ask_at =
            clock_after(STATUS_TIMEOUT_MS); /* scrapes come one after the other: they need not wait each for itself */
    }
    bus_metrics_put(status, out);
    pthread_mutex_lock(&self->lock);
    put_self(self, out);
    if (self->ready) call_series_put(&self->series, out);
    pthread_mutex_unlock(&self->lock);
}

/* ---- counting ---- */

static void save(exporter *self) {
    steno_error error;
    self->save_at = clock_after(SAVE_MS);
    const bool failed = call_series_save(&self->series, self->counted, self->state, &error);
    snprintf(self->save_problem, sizeof self->save_problem, "%s", failed ? error.message : "");
    if (failed) return;
    self->saved = self->counted;
    self->kept = true;
}

/* What people should know of is told, to the daemon too. */
static void look_around(exporter *self) {
    steno_error problem;
    self->look_at = clock_after(LOOK_MS);
    steno_prices_refresh(self->prices);
    if (self->save_problem[0])
        health_problem(&self->health, self->save_problem); /* a restart would count on from the state before */
    else if (steno_prices_problem(self->prices, &problem))
        health_problem(&self->health, problem.message); /* prices stay as they were */
    else
        health_well(&self->health);
    health_repeat(&self->health);
}

/* Counts the event in hand (NULL: none has come), unless it was counted before: somebody may have moved the cursor back. */
static void count(exporter *self, steno_subscriber *subscriber, const steno_event *event) {
    steno_subscriber_counts counts = {.size = sizeof counts};
    steno_subscriber_get_counts(subscriber, &counts);
    if (counts.new_logs != self->new_logs) { /* the offsets begin anew, the counts go on */
        self->new_logs = counts.new_logs;
        self->counted = self->target = 0;
        save(self);
    }
    const uint64_t offset = steno_subscriber_offset(subscriber);
    pthread_mutex_lock(&self->lock);
    if (event && offset > self->counted) call_series_add(&self->series, event, self->prices);
    if (offset > self->counted) self->counted = offset;
    if (offset >= self->target) self->ready = true;
    self->missed = counts.missed;
    pthread_mutex_unlock(&self->lock);
}

static steno_status follow(exporter *self, steno_subscriber *subscriber, steno_error *error) {
    self->save_at = clock_after(SAVE_MS);
    for (;;) {
        const steno_event *event;
        const steno_status status = steno_subscriber_next(subscriber, LOOK_MS, &event, error);
        if (status && status != STENO_TIMEOUT) return status;
        count(self, subscriber, event);
        if (clock_until(self->look_at) == 0) look_around(self);
        if (clock_until(self->save_at) == 0 && self->saved != self->counted) save(self);
    }
}

/* ---- the start ---- */

/* Two with one name would each take the other's cursor for moved. Held until the process ends. */
static steno_status take_name(const exporter *self, steno_error *error) {
    char path[sizeof self->state + 8];
    snprintf(path, sizeof path, "%s.lock", self->state);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return steno_fail(error, STENO_SYSTEM, "cannot open %s: %s", path, strerror(errno));
    if (!flock(fd, LOCK_EX | LOCK_NB)) return STENO_OK;
    close(fd);
    return steno_fail(error, STENO_BUSY, "another steno-prometheus runs as %s: give this one another --name",
                      self->name);
}

/* The counts of last time. A file that is damaged is left out: then they begin with 0 again, at the cursor. */
static steno_status load(exporter *self, size_t models, steno_error *error) {
    const steno_status status = call_series_load(&self->series, models, &self->counted, self->state, error);
    if (status == STENO_NO_MEMORY) return status;
    if (status && status != STENO_NOT_FOUND) program_say(&PROGRAM, "the counts begin with 0: %s", error->message);
    self->kept = !status;
    self->saved = self->counted;
    return STENO_OK;
}

/* Asks until the daemon answers: is there a cursor of this name, and which is the last offset? False: a signal came. */
static bool ask_for_place(exporter *self, steno_control *control, steno_draft *draft, bool *known) {
    const steno_value *reply;
    for (;;) {
        if (!ask(control, draft, "cursor", self->name, &reply)) {
            *known = steno_value_bool(steno_value_get(reply, "exists"), false);
            if (!ask(control, draft, "status", NULL, &reply)) {
                self->target = (uint64_t)steno_value_int(steno_value_get(reply, "last_offset"), 0);
                return true;
            }
        }
        if (stop_signal_wait(LOOK_MS)) return false;
    }
}

/* Where reading begins: after what is counted already, if that was counted from this log, which then has our cursor; else as without a state, on
 * top of the counts. STENO_END: a signal came.
 */
static steno_status find_place(exporter *self, steno_subscriber_config *config, steno_error *error) {
    steno_control *control = NULL;
    steno_draft *draft = steno_draft_new();
    bool known = false;
    steno_status status =
        draft ? steno_control_new(config->dir, &control, error) : steno_fail(error, STENO_NO_MEMORY, "no memory");
    if (!status && !ask_for_place(self, control, draft, &known)) status = STENO_END;
    if (!known || self->counted > self->target) self->kept = false;
    if (self->kept) {
        config->from_set = true;
        config->from = self->counted ? (int64_t)self->counted + 1 : STENO_FROM_BEGINNING;
    }
    steno_control_free(control);
    steno_draft_free(draft);
    return status;
}

/* Before anything is shown there is a state that leads to it: a restart goes on from there. Then the cursor: whoever finds it finds the state of its log, too. */
static steno_status begin(exporter *self, steno_subscriber *subscriber, steno_error *error) {
    const steno_status status = steno_subscriber_connect(subscriber, error);
    if (status) return status;
    self->counted = steno_subscriber_offset(subscriber);
    if (!self->kept) save(self);
    steno_subscriber_commit(subscriber, NULL);
    return STENO_OK;
}

static steno_status work(exporter *self, steno_subscriber_config *config, steno_error *error) {
    steno_subscriber *subscriber = NULL;
    steno_status status = find_place(self, config, error);
    if (!status) status = steno_subscriber_new(config, &subscriber, error);
    if (!status) {
        stop_signal_watch(subscriber);
        health_begin(&self->health, &PROGRAM, subscriber, 0);
        status = begin(self, subscriber, error);
        if (!status) status = follow(self, subscriber, error);
        stop_signal_watch(NULL);
        if (self->kept && self->saved != self->counted) save(self);
        if (self->kept) steno_subscriber_commit(subscriber, NULL);
    }
    steno_subscriber_free(subscriber);
    return status == STENO_END ? STENO_OK : status;
}

static steno_status open_all(exporter *self, const options *asked, const char *dir, metrics_server **server,
                             steno_error *error) {
    place where;
    steno_status status = place_open(&where, dir, error);
    if (status) return status;
    snprintf(self->state, sizeof self->state, "%s/%s.metrics", where.state, self->name);
    status = take_name(self, error);
    if (!status) status = load(self, (size_t)asked->models, error);
    if (!status) status = steno_prices_open(dir, &self->prices, error);
    if (!status) status = steno_control_new(dir, &self->control, error);
    self->draft = steno_draft_new();
    if (!status && !self->draft) status = steno_fail(error, STENO_NO_MEMORY, "no memory");
    if (!status) status = metrics_server_start(&asked->listen, put_metrics, self, server, error);
    return status;
}

static void close_all(exporter *self, metrics_server *server) {
    metrics_server_stop(server);
    steno_control_free(self->control);
    steno_draft_free(self->draft);
    steno_prices_free(self->prices);
    call_series_free(&self->series);
}

static bool take_option(int option, const char *value, void *own) {
    options *out = own;
    steno_error error;
    if (option == OPTION_MODELS)
        return program_number(value, 1, CALL_SERIES_MAX, &out->models) ||
               program_complain_usage(&PROGRAM, "--models %s: give a number from 1 to %d", value, CALL_SERIES_MAX);
    return !listen_address_parse(value, &out->listen, &error) ||
           program_complain_usage(&PROGRAM, "--listen %s", error.message);
}

int main(int argc, char **argv) {
    options asked = {.models = CALL_SERIES_DEFAULT};
    steno_error error;
    if (listen_address_parse(LISTEN_DEFAULT, &asked.listen, &error)) return PROGRAM_FAILED;
    steno_subscriber_config config;
    const int ended = program_parse(&PROGRAM, argc, argv, &asked, &config, NULL);
    if (ended >= 0) return ended;
    if (!control_name_valid(config.name)) {
        program_complain_usage(&PROGRAM, "--name %.80s: 1 to 64 of A-Z a-z 0-9 _ . -", config.name);
        return PROGRAM_USAGE;
    }
    umask(077);
    static exporter self = {.lock = PTHREAD_MUTEX_INITIALIZER};
    self.name = config.name;
    metrics_server *server = NULL;
    steno_status status = open_all(&self, &asked, config.dir, &server, &error);
    if (!status) {
        program_say(&PROGRAM, "metrics on port %u, path /metrics", metrics_server_port(server));
        if (!listen_address_is_loopback(&asked.listen))
            program_say(&PROGRAM, "other machines can reach it: whoever does reads which models are called, how often, "
                                  "and what they cost");
        status = work(&self, &config, &error);
    }
    close_all(&self, server);
    if (status) program_say(&PROGRAM, "%s", error.message);
    return status ? PROGRAM_FAILED : PROGRAM_FINE;
}
