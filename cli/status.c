/* steno status: how the daemon is; without a daemon, what waits for one. Exit status 1 unless a daemon answers and has no problem. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/daemon_call.h"
#include "cli/format.h"
#include "cli/leftover.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "schema/identity.h"
#include "schema/json.h"

/* A subscriber with a problem says so every 10 s (HEALTH_AGAIN_MS): one that has been silent for so long has ended. */
#define REPORT_STALE_SECONDS 60
/* The daemon answers between two batches: this is a machine in trouble. */
#define STATUS_TIMEOUT_MS 5000

struct status {
    bool json;
};

static const option_spec options[] = {
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct status, json), 0, "one JSON object"},
};

static const command self = {
    .name = "status",
    .about = "Tells how the daemon is, or what waits in the spool for one",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes =
        "The exit status is 1 when no daemon runs or it has a problem (a full disk, a configuration that is wrong).\n",
};

CLEANUP_FUNCTION(table_release, table, table_free)

static void put_line(const char *name, const char *text) {
    cleanup_free char *safe = text_line(text, strlen(text));
    printf("%s%-12s%s%s\n", terminal_tone(TONE_DIM), name, terminal_plain(), safe ? safe : "");
}

static int64_t number(const steno_value *map, const char *key) { return steno_value_int(steno_value_get(map, key), 0); }

static const char *string(const steno_value *map, const char *key) {
    const char *text = steno_value_string(steno_value_get(map, key), NULL);
    return text ? text : "";
}

static void put_count(const steno_value *status, const char *name, const char *key, const char *what) {
    char text[FORMAT_BYTES], line[2 * FORMAT_BYTES];
    format_count(number(status, key), terminal_is(), text);
    snprintf(line, sizeof line, "%s %s", text, what);
    put_line(name, line);
}

static void show_summary(const steno_value *status) {
    char text[FORMAT_BYTES], line[256];
    format_duration(identity_now() - steno_value_double(steno_value_get(status, "started"), identity_now()), text);
    snprintf(line, sizeof line, "%s, pid %" PRId64 ", up %s", string(status, "version"), number(status, "pid"), text);
    put_line("stenod", line);
    put_line("folder", string(status, "dir"));
    put_count(status, "stored", "stored", "events since it started");
    format_size(steno_value_double(steno_value_get(status, "journal_bytes"), 0), text);
    snprintf(line, sizeof line, "%" PRId64 " to %" PRId64 ", %s", number(status, "first_offset"),
             number(status, "last_offset"), text);
    put_line("journal", line);
    format_size(steno_value_double(steno_value_get(status, "log_bytes"), 0), text);
    put_line("log.db", text);
    put_count(status, "calls", "pending_calls", "pending");
    if (number(status, "duplicates")) put_count(status, "duplicates", "duplicates", "passed over");
    if (number(status, "malformed")) put_count(status, "malformed", "malformed", "messages dropped");
    put_count(status, "losses", "losses", "events lost (table loss)");
    if (*string(status, "config_note")) put_line("note", string(status, "config_note"));
}

static int show_publishers(const steno_value *list) {
    cleanup(table_release) table *grid = steno_value_count(list) ? table_new() : NULL;
    if (!grid) return EXIT_FINE;
    size_t name = table_column(grid, "PUBLISHER", TABLE_CUT), app = table_column(grid, "APP", TABLE_CUT | TABLE_SPARE),
           pid = table_column(grid, "PID", TABLE_RIGHT | TABLE_SPARE),
           next = table_column(grid, "NEXT", TABLE_RIGHT | TABLE_SPARE),
           spool = table_column(grid, "SPOOL", TABLE_RIGHT | TABLE_SPARE),
           losses = table_column(grid, "LOST", TABLE_RIGHT);
    for (size_t i = 0; i < steno_value_count(list); i++) {
        const steno_value *one = steno_value_at(list, i);
        char text[FORMAT_BYTES];
        table_row(grid);
        table_cell_n(grid, name, string(one, "publisher"), strnlen(string(one, "publisher"), terminal_is() ? 8 : 64),
                     TONE_PLAIN);
        table_cell(grid, app, string(one, "app"), TONE_PLAIN);
        snprintf(text, sizeof text, "%" PRId64, number(one, "pid"));
        table_cell(grid, pid, text, steno_value_bool(steno_value_get(one, "alive"), true) ? TONE_PLAIN : TONE_DIM);
        table_count(grid, next, number(one, "next"));
        format_size(steno_value_double(steno_value_get(one, "spool_bytes"), 0), text);
        table_cell(grid, spool, text, TONE_PLAIN);
        if (number(one, "losses")) table_count(grid, losses, number(one, "losses"));
    }
    putchar('\n');
    return table_print(grid);
}

