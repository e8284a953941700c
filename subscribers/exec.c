/* steno-exec: runs a command for each event. Decides when to run it, again or not at all; exec_command.c runs it.
 * Invariant: an event counts as handled only after the command succeeded on it, or was given up on and counted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "schema/clean.h"
#include "subscribers/clock.h"
#include "subscribers/exec_command.h"
#include "subscribers/program.h"
#include "subscribers/stop_signal.h"

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

typedef struct exec_options {
    steno_subscriber_config subscriber;
    int64_t timeout_ms;
    unsigned retries;
    bool stop_on_error;
    char **command; /* argv of the command */
} exec_options;

typedef struct exec_run {
    const exec_options *options;
    const program *program;
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
    program_say(self->program, "event %" PRIu64 " (%s%s%s): %s %s; %s", steno_event_offset(event),
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

/* ---- the command line ---- */

enum { OPTION_TIMEOUT = PROGRAM_OWN_OPTION, OPTION_RETRIES, OPTION_ON_ERROR };

static const struct option OPTIONS[] = {
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"retries", required_argument, NULL, OPTION_RETRIES},
    {"on-error", required_argument, NULL, OPTION_ON_ERROR},
    {NULL, 0, NULL, 0},
};

static bool take_option(int option, const char *value, void *own);

static const program PROGRAM = {
    .name = "steno-exec",
    .synopsis = "[OPTION...] [TOPIC...] -- COMMAND [ARG...]",
    .about = "Runs COMMAND once for each event, with the event's JSON on one line of stdin.",
    .help = "  --timeout SECONDS    end the command after this long; 0: never (default: 60)\n"
            "  --retries N          run a command that failed again, N times (default: 3)\n"
            "  --on-error WHAT      then: skip the event and go on, or stop with status 1 (default: skip)\n",
    .notes = "The command's environment has STENO_EVENT, STENO_CALL_ID, STENO_OFFSET, STENO_TOPIC, STENO_MODEL,\n"
             "STENO_PROVIDER and STENO_ATTEMPT. An event may come twice after a crash, never not at all.\n",
    .options = OPTIONS,
    .take_option = take_option,
    .nameless = true,
};

static bool take_option(int option, const char *value, void *own) {
    exec_options *out = own;
    int64_t number;
    switch (option) {
    case OPTION_TIMEOUT:
        if (!program_number(value, 0, TIMEOUT_SECONDS_MAX, &number))
            return program_complain_usage(&PROGRAM, "--timeout %s: give seconds from 0 to 86400", value);
        out->timeout_ms = number * 1000;
        return true;
    case OPTION_RETRIES:
        if (!program_number(value, 0, RETRIES_MAX, &number))
            return program_complain_usage(&PROGRAM, "--retries %s: give a number from 0 to 1000", value);
        out->retries = (unsigned)number;
        return true;
    default:
        if (strcmp(value, "skip") && strcmp(value, "stop"))
            return program_complain_usage(&PROGRAM, "--on-error %s: give skip or stop", value);
        out->stop_on_error = !strcmp(value, "stop");
        return true;
    }
}

/* Topics and the command are told apart by the first "--", so the options' parser sees only what stands before it. */
static int parse(int argc, char **argv, exec_options *out) {
    int before = 1;
    while (before < argc && strcmp(argv[before], "--")) before++;
    out->command = before < argc ? argv + before + 1 : argv + argc;
    argv[before] = NULL;
    const int ended = program_parse(&PROGRAM, before, argv, out, &out->subscriber, NULL);
    if (ended >= 0) return ended;
    if (out->command[0]) return -1;
    program_complain_usage(&PROGRAM, "no command: give one after --");
    return PROGRAM_USAGE;
}

int main(int argc, char **argv) {
    exec_options options = {.timeout_ms = TIMEOUT_SECONDS_DEFAULT * 1000, .retries = RETRIES_DEFAULT};
    const int ended = parse(argc, argv, &options);
    if (ended >= 0) return ended;
    options.subscriber.commit_events = COMMIT_EVENTS;

    steno_error error;
    steno_subscriber *subscriber = NULL;
    exec_run run = {.options = &options, .program = &PROGRAM};
    steno_status status = steno_subscriber_new(&options.subscriber, &subscriber, &error);
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
        program_say(&PROGRAM, "subscribing: %s", error.message);
    if (run.skipped) program_say(&PROGRAM, "%" PRIu64 " events were skipped after failing", run.skipped);
    return status ? PROGRAM_FAILED : PROGRAM_FINE;
}
