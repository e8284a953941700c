/* steno emit: events of calls that were made with another SDK, as JSON lines. A bad line is told and passed over; the rest go on. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
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
             "What is common to all events and missing is added. A bad line is told with its number and passed over;\n"
             "the exit status is then 1. No daemon need run: accepted events wait in the spool.\n",
};

static bool is_blank(const input_line *line) {
    for (size_t i = 0; i < line->size; i++)
        if (!isspace((unsigned char)line->text[i])) return false;
    return true;
}

static int emit_line(steno_client *client, const input_line *line, bool print) {
    steno_receipt receipt;
    steno_error error;
    if (line->too_long) return program_fail("line %zu: longer than %zu MiB", line->number, INPUT_BYTES_MAX >> 20);
    if (steno_emit_json(client, line->text, line->size, &receipt, &error))
        return program_fail("line %zu: %s", line->number, error.message);
    if (!print) return EXIT_FINE;
    char publisher[SPOOL_PUBLISHER_TEXT_BYTES];
    spool_publisher_text(receipt.publisher, publisher);
    printf("%s %" PRIu64 "\n", publisher, receipt.seq);
    /* Who reads this counts on each line as it comes. */
    fflush(stdout);
    return EXIT_FINE;
}

int emit_run(int argc, char **argv) {
    struct emit wanted = {0};
    char **arguments;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    cleanup(client_release) steno_client *client = NULL;
    status = asking_client(NULL, 0, &client);
    if (status) return status;
    if (isatty(STDIN_FILENO)) fputs("Events as JSON, one a line; end with Ctrl-D.\n", stderr);
    input_line line = {0};
    bool failed;
    /* A reader of --print that went away must not cost the events that are still to come. */
    signal(SIGPIPE, SIG_IGN);
    while (input_next(&line, stdin, &failed)) {
        if (!is_blank(&line) && emit_line(client, &line, wanted.print)) status = EXIT_FAILED;
    }
    if (failed) status = program_fail("standard input: %s", strerror(errno));
    free(line.text);
    return status;
}
