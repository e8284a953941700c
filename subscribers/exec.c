/* steno-exec: runs a command for each event. Decides when to run it, again or not at all; exec_command.c runs it.
 * Invariant: an event counts as handled only after the command succeeded on it, or was given up on and counted.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "schema/clean.h"
#include "schema/descriptors.h"
#include "subscribers/clock.h"
#include "subscribers/exec_command.h"
#include "subscribers/stop_signal.h"

#define PROGRAM "steno-exec"
#define TIMEOUT_SECONDS_DEFAULT 60
#define TIMEOUT_SECONDS_MAX 86400
#define RETRIES_DEFAULT 3
#define RETRIES_MAX 1000
/* The wait before the first repetition; it doubles each time, up to the limit. */
#define BACKOFF_MS 500
#define BACKOFF_MAX_MS 30000
/* The cursor is stored before each next event, not in passing: a command's effects are worth more than the round trip, so that
 * one event at most comes again after a crash. While the daemon is away, that is tried only so often: its events are in hand.
 */
#define COMMIT_EVENTS 1
#define COMMIT_RETRY_MS 30000

static const char USAGE[] =
    "usage: steno-exec [--name NAME] [--from beginning|now|OFFSET] [--timeout SECONDS] [--retries N]\n"
    "                  [--on-error skip|stop] [--dir DIR] [TOPIC...] -- COMMAND [ARG...]\n";

static const char HELP[] =
    "Runs COMMAND once for each event, with the event's JSON on one line of stdin.\n"
    "\n"
    "  TOPIC                prefix of the events wanted, e.g. failure. or success.openai. (default: all)\n"
    "  --name NAME          keep a cursor under this name: nothing is missed while steno-exec is away\n"
    "  --from WHERE         beginning, now, or the first offset wanted, while there is no cursor yet\n"
    "                       (default: beginning with --name, else now)\n"
    "  --timeout SECONDS    end the command after this long; 0: never (default: 60)\n"
    "  --retries N          run a command that failed again, N times (default: 3)\n"
    "  --on-error WHAT      then: skip the event and go on, or stop with status 1 (default: skip)\n"
    "  --dir DIR            the Steno folder (default: $STENO_DIR, else the XDG folders)\n"
    "  --help, --version\n"
    "\n"
    "The command's environment has STENO_EVENT, STENO_CALL_ID, STENO_OFFSET, STENO_TOPIC, STENO_MODEL,\n"
    "STENO_PROVIDER and STENO_ATTEMPT. An event may come twice after a crash, never not at all.\n";

typedef struct exec_options {
    steno_subscriber_config subscriber;
    int64_t timeout_ms;
    unsigned retries;
    bool stop_on_error;
    char **command; /* argv of the command */
} exec_options;

typedef struct exec_run {
    const exec_options *options;
    steno_subscriber *subscriber;
    int64_t commit_at; /* not earlier */
    uint64_t skipped;
    bool gave_up;
} exec_run;

/* ---- one event ---- */

static void describe(const command_result *result, const exec_options *options, char *out, size_t size) {
    switch (result->end) {
    case COMMAND_EXITED: snprintf(out, size, "exited %d", result->code); break;
    case COMMAND_SIGNALLED:
        snprintf(out, size, "was killed by signal %d (%s)", result->code, strsignal(result->code));
        break;
    case COMMAND_TIMED_OUT:
        snprintf(out, size, "took longer than %" PRId64 " s and was killed", options->timeout_ms / 1000);
        break;
    case COMMAND_INTERRUPTED: snprintf(out, size, "was killed because steno-exec was told twice to stop"); break;
    case COMMAND_NOT_RUN:
    case COMMAND_NOT_FOUND: snprintf(out, size, "could not be run: %s", strerror(result->code)); break;
    }
}

static void report(const exec_run *self, const steno_event *event, const command_result *result, const char *next) {
    char what[160];
    describe(result, self->options, what, sizeof what);
    const char *call_id = steno_event_string(event, "call_id");
    fprintf(stderr, PROGRAM ": event %" PRIu64 " (%s%s%s): %s %s; %s\n", steno_event_offset(event),
            steno_event_name(event), call_id ? " of call " : "", call_id ? call_id : "", self->options->command[0],
            what, next);
}

/* What to do about a command that failed for the `attempt`-th time. True: run it again, after a wait. */
static bool try_again(const exec_run *self, const steno_event *event, const command_result *result, unsigned attempt) {
    if (result->end == COMMAND_NOT_FOUND || result->end == COMMAND_INTERRUPTED || attempt > self->options->retries)
        return false;
    const unsigned doublings = attempt < 8 ? attempt - 1 : 7;
    const int wait_ms = (BACKOFF_MS << doublings) < BACKOFF_MAX_MS ? BACKOFF_MS << doublings : BACKOFF_MAX_MS;
    char next[64];
    snprintf(next, sizeof next, "again in %.1f s (%u of %u)", wait_ms / 1000.0, attempt, self->options->retries);
    report(self, event, result, next);
    return !stop_signal_wait(wait_ms);
}

/* Stores the cursor up to the event before this one. */
static void store_cursor(exec_run *self) {
    if (!self->options->subscriber.name || clock_until(self->commit_at) > 0) return;
    if (steno_subscriber_commit(self->subscriber, NULL)) self->commit_at = clock_after(COMMIT_RETRY_MS);
}

