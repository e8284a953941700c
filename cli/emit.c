/* steno emit: events of calls that were made with another SDK, as JSON lines. A bad line is told and passed over; the rest go on. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/asking.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/verbs.h"
#include "client/steno.h"
#include "schema/clean.h"
#include "schema/place.h"
#include "schema/spool.h"

struct emit {
    bool print;
};

static const option_spec options[] = {
    {'p', "print", NULL, OPTION_FLAG, offsetof(struct emit, print), 0,
     "print `publisher seq` once an event is in the spool, line by line"},
};

static const command self = {
    .name = "emit",
    .about = "Publishes events: one JSON object a line on standard input",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes = "  {\"event\": \"success\", \"call_id\": \"...\", \"model\": \"gpt-4o\", \"provider\": \"openai\", "
             "\"usage\": {...}}\n"
             "What is common to all events and missing is added. An event above 64 MiB is cut (field `truncated`).\n"
             "A bad line is told with its number and passed over;\n"
             "the exit status is then 1. No daemon need run: accepted events wait in the spool.\n",
};

static bool is_blank(const input_line *line) {
    for (size_t i = 0; i < line->size; i++)
        if (!isspace((unsigned char)line->text[i])) return false;
    return true;
}

/* A tool that reads a file can wait, which an app must not: it goes on when stenod has taken something out of the spool. */
#define ROOM_CHECK_BYTES (8u << 20)
#define ROOM_POLL_MS 20
/* How long stenod may take nothing out before it is given up. */
#define ROOM_PATIENCE_MS 10000

typedef struct emitting {
    steno_client *client;
    place where;
    bool print;
    steno_receipt receipt; /* of the last event */
    size_t accepted;       /* events */
    size_t unchecked;      /* bytes emitted since the spool's size was looked at */
} emitting;

/* Waits while the spool is nearly full. False: nobody empties it. */
static bool wait_for_room(emitting *work, size_t size) {
    work->unchecked += size;
    if (work->unchecked < ROOM_CHECK_BYTES || work->accepted == 0) return true;
    work->unchecked = 0;
    size_t before = SIZE_MAX, now;
    for (int64_t waited_ms = 0; waited_ms < ROOM_PATIENCE_MS; waited_ms += ROOM_POLL_MS) {
        now = spool_bytes(work->where.spool, work->receipt.publisher);
        if (now <= SPOOL_BYTES_MAX / 4 * 3) return true;
        if (now < before) waited_ms = 0;
        before = now;
        poll(NULL, 0, ROOM_POLL_MS);
    }
    return false;
}

static int emit_line(emitting *work, const input_line *line) {
    steno_error error;
    if (line->too_long) return program_fail("line %zu: longer than %zu MiB", line->number, INPUT_BYTES_MAX >> 20);
    if (steno_emit_json(work->client, line->text, line->size, &work->receipt, &error))
        return program_fail("line %zu: %s", line->number, error.message);
    work->accepted++;
    if (!work->print) return EXIT_FINE;
    char publisher[SPOOL_PUBLISHER_TEXT_BYTES];
    spool_publisher_text(work->receipt.publisher, publisher);
    printf("%s %" PRIu64 "\n", publisher, work->receipt.seq);
    /* Who reads this counts on each line as it comes. */
    fflush(stdout);
    return EXIT_FINE;
}

static int emit_all(emitting *work) {
    int status = EXIT_FINE;
    input_line line = {0};
    bool failed;
    while (input_next(&line, stdin, &failed)) {
        if (is_blank(&line)) continue;
        if (!wait_for_room(work, line.size)) {
            status = program_fail(
                "the spool is full and no stenod empties it: start stenod, and emit again from line %zu on",
                line.number);
            break;
        }
        if (emit_line(work, &line)) status = EXIT_FAILED;
    }
    if (failed) status = program_fail("standard input: %s", strerror(errno));
    free(line.text);
    return status;
}

int emit_run(int argc, char **argv) {
    struct emit wanted = {0};
    char **arguments;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    emitting work = {.print = wanted.print};
    steno_error error;
    if (place_open(&work.where, NULL, &error)) return program_fail("%s", error.message);
    cleanup(client_release) steno_client *client = NULL;
    status = asking_client(&self, &(asking){0}, &client);
    if (status) return status;
    work.client = client;
    if (isatty(STDIN_FILENO)) fputs("Events as JSON, one a line; end with Ctrl-D.\n", stderr);
    /* A reader of --print that went away must not cost the events that are still to come. */
    signal(SIGPIPE, SIG_IGN);
    return emit_all(&work);
}