/* What is wrong with one, under the table that it is in. `since` and `said` 0: not known. */
static void put_trouble(const char *name, const char *what, double since, double said) {
    cleanup_free char *safe = text_line(what, strlen(what));
    char text[FORMAT_BYTES], time[2 * FORMAT_BYTES + 48] = "";
    if (said > 0 && identity_now() - said > REPORT_STALE_SECONDS) {
        format_duration(identity_now() - said, text);
        snprintf(time, sizeof time, " (its last word, %s ago)", text);
    } else if (since > 0) {
        format_duration(identity_now() - since, text);
        snprintf(time, sizeof time, " (for %s)", text);
    }
    printf("%s%s: %s%s%s\n", terminal_tone(TONE_BAD), name, safe ? safe : "", time, terminal_plain());
}

static void put_troubles_of_subscribers(const steno_value *list) {
    for (size_t i = 0; i < steno_value_count(list); i++) {
        const steno_value *one = steno_value_at(list, i);
        const char *name = string(one, "name"), *problem = string(one, "problem");
        const double said = steno_value_double(steno_value_get(one, "reported"), 0);
        if (*problem) put_trouble(name, problem, steno_value_double(steno_value_get(one, "problem_since"), 0), said);
        const int64_t letters = number(one, "dead_letters");
        if (!letters) continue;
        char line[160];
        snprintf(line, sizeof line, "%" PRId64 " event%s put aside in dead-letters/%s.jsonl", letters,
                 letters == 1 ? "" : "s", name);
        put_trouble(name, line, 0, said);
    }
}

/* An empty cell where the daemon has no number. */
static void put_number(table *grid, size_t column, const steno_value *one, const char *key) {
    if (steno_value_type(steno_value_get(one, key)) == STENO_TYPE_INT) table_count(grid, column, number(one, key));
}

static int show_subscribers(const steno_value *list) {
    cleanup(table_release) table *grid = steno_value_count(list) ? table_new() : NULL;
    if (!grid) return EXIT_FINE;
    size_t name = table_column(grid, "SUBSCRIBER", TABLE_CUT), offset = table_column(grid, "OFFSET", TABLE_RIGHT),
           lag = table_column(grid, "BEHIND", TABLE_RIGHT),
           updated = table_column(grid, "UPDATED", TABLE_RIGHT | TABLE_SPARE);
    for (size_t i = 0; i < steno_value_count(list); i++) {
        const steno_value *one = steno_value_at(list, i);
        char text[FORMAT_BYTES], ago[FORMAT_BYTES + 8];
        table_row(grid);
        table_cell(grid, name, string(one, "name"), TONE_PLAIN);
        put_number(grid, offset, one, "offset");
        put_number(grid, lag, one, "lag");
        if (steno_value_type(steno_value_get(one, "updated")) == STENO_TYPE_NIL) continue;
        format_duration(identity_now() - steno_value_double(steno_value_get(one, "updated"), identity_now()), text);
        snprintf(ago, sizeof ago, "%s ago", text);
        table_cell(grid, updated, ago, TONE_DIM);
    }
    putchar('\n');
    const int failed = table_print(grid);
    put_troubles_of_subscribers(list);
    return failed;
}

/* "running"; of one that waits, when it is started again. */
static void put_child_state(table *grid, size_t column, const steno_value *child) {
    char text[FORMAT_BYTES], line[FORMAT_BYTES + 16];
    const double starts_in = steno_value_double(steno_value_get(child, "starts_in"), -1);
    format_duration(starts_in > 0 ? starts_in : 0, text);
    snprintf(line, sizeof line, "again in %s", text);
    table_cell(grid, column, starts_in >= 0 ? line : string(child, "state"), starts_in >= 0 ? TONE_BAD : TONE_PLAIN);
}

/* Its program: what that is given may hold keys, and a status is what people show around. (--json has the whole.) */
static void put_command(table *grid, size_t column, const char *whole) {
    char text[128];
    const size_t word = strcspn(whole, " \t");
    snprintf(text, sizeof text, "%.*s%s", word < 100 ? (int)word : 100, whole, whole[word] ? " …" : "");
    table_cell(grid, column, text, TONE_DIM);
}

