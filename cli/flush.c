/* steno flush: waits until everything that is in any spool now is committed to the log. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/daemon_call.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/verbs.h"

/* As long as anyone waits for a log. */
#define FLUSH_SECONDS_MAX 86400
/* The daemon keeps the time; we listen a little longer for its answer. */
#define ANSWER_MS 2000

struct flush {
    int64_t timeout_ms;
    bool json;
};

static const option_spec options[] = {
    {'t', "timeout", "SECONDS", OPTION_SECONDS, offsetof(struct flush, timeout_ms), FLUSH_SECONDS_MAX,
     "wait no longer than this (30)"},
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct flush, json), 0, "one JSON object: `last_offset`"},
};

static const command self = {
    .name = "flush",
    .about = "Waits until everything published so far is stored",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes = "The exit status is 1 when it was not in time, or no daemon runs.\n",
};

int flush_run(int argc, char **argv) {
    struct flush wanted = {.timeout_ms = 30000};
    char **arguments;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    place where;
    steno_error error;
    if (place_find(&where, NULL, &error)) return program_fail("%s", error.message);
    if (!daemon_listens(&where))
        return program_fail("no daemon runs for %s: what is published waits in the spool until stenod is started",
                            where.state);
    cleanup(control_release) steno_control *control = NULL;
    cleanup(draft_release) steno_draft *request = NULL;
    const steno_value *reply;
    if ((status = daemon_begin("flush", &control, &request))) return status;
    steno_draft_int(request, "timeout_ms", wanted.timeout_ms);
    if ((status = daemon_ask(control, request, wanted.timeout_ms + ANSWER_MS, &reply))) return status;
    int64_t offset = steno_value_int(steno_value_get(reply, "last_offset"), 0);
    printf(wanted.json ? "{\"last_offset\":%" PRId64 "}\n" : "stored up to offset %" PRId64 "\n", offset);
    return EXIT_FINE;
}
