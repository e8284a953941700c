/* steno-plugin: runs hooks out of a shared object, beside the apps and live or over history. Invariant: an event counts as handled only after its hook
 * returned and what it printed is written, or after it was put aside because too many lives in a row ended on it; a plug-in that crashes takes only this
 * process with it, and the event comes again.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "client/hooks.h" /* which are the same in an app: nothing of a client is used here */
#include "subscribers/crash_note.h"
#include "subscribers/dead_letter.h"
#include "subscribers/health.h"
#include "subscribers/hook_watch.h"
#include "subscribers/program.h"
#include "subscribers/stop_signal.h"

#define SYMBOL "steno_plugin"
/* How long one try to look up a call's earlier stages takes, and the pause after a daemon that refused. Both are what a signal waits for. */
#define JOIN_MS 500
#define JOIN_PAUSE_MS 500
/* The longest wait in the loop. */
#define TURN_MS 1000
/* Between two tries to put an event aside: the disk is full. */
#define BURY_PAUSE_MS 1000
#define RETRIES_DEFAULT 3
#define RETRIES_MAX 1000

static bool take_option(int option, const char *value, void *own);

enum { OPTION_RETRIES = PROGRAM_OWN_OPTION };

static const struct option OPTIONS[] = {
    {"retries", required_argument, NULL, OPTION_RETRIES},
    {NULL, 0, NULL, 0},
};

static const program PROGRAM = {
    .name = "steno-plugin",
    .synopsis = "[OPTION...] FILE.so [TOPIC...]",
    .about =
        "Runs the hooks that FILE.so defines as `const steno_hooks " SYMBOL "` for each event: the same that an app\n"
        "registers with steno_client_add_hooks.",
    .help =
        "  FILE.so              a shared object\n"
        "  --retries N          hand an event on which a hook crashed out again, N times, then put it aside in the\n"
        "                       dead letters and go on (default: 3)\n",
    .notes = "Without TOPIC: the events that it has a hook for. Hooks see the fields of a call's earlier stages "
             "through the\n"
             "later ones. An event may come twice after a crash, never not at all.\n",
    .options = OPTIONS,
    .take_option = take_option,
    .arguments = 1,
};

typedef struct plugin {
    void *object;
    steno_hooks hooks;
    int64_t retries;
    steno_subscriber *subscriber;
    crash_note *note;
    dead_letter *letters;
    health health;
    bool waiting; /* said that the daemon does not answer */
    bool broken;
} plugin;

static bool take_option(int option, const char *value, void *own) {
    plugin *self = own;
    (void)option; /* there is one */
    return program_number(value, 0, RETRIES_MAX, &self->retries) ||
           program_complain_usage(&PROGRAM, "--retries %s: give a number from 0 to %d", value, RETRIES_MAX);
}

/* ---- loading ---- */

/* *stamp tells this build of it from another. */
static bool load(plugin *self, const char *file, int64_t *stamp) {
    char path[PATH_MAX];
    struct stat built;
    /* A name without a slash would be looked for among the system's libraries. */
    if ((size_t)snprintf(path, sizeof path, "%s%s", strchr(file, '/') ? "" : "./", file) >= sizeof path) {
        program_say(&PROGRAM, "the name of the file is longer than %d bytes", PATH_MAX);
        return false;
    }
    self->object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!self->object) {
        program_say(&PROGRAM, "cannot load %s: %s", file, dlerror());
        return false;
    }
    *stamp = stat(path, &built) ? 0 : built.st_mtim.tv_sec * INT64_C(1000000000) + built.st_mtim.tv_nsec;
    const steno_hooks *hooks = dlsym(self->object, SYMBOL);
    if (!hooks) {
        program_say(&PROGRAM,
                    "%s has no `" SYMBOL "`: define `const steno_hooks " SYMBOL " = {STENO_HOOKS_INIT, …};` in it",
                    file);
        return false;
    }
    steno_error error;
    if (!hooks_take(hooks, &self->hooks, &error)) return true;
    program_say(&PROGRAM, "%s: `" SYMBOL "`: %s", file, error.message);
    return false;
}

/* Fills `topics` with those of its hooks. False: it has none. */
static bool list_topics(const plugin *self, char text[][STENO_TOPIC_BYTES], const char *topics[STENO_CUSTOM + 1]) {
    size_t count = 0;
    for (unsigned kind = 0; kind < STENO_CUSTOM; kind++) {
        if (!hooks_function(&self->hooks, (steno_event_kind)kind)) continue;
        snprintf(text[count], STENO_TOPIC_BYTES, "%s.", steno_event_kind_name((steno_event_kind)kind));
        topics[count] = text[count];
        count++;
    }
    topics[count] = NULL;
    return count > 0;
}

/* ---- running ---- */

