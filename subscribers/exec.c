/* steno-exec: runs a command for each event, or one that reads them all. The command line; exec_each.c and exec_stream.c run commands.
 * Invariant: an event counts as handled only after the command succeeded on it, or was given up on as --on-error wants it.
 */
#include <string.h>
#include <sys/epoll.h>

#include "schema/clean.h"
#include "subscribers/exec_run.h"
#include "subscribers/stop_signal.h"

#define TIMEOUT_SECONDS_DEFAULT 60
#define TIMEOUT_SECONDS_MAX 86400
#define RETRIES_DEFAULT 3
#define RETRIES_MAX 1000
#define JOBS_MAX 256
/* Events beyond the oldest that is not done: what is done again at most after a crash. */
#define EACH_WINDOW 1000
#define EACH_BYTES (64u << 20)
#define STREAM_WINDOW 1000
#define STREAM_BYTES (4u << 20)
/* A stream's cursor follows what was read or acknowledged by so much. */
#define STREAM_COMMIT_MS 100

static bool take_option(int option, const char *value, void *own);

enum { OPTION_TIMEOUT = PROGRAM_OWN_OPTION, OPTION_RETRIES, OPTION_ON_ERROR, OPTION_JOBS, OPTION_STREAM, OPTION_ACK };

static const struct option OPTIONS[] = {
    {"jobs", required_argument, NULL, OPTION_JOBS},
    {"stream", no_argument, NULL, OPTION_STREAM},
    {"ack", no_argument, NULL, OPTION_ACK},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"retries", required_argument, NULL, OPTION_RETRIES},
    {"on-error", required_argument, NULL, OPTION_ON_ERROR},
    {NULL, 0, NULL, 0},
};

static const program PROGRAM = {
    .name = "steno-exec",
    .synopsis = "[OPTION...] [TOPIC...] -- COMMAND [ARG...]",
    .about = "Runs COMMAND once for each event, with the event's JSON on one line of stdin; with --stream one COMMAND\n"
             "that reads them all, a line each.",
    .help = "  --jobs N             run N commands at once (default: 1)\n"
            "  --stream             run one command that lives long; it is started again when it ends\n"
            "  --ack                and it answers each line that it is done with by its offset, on a line of stdout\n"
            "  --timeout SECONDS    end the command when it takes longer for an event; 0: never (default: 60)\n"
            "  --retries N          run a command that failed again, N times (default: 3)\n"
            "  --on-error WHAT      then: dead-letter (put the event aside and go on), skip it, or stop with\n"
            "                       status 1 (default: dead-letter)\n",
    .notes =
        "The command's environment has STENO_EVENT, STENO_CALL_ID, STENO_OFFSET, STENO_TOPIC, STENO_MODEL,\n"
        "STENO_PROVIDER and STENO_ATTEMPT. An event may come twice after a crash, never not at all; with --stream\n"
        "and without --ack, what the command had read when it crashed is lost to it.\n",
    .options = OPTIONS,
    .take_option = take_option,
    .nameless = true,
};

/* ---- the command line ---- */

static bool take_number(const char *option, const char *value, int64_t min, int64_t max, int64_t *out) {
    return program_number(value, min, max, out) ||
           program_complain_usage(&PROGRAM, "%s %s: give a number from %d to %d", option, value, (int)min, (int)max);
}

static bool take_on_error(const char *value, exec_on_error *out) {
    static const char *const NAMES[] = {"dead-letter", "skip", "stop"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (strcmp(value, NAMES[i]) != 0) continue;
        *out = (exec_on_error)i;
        return true;
    }
    return program_complain_usage(&PROGRAM, "--on-error %s: give dead-letter, skip or stop", value);
}

