/* steno-plugin: runs hooks out of a shared object, beside the apps and live or over history. Invariant: an event counts as handled only after its hook
 * returned and what it printed is written; a plug-in that crashes takes only this process with it, and the event comes again.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "client/hooks.h" /* which are the same in an app: nothing of a client is used here */
#include "subscribers/program.h"
#include "subscribers/stop_signal.h"

#define SYMBOL "steno_plugin"
/* How long one try to look up a call's earlier stages takes, and the pause after a daemon that refused. Both are what a signal waits for. */
#define JOIN_MS 500
#define JOIN_PAUSE_MS 500

static const program PROGRAM = {
    .name = "steno-plugin",
    .synopsis = "[OPTION...] FILE.so [TOPIC...]",
    .about =
        "Runs the hooks that FILE.so defines as `const steno_hooks " SYMBOL "` for each event: the same that an app\n"
        "registers with steno_client_add_hooks.",
    .help = "  FILE.so              a shared object\n",
    .notes = "Without TOPIC: the events that it has a hook for. Hooks see the fields of a call's earlier stages "
             "through the\n"
             "later ones. An event may come twice after a crash, never not at all.\n",
    .arguments = 1,
};

typedef struct plugin {
    void *object;
    steno_hooks hooks;
    steno_subscriber *subscriber;
    bool waiting; /* said that the daemon does not answer */
    bool broken;
} plugin;

/* ---- loading ---- */

static bool load(plugin *self, const char *file) {
    char path[PATH_MAX];
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

static int on_event(const steno_event *event, void *ctx) {
    plugin *self = ctx;
    if (!join(self)) return 1;
    const steno_event_fn function = hooks_function(&self->hooks, steno_event_kind_of(event));
    if (!function) return 0;
    function(event, self->hooks.ctx);
    fflush(NULL);
    return 0;
}

int main(int argc, char **argv) {
    steno_subscriber_config config;
    const char *file;
    const int ended = program_parse(&PROGRAM, argc, argv, NULL, &config, &file);
    if (ended >= 0) return ended;

    plugin self = {0};
    char text[STENO_CUSTOM][STENO_TOPIC_BYTES];
    const char *topics[STENO_CUSTOM + 1];
    if (!load(&self, file)) return PROGRAM_FAILED;
    if (!list_topics(&self, text, topics)) {
        program_say(&PROGRAM, "%s: all hooks of `" SYMBOL "` are NULL", file);
        return PROGRAM_FAILED;
    }
    if (!config.topics) config.topics = topics;

    steno_error error;
    steno_status status = steno_subscriber_new(&config, &self.subscriber, &error);
    if (!status) {
        stop_signal_watch(self.subscriber);
        status = steno_subscriber_run(self.subscriber, on_event, &self, &error);
        stop_signal_watch(NULL);
    }
    steno_subscriber_free(self.subscriber);
    if (status == STENO_FAILED && !self.broken) status = STENO_OK; /* stopped by a signal in mid-event */
    if (status && !self.broken) program_say(&PROGRAM, "subscribing: %s", error.message);
    /* Not unloaded: its threads, if it has any, and functions for the end of the process may still run. */
    return status ? PROGRAM_FAILED : PROGRAM_FINE;
}
