/* steno replay: has a subscriber read the journal again from some offset on. The cursor in the log is moved; whoever runs under that name
 * sees it within a second and goes on from there, and who does not run now does so when it starts.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/daemon_call.h"
#include "cli/format.h"
#include "cli/from.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/verbs.h"
#include "schema/control.h"
#include "subscribers/steno_subscriber.h"

#define ANSWER_MS 5000

struct replay {
    const char *to, *from;
    bool json;
};

static const option_spec options[] = {
    {'t', "to", "NAME", OPTION_TEXT, offsetof(struct replay, to), 0, "the subscriber, as `steno status` lists it"},
    {'f', "from", "beginning|now|OFFSET", OPTION_TEXT, offsetof(struct replay, from), 0,
     "the first event it is to get"},
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct replay, json), 0,
     "one JSON object: `name`, `was` and `offset` (handled up to here), `missing` (events that have left the journal)"},
};

static const command self = {
    .name = "replay",
    .about = "Rewinds a subscriber, so that it gets events again (or moves it on, so that it does not)",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes =
        "A handler sees the events again: it must not mind. steno-cost computes the same calls anew, and counts none "
        "twice.\n"
        "The journal is kept for a limited time: what has left it can't be replayed, and the subscriber is told.\n",
};

typedef struct position {
    int64_t was, first, last; /* the cursor; the journal's first and last offset */
    bool exists;
} position;

static int64_t number(const steno_value *map, const char *key) { return steno_value_int(steno_value_get(map, key), 0); }

/* The names of the subscribers that there are, for a mistyped one. */
static int unknown_name(const char *name, const steno_value *subscribers) {
    char known[512] = "";
    for (size_t i = 0; i < steno_value_count(subscribers); i++) {
        const char *one = steno_value_string(steno_value_get(steno_value_at(subscribers, i), "name"), NULL);
        if (one && strlen(known) + strlen(one) + 3 < sizeof known) {
            if (*known) strcat(known, ", ");
            strcat(known, one);
        }
    }
    return program_fail("no subscriber has a cursor under the name \"%s\": there is %s", name, *known ? known : "none");
}

static int ask_position(steno_control *control, steno_draft *request, const char *name, position *out) {
    const steno_value *reply;
    const int failed = daemon_ask(control, request, ANSWER_MS, &reply);
    if (failed) return failed;
    const steno_value *subscribers = steno_value_get(reply, "subscribers");
    *out = (position){.first = number(reply, "first_offset"), .last = number(reply, "last_offset")};
    for (size_t i = 0; i < steno_value_count(subscribers); i++) {
        const steno_value *one = steno_value_at(subscribers, i);
        const char *known = steno_value_string(steno_value_get(one, "name"), NULL);
        if (!known || strcmp(known, name)) continue;
        out->exists = true;
        out->was = number(one, "offset");
    }
    return out->exists ? EXIT_FINE : unknown_name(name, subscribers);
}

static int move(steno_control *control, steno_draft *request, const char *name, int64_t offset) {
    const steno_value *reply;
    steno_draft_start(request);
    steno_draft_string(request, "verb", "commit");
    steno_draft_string(request, "name", name);
    steno_draft_int(request, "offset", offset);
    return daemon_ask(control, request, ANSWER_MS, &reply);
}

static void tell(const struct replay *wanted, const position *at, int64_t offset) {
    const int64_t missing = at->first > offset + 1 ? at->first - offset - 1 : 0;
    if (wanted->json) {
        printf("{\"name\":\"%s\",\"was\":%" PRId64 ",\"offset\":%" PRId64 ",\"missing\":%" PRId64 "}\n", wanted->to,
               at->was, offset, missing);
        return;
    }
    char count[FORMAT_BYTES];
    printf("%s goes on with event %" PRId64, wanted->to, offset + missing + 1);
    if (offset + missing < at->was) {
        format_count(at->was - offset - missing, false, count);
        printf(": %s again", count);
    } else if (offset > at->was) {
        format_count(offset - at->was, false, count);
        printf(": %s passed over", count);
    }
    putchar('\n');
    if (missing) printf("events %" PRId64 " to %" PRId64 " have left the journal\n", offset + 1, at->first - 1);
}

int replay_run(int argc, char **argv) {
    struct replay wanted = {0};
    char **arguments;
    int64_t from;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    if (!wanted.to || !wanted.from) return options_fail(&self, "--to NAME and --from beginning|now|OFFSET are needed");
    if (!control_name_valid(wanted.to))
        return options_fail(&self, "option --to: \"%s\" is no subscriber's name", wanted.to);
    if (!from_parse(wanted.from, &from)) return options_fail(&self, FROM_EXPECTED, wanted.from);
    place where;
    steno_error error;
    if (place_find(&where, NULL, &error)) return program_fail("%s", error.message);
    if (!daemon_listens(&where)) return program_fail("no daemon runs for %s: start stenod", where.state);
    cleanup(control_release) steno_control *control = NULL;
    cleanup(draft_release) steno_draft *request = NULL;
    if ((status = daemon_begin("status", &control, &request))) return status;
    position at = {0};
    if ((status = ask_position(control, request, wanted.to, &at))) return status;
    if (from > at.last + 1)
        return program_fail("--from %" PRId64 ": the journal ends with event %" PRId64, from, at.last);
    const int64_t offset = from == STENO_FROM_BEGINNING ? 0 : from == STENO_FROM_NOW ? at.last : from - 1;
    if ((status = move(control, request, wanted.to, offset))) return status;
    tell(&wanted, &at, offset);
    return EXIT_FINE;
}
