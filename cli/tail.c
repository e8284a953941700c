/* steno tail: events as they are stored, one line each, until interrupted. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "cli/call_id.h"
#include "cli/event_line.h"
#include "cli/format.h"
#include "cli/from.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "schema/clean.h"
#include "schema/json.h"
#include "subscribers/steno_subscriber.h"

struct tail {
    const char *from;
    bool json;
};

static const option_spec options[] = {
    {'f', "from", "beginning|now|OFFSET", OPTION_TEXT, offsetof(struct tail, from), 0, "where to begin (now)"},
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct tail, json), 0,
     "JSON lines: one object an event, with its `offset`"},
};

static const command self = {
    .name = "tail",
    .about = "Watches events as they are stored, until interrupted",
    .arguments = "[TOPIC...]",
    .arguments_max = -1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes = "A TOPIC is the beginning of event.provider.model: success, failure.openai, success.openai.gpt-4o. "
             "Without one: all.\n"
             "An OFFSET is the first event wanted. A daemon that goes away is waited for.\n",
};

CLEANUP_FUNCTION(subscriber_release, steno_subscriber, steno_subscriber_free)

/* For the signal handler alone. */
static steno_subscriber *running;

static void on_signal(int number) {
    (void)number;
    steno_subscriber_stop(running);
}

static int print_json(const steno_event *event) {
    json_t *json = event_line_json(event);
    if (!json) return program_fail("out of memory");
    json_dumpf(json, stdout, JSON_FLAGS_OUT);
    json_decref(json);
    putchar('\n');
    return EXIT_FINE;
}

static tone tone_of(steno_event_kind kind) {
    switch (kind) {
    case STENO_SUCCESS: return TONE_GOOD;
    case STENO_FAILURE: return TONE_BAD;
    case STENO_CUSTOM: return TONE_STRONG;
    default: return TONE_DIM;
    }
}

static void print_safe(const char *text, int width, size_t most) {
    cleanup_free char *line = text_line(text, strnlen(text, most));
    printf("%-*s  ", width, line ? line : "");
}

static void print_line(const steno_event *event) {
    char time[FORMAT_BYTES];
    double when = steno_value_double(steno_event_get(event, "time"), 0);
    const char *model = steno_event_string(event, "model"), *call_id = steno_event_string(event, "call_id");
    cleanup_free char *line = event_line(event);
    if (terminal_is())
        format_time_local(when, time);
    else
        format_time_iso(when, time);
    printf("%s%s%s  %s", terminal_tone(TONE_DIM), time, terminal_plain(),
           terminal_tone(tone_of(steno_event_kind_of(event))));
    print_safe(steno_event_name(event), 13, SIZE_MAX);
    fputs(terminal_plain(), stdout);
    print_safe(call_id ? call_id : "-", CALL_ID_SHORT, terminal_is() ? CALL_ID_SHORT : SIZE_MAX);
    print_safe(model ? model : "-", 14, SIZE_MAX);
    puts(line ? line : "");
}

static int on_event(const steno_event *event, void *ctx) {
    const struct tail *wanted = ctx;
    if (wanted->json) {
        if (print_json(event)) return 1;
    } else {
        print_line(event);
    }
    return fflush(stdout) != 0;
}

static void on_missed(uint64_t first, uint64_t last, void *ctx) {
    (void)ctx;
    program_fail("events %" PRIu64 " to %" PRIu64 " have left the journal", first, last);
}

int tail_run(int argc, char **argv) {
    struct tail wanted = {.from = "now"};
    char **topics;
    int status = options_parse(&self, argc, argv, &wanted, &topics);
    if (status != OPTIONS_GO) return status;
    steno_subscriber_config config = STENO_SUBSCRIBER_CONFIG_INIT;
    config.from_set = true;
    config.on_missed = on_missed;
    if (!from_parse(wanted.from, &config.from)) return options_fail(&self, FROM_EXPECTED, wanted.from);
    if (*topics) config.topics = (const char *const *)topics;

    steno_error error;
    cleanup(subscriber_release) steno_subscriber *subscriber = NULL;
    if (steno_subscriber_new(&config, &subscriber, &error)) return program_fail("%s", error.message);
    running = subscriber;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    steno_status end = steno_subscriber_run(subscriber, on_event, &wanted, &error);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    running = NULL;
    if (end == STENO_OK || end == STENO_END) return EXIT_FINE;
    if (ferror(stdout)) return EXIT_FAILED; /* main tells */
    return program_fail("%s", error.message);
}