static bool take_option(int option, const char *value, void *own) {
    exec_options *out = own;
    int64_t number = 0;
    bool good = true;
    switch (option) {
    case OPTION_TIMEOUT:
        good = take_number("--timeout", value, 0, TIMEOUT_SECONDS_MAX, &number);
        out->timeout_ms = number * 1000;
        return good;
    case OPTION_RETRIES:
        good = take_number("--retries", value, 0, RETRIES_MAX, &number);
        out->retries = (unsigned)number;
        return good;
    case OPTION_JOBS:
        good = take_number("--jobs", value, 1, JOBS_MAX, &number);
        out->jobs = (unsigned)number;
        return good;
    case OPTION_STREAM: out->stream = true; return true;
    case OPTION_ACK: out->ack = true; return true;
    default: return take_on_error(value, &out->on_error);
    }
}

/* Topics and the command are told apart by the first "--", so the options' parser sees only what stands before it. */
static int parse(int argc, char **argv, exec_options *out, steno_subscriber_config *config) {
    int before = 1;
    while (before < argc && strcmp(argv[before], "--") != 0) before++;
    out->command = before < argc ? argv + before + 1 : argv + argc;
    argv[before] = NULL;
    const int ended = program_parse(&PROGRAM, before, argv, out, config, NULL);
    if (ended >= 0) return ended;
    bool good = true;
    if (!out->command[0])
        good = program_complain_usage(&PROGRAM, "no command: give one after --");
    else if (out->ack && !out->stream)
        good = program_complain_usage(&PROGRAM, "--ack is for --stream");
    else if (out->stream && out->jobs > 1)
        good = program_complain_usage(&PROGRAM, "--jobs %u: a --stream is one command", out->jobs);
    return good ? -1 : PROGRAM_USAGE;
}

/* ---- the run ---- */

static steno_status open_run(exec_run *self, steno_subscriber_config *config, steno_error *error) {
    const exec_options *options = self->options;
    config->manual = true;
    if (options->stream) {
        config->commit_events = STREAM_WINDOW;
        config->commit_ms = STREAM_COMMIT_MS;
    }
    self->named = config->name != NULL;
    self->wake = epoll_create1(EPOLL_CLOEXEC);
    self->flight =
        options->stream ? flight_new(STREAM_WINDOW, STREAM_BYTES) : flight_new(options->jobs + EACH_WINDOW, EACH_BYTES);
    if (self->wake < 0 || !self->flight) return steno_fail(error, STENO_NO_MEMORY, "no memory to begin");
    steno_status status = steno_subscriber_new(config, &self->subscriber, error);
    if (!status)
        status = dead_letter_open(config->dir, config->name ? config->name : PROGRAM.name, &self->letters, error);
    return status;
}

static void close_run(exec_run *self) {
    flight_free(self->flight);
    dead_letter_free(self->letters);
    steno_subscriber_free(self->subscriber);
    if (self->wake >= 0) close(self->wake);
}

int main(int argc, char **argv) {
    exec_options options = {.timeout_ms = TIMEOUT_SECONDS_DEFAULT * 1000, .retries = RETRIES_DEFAULT, .jobs = 1};
    steno_subscriber_config config;
    const int ended = parse(argc, argv, &options, &config);
    if (ended >= 0) return ended;
    exec_run run = {.options = &options, .program = &PROGRAM};
    steno_error error;
    if (open_run(&run, &config, &error)) {
        program_say(&PROGRAM, "%s", error.message);
        run.failed = true;
    } else {
        stop_signal_watch(run.subscriber);
        steno_subscriber_wake_on(run.subscriber, run.wake);
        health_begin(&run.health, &PROGRAM, run.subscriber, dead_letter_count(run.letters));
        (options.stream ? exec_stream : exec_each)(&run);
        stop_signal_watch(NULL);
        if (run.named) steno_subscriber_commit(run.subscriber, NULL);
    }
    if (run.skipped) program_say(&PROGRAM, "%llu events were skipped after failing", (unsigned long long)run.skipped);
    close_run(&run);
    return run.failed ? PROGRAM_FAILED : PROGRAM_FINE;
}