static int on_event(const steno_event *event, void *ctx) {
    exec_run *self = ctx;
    store_cursor(self);
    unsigned attempt = 1;
    command_result result;
    do {
        result = command_run(self->options->command, event, attempt, self->options->timeout_ms);
        if (result.end == COMMAND_EXITED && result.code == 0) return 0;
    } while (try_again(self, event, &result, attempt++));
    const bool tried_enough = attempt > self->options->retries + 1 && result.end != COMMAND_INTERRUPTED;
    if (!tried_enough && stop_signal_count() > 0) {
        report(self, event, &result, "stopping; the event stays unhandled");
        return 1;
    }
    if (result.end == COMMAND_NOT_FOUND || self->options->stop_on_error) {
        report(self, event, &result, "giving up");
        self->gave_up = true;
        return 1;
    }
    self->skipped++;
    char next[64];
    snprintf(next, sizeof next, "skipped (%" PRIu64 " so far)", self->skipped);
    report(self, event, &result, next);
    return 0;
}

static void on_missed(uint64_t first, uint64_t last, void *ctx) {
    (void)ctx;
    fprintf(stderr,
            PROGRAM ": events %" PRIu64 " to %" PRIu64
                    " are gone: the journal no longer has them; going on with the next\n",
            first, last);
}

/* ---- the command line ---- */

static bool usage_error(const char *what, const char *value) {
    fprintf(stderr, PROGRAM ": %s: %s\n%s", what, value, USAGE);
    return false;
}

static bool parse_number(const char *text, long long max, long long *out) {
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno && *out <= max;
}

static bool parse_from(const char *text, int64_t *from) {
    long long offset;
    if (!strcmp(text, "beginning"))
        *from = STENO_FROM_BEGINNING;
    else if (!strcmp(text, "now"))
        *from = STENO_FROM_NOW;
    else if (parse_number(text, INT64_MAX, &offset) && offset > 0)
        *from = offset;
    else
        return usage_error("--from is beginning, now or an offset from 1 on", text);
    return true;
}

static bool parse_option(int option, exec_options *out) {
    long long number;
    switch (option) {
    case 'n': out->subscriber.name = optarg; return true;
    case 'd': out->subscriber.dir = optarg; return true;
    case 'f': return parse_from(optarg, &out->subscriber.from);
    case 't':
        if (!parse_number(optarg, TIMEOUT_SECONDS_MAX, &number))
            return usage_error("--timeout is a number of seconds from 0 to 86400", optarg);
        out->timeout_ms = number * 1000;
        return true;
    case 'r':
        if (!parse_number(optarg, RETRIES_MAX, &number))
            return usage_error("--retries is a number from 0 to 1000", optarg);
        out->retries = (unsigned)number;
        return true;
    case 'e':
        if (strcmp(optarg, "skip") && strcmp(optarg, "stop")) return usage_error("--on-error is skip or stop", optarg);
        out->stop_on_error = !strcmp(optarg, "stop");
        return true;
    default: fputs(USAGE, stderr); return false; /* getopt has said which */
    }
}

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, exec_options *out) {
    static const struct option names[] = {
        {"name", required_argument, NULL, 'n'},
        {"from", required_argument, NULL, 'f'},
        {"timeout", required_argument, NULL, 't'},
        {"retries", required_argument, NULL, 'r'},
        {"on-error", required_argument, NULL, 'e'},
        {"dir", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    /* Topics and the command are told apart by the first "--", so getopt sees only what stands before it. */
    int before = 1;
    while (before < argc && strcmp(argv[before], "--")) before++;
    out->command = before < argc ? argv + before + 1 : argv + argc;
    argv[before] = NULL;
    int option;
    while ((option = getopt_long(before, argv, "", names, NULL)) != -1) {
        if (option == 'h') return printf("%s%s", USAGE, HELP) < 0;
        if (option == 'v') return puts(PROGRAM " " STENO_BUILD_VERSION) < 0;
        if (!parse_option(option, out)) return 2;
    }
    if (!out->command[0]) {
        usage_error("no command", "give one after --");
        return 2;
    }
    out->subscriber.topics = (const char *const *)(argv + optind);
    return -1;
}

int main(int argc, char **argv) {
    exec_options options = {.subscriber = STENO_SUBSCRIBER_CONFIG_INIT,
                            .timeout_ms = TIMEOUT_SECONDS_DEFAULT * 1000,
                            .retries = RETRIES_DEFAULT};
    descriptors_hold();
    const int ended = parse(argc, argv, &options);
    if (ended >= 0) return ended;
    options.subscriber.commit_events = COMMIT_EVENTS;
    options.subscriber.connect_timeout_ms = -1;
    options.subscriber.on_missed = on_missed;
    /* The command's own steno programs look into the same folder. */
    if (options.subscriber.dir) setenv("STENO_DIR", options.subscriber.dir, 1);

    steno_error error;
    steno_subscriber *subscriber = NULL;
    exec_run run = {.options = &options};
    steno_status status = stop_signal_install(&error);
    if (!status) status = steno_subscriber_new(&options.subscriber, &subscriber, &error);
    if (!status) {
        stop_signal_watch(subscriber);
        run.subscriber = subscriber;
        status = steno_subscriber_run(subscriber, on_event, &run, &error);
        stop_signal_watch(NULL);
    }
    steno_subscriber_free(subscriber);
    if (status == STENO_FAILED && !run.gave_up)
        status = STENO_OK; /* stopped by a signal in mid-event */
    else if (status && status != STENO_FAILED)
        fprintf(stderr, PROGRAM ": subscribing: %s\n", error.message);
    if (run.skipped) fprintf(stderr, PROGRAM ": %" PRIu64 " events were skipped after failing\n", run.skipped);
    return status ? 1 : 0;
}