/* Joins the event in hand to its call's earlier stages, however long the daemon is away. False: told to stop, or it can't be. */
static bool join(plugin *self) {
    steno_error error;
    steno_status status;
    while ((status = steno_subscriber_join(self->subscriber, JOIN_MS, &error))) {
        if (stop_signal_count() > 0) return false;
        self->broken = status != STENO_TIMEOUT && status != STENO_FAILED;
        if (!self->waiting) program_say(&PROGRAM, "looking up a call's earlier stages: %s", error.message);
        self->waiting = true;
        if (self->broken) return false;
        if (status == STENO_FAILED && stop_signal_wait(JOIN_PAUSE_MS)) return false;
    }
    self->waiting = false;
    return true;
}

/* The event is put aside, as soon as there is room for it. False: told to stop before. */
static bool bury(plugin *self, const steno_event *event, const char *why) {
    steno_error error;
    while (dead_letter_add(self->letters, event, why, &error)) {
        health_problem(&self->health, error.message);
        if (stop_signal_wait(BURY_PAUSE_MS)) return false;
    }
    crash_note_clear(self->note);
    const uint64_t count = dead_letter_count(self->letters);
    program_say(&PROGRAM, "event %" PRIu64 " is put aside in %s, which has %" PRIu64 ": %s", steno_event_offset(event),
                dead_letter_path(self->letters), count, why);
    health_well(&self->health);
    health_dead_letters(&self->health, count);
    return true;
}

/* Lives before this one ended on this event. True: it may be tried again. */
static bool suspect(plugin *self, const steno_event *event, uint64_t deaths, char why[160]) {
    char told[240];
    snprintf(why, 160, "steno-plugin ended %" PRIu64 " time%s in a row while its hook had it in hand", deaths,
             deaths == 1 ? "" : "s");
    /* What was handled before it does not come again if it ends on it again. */
    steno_subscriber_commit(self->subscriber, NULL);
    if (deaths > (uint64_t)self->retries) return false;
    snprintf(told, sizeof told, "event %" PRIu64 ": %s; it is tried again (%" PRIu64 " of %" PRId64 ")",
             steno_event_offset(event), why, deaths, self->retries);
    health_problem(&self->health, told);
    return true;
}

/* False: it stays unhandled. */
static bool hand_over(plugin *self, const steno_event *event) {
    if (!join(self)) return false;
    const steno_event_fn function = hooks_function(&self->hooks, steno_event_kind_of(event));
    if (!function) return true;
    const uint64_t offset = steno_event_offset(event), deaths = crash_note_deaths(self->note, offset);
    char why[160];
    if (deaths && !suspect(self, event, deaths, why)) return bury(self, event, why);
    crash_note_begin(self->note, offset);
    hook_watch_begin(offset);
    function(event, self->hooks.ctx);
    fflush(NULL);
    hook_watch_end();
    crash_note_end(self->note);
    if (deaths) health_well(&self->health);
    return true;
}

static steno_status open_all(plugin *self, const steno_subscriber_config *config, int64_t stamp, steno_error *error) {
    steno_status status = steno_subscriber_new(config, &self->subscriber, error);
    if (!status) status = dead_letter_open(config->dir, config->name, &self->letters, error);
    return status ? status : crash_note_open(config->dir, config->name, stamp, &self->note, error);
}

/* Until a signal, or something is broken. */
static steno_status run(plugin *self, steno_error *error) {
    const steno_event *event;
    steno_status status;
    health_begin(&self->health, &PROGRAM, self->subscriber, dead_letter_count(self->letters));
    while (!(status = steno_subscriber_next(self->subscriber, TURN_MS, &event, error)) || status == STENO_TIMEOUT) {
        if (event && !hand_over(self, event)) break;
        health_repeat(&self->health);
    }
    steno_subscriber_commit(self->subscriber, NULL);
    return status == STENO_END || status == STENO_TIMEOUT ? STENO_OK : status;
}

int main(int argc, char **argv) {
    plugin self = {.retries = RETRIES_DEFAULT};
    steno_subscriber_config config;
    const char *file;
    const int ended = program_parse(&PROGRAM, argc, argv, &self, &config, &file);
    if (ended >= 0) return ended;

    char text[STENO_CUSTOM][STENO_TOPIC_BYTES];
    const char *topics[STENO_CUSTOM + 1];
    int64_t stamp;
    if (!load(&self, file, &stamp)) return PROGRAM_FAILED;
    if (!list_topics(&self, text, topics)) {
        program_say(&PROGRAM, "%s: all hooks of `" SYMBOL "` are NULL", file);
        return PROGRAM_FAILED;
    }
    if (!config.topics) config.topics = topics;

    steno_error error;
    steno_status status = open_all(&self, &config, stamp, &error);
    if (!status) {
        hook_watch_start(&PROGRAM);
        stop_signal_watch(self.subscriber);
        status = run(&self, &error);
        stop_signal_watch(NULL);
    }
    if (status) program_say(&PROGRAM, "subscribing: %s", error.message);
    crash_note_free(self.note);
    dead_letter_free(self.letters);
    steno_subscriber_free(self.subscriber);
    /* Not unloaded: its threads, if it has any, and functions for the end of the process may still run. */
    return status || self.broken ? PROGRAM_FAILED : PROGRAM_FINE;
}