static int show_children(const steno_value *list) {
    cleanup(table_release) table *grid = steno_value_count(list) ? table_new() : NULL;
    if (!grid) return EXIT_FINE;
    size_t name = table_column(grid, "CHILD", TABLE_LEFT), state = table_column(grid, "STATE", TABLE_LEFT),
           pid = table_column(grid, "PID", TABLE_RIGHT | TABLE_SPARE),
           restarts = table_column(grid, "RESTARTS", TABLE_RIGHT | TABLE_SPARE),
           last_exit = table_column(grid, "LAST EXIT", TABLE_SPARE),
           said = table_column(grid, "SAID", TABLE_CUT | TABLE_SPARE),
           line = table_column(grid, "COMMAND", TABLE_CUT | TABLE_SPARE);
    for (size_t i = 0; i < steno_value_count(list); i++) {
        const steno_value *one = steno_value_at(list, i);
        char text[FORMAT_BYTES];
        table_row(grid);
        table_cell(grid, name, string(one, "name"), TONE_PLAIN);
        put_child_state(grid, state, one);
        snprintf(text, sizeof text, "%" PRId64, number(one, "pid"));
        table_cell(grid, pid, number(one, "pid") ? text : "", TONE_PLAIN);
        table_count(grid, restarts, number(one, "restarts"));
        table_cell(grid, last_exit, string(one, "last_exit"), TONE_PLAIN);
        table_cell(grid, said, string(one, "said"), TONE_PLAIN);
        put_command(grid, line, string(one, "command"));
    }
    putchar('\n');
    return table_print(grid);
}

static int show(const steno_value *status) {
    show_summary(status);
    int failed = show_publishers(steno_value_get(status, "publishers"));
    if (!failed) failed = show_subscribers(steno_value_get(status, "subscribers"));
    if (!failed) failed = show_children(steno_value_get(status, "children"));
    const char *problem = string(status, "problem"), *config_problem = string(status, "config_problem");
    if (*config_problem) failed = program_fail("stenod's configuration stays as it was: %s", config_problem);
    return !*problem ? failed : program_fail("stenod has a problem: %s", problem);
}

static int show_json(const steno_value *status) {
    json_t *json = value_to_json(status);
    if (!json) return program_fail("out of memory");
    json_object_del(json, "ok");
    json_object_del(json, "id");
    json_object_set_new(json, "running", json_true());
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    putchar('\n');
    json_decref(json);
    return *string(status, "problem") || *string(status, "config_problem") ? EXIT_FAILED : EXIT_FINE;
}

static json_t *leftover_json(const leftover *one) {
    return json_pack("{s:s, s:b, s:b, s:I, s:I}", "publisher", one->publisher, "alive", one->alive, "damaged",
                     one->damaged, "events", (json_int_t)one->events, "bytes", (json_int_t)one->bytes);
}

/* No daemon: what is still in the spool is told, and that nothing of it is lost. */
static int show_absence(const place *where, bool as_json) {
    cleanup_free leftover *list = NULL;
    size_t count;
    int failed = leftover_read(where, &list, &count);
    uint64_t events = 0, bytes = 0;
    for (size_t i = 0; i < count; i++) {
        events += list[i].events;
        bytes += list[i].bytes;
    }
    if (as_json) {
        json_t *spool = json_array();
        for (size_t i = 0; i < count; i++) json_array_append_new(spool, leftover_json(&list[i]));
        json_t *json = json_pack("{s:b, s:s, s:I, s:I, s:o}", "running", 0, "dir", where->state, "spool_events",
                                 (json_int_t)events, "spool_bytes", (json_int_t)bytes, "spool", spool);
        if (!json) return program_fail("out of memory");
        json_dumpf(json, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(json);
        return EXIT_FAILED;
    }
    printf("No daemon runs for %s: start stenod.\n", where->state);
    if (failed) return failed;
    char text[FORMAT_BYTES];
    format_size((double)bytes, text);
    printf("%" PRIu64 " event%s in the spool, %s: stenod stores %s when it starts.\n", events,
           events == 1 ? " waits" : "s wait", text, events == 1 ? "it" : "them");
    for (size_t i = 0; i < count; i++)
        printf("  %s  %8" PRIu64 " event%s  %s%s\n", list[i].publisher, list[i].events, list[i].events == 1 ? " " : "s",
               list[i].alive ? "still running" : "ended", list[i].damaged ? ", damaged" : "");
    return EXIT_FAILED;
}

int status_run(int argc, char **argv) {
    struct status wanted = {0};
    char **arguments;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    place where;
    steno_error error;
    if (place_find(&where, NULL, &error)) return program_fail("%s", error.message);
    if (!daemon_listens(&where)) return show_absence(&where, wanted.json);
    cleanup(control_release) steno_control *control = NULL;
    cleanup(draft_release) steno_draft *request = NULL;
    const steno_value *reply;
    if ((status = daemon_begin("status", &control, &request))) return status;
    if ((status = daemon_ask(control, request, STATUS_TIMEOUT_MS, &reply))) return status;
    return wanted.json ? show_json(reply) : show(reply);
}
