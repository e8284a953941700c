/* steno logs: the latest calls, newest last. Picks the rows by an index, then shows them through the view `calls`. */
#include <stdlib.h>
#include <string.h>

#include "cli/call_id.h"
#include "cli/call_row.h"
#include "cli/database.h"
#include "cli/format.h"
#include "cli/held.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/since.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "schema/identity.h"

/* More is a matter for `steno query --csv`. */
#define LOGS_COUNT_MAX 100000
/* From this width on there is room for a column of text. */
#define WIDE_COLUMNS 100
/* Below this width there is none for the numbers of tokens. */
#define NARROW_COLUMNS 76
/* On a terminal: longer than the names of models are, short enough to leave room. */
#define MODEL_BYTES_SHOWN 32

struct logs {
    int64_t count;
    const char *model;
    const char *status;
    double since;
    bool json;
};

static const option_spec options[] = {
    {'n', "limit", "N", OPTION_COUNT, offsetof(struct logs, count), LOGS_COUNT_MAX, "how many calls at most (20)"},
    {'m', "model", "MODEL", OPTION_TEXT, offsetof(struct logs, model), 0,
     "only calls of this model, named as it was asked for"},
    {'s', "status", "pending|success|failure", OPTION_CHOICE, offsetof(struct logs, status), 0,
     "only calls in this state"},
    {0, "since", "TIME", OPTION_SINCE, offsetof(struct logs, since), 0, "only calls that started then or later"},
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct logs, json), 0, "one JSON array of objects, one call each"},
};

static const command self = {
    .name = "logs",
    .about = "Lists the latest calls, newest last",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes = "TIME: " SINCE_FORMS "\n"
             "COST is \"-\" where the price or the usage is not known, and begins with \"~\" where it is "
             "estimated.\nCALL is what \"steno show\" wants.\n"
             "With --json an object has the columns of the view `calls`, without the texts (messages, response).\n",
};

/* By the start of the call: what an app left in its spool is stored later than it happened. The index on it is walked backwards. */
static int prepare(sqlite3 *database, const struct logs *wanted, sqlite3_stmt **out) {
    char sql[1024];
    snprintf(sql, sizeof sql,
             "SELECT calls.*, pick.started AS _started FROM (SELECT id, call_id, started FROM call WHERE 1%s%s%s ORDER "
             "BY started DESC, id DESC LIMIT ?4) AS pick "
             "CROSS JOIN calls ON calls.call_id = pick.call_id ORDER BY pick.started, pick.id",
             wanted->model ? " AND model = ?1" : "", wanted->status ? " AND status = ?2" : "",
             wanted->since > 0 ? " AND started >= ?3" : "");
    int failed = database_prepare(database, sql, out);
    if (failed) return failed;
    if (wanted->model) sqlite3_bind_text(*out, 1, wanted->model, -1, SQLITE_STATIC);
    if (wanted->status) sqlite3_bind_text(*out, 2, wanted->status, -1, SQLITE_STATIC);
    if (wanted->since > 0) sqlite3_bind_double(*out, 3, wanted->since);
    sqlite3_bind_int64(*out, 4, wanted->count);
    return EXIT_FINE;
}

static int print_json(sqlite3 *database, sqlite3_stmt *rows) {
    cleanup(held_close) FILE *held = held_begin();
    if (!held) return EXIT_FAILED;
    report array;
    report_begin(&array, held);
    int code, failed = EXIT_FINE;
    while (!failed && (code = sqlite3_step(rows)) == SQLITE_ROW)
        failed = report_row(&array, call_row_json(rows, false));
    report_end(&array);
    if (!failed) failed = database_end(database, code);
    sqlite3_reset(rows);
    return failed ? failed : held_print(held);
}

/* Where each is in the table; 0 where it is left out (the first is always there). */
typedef struct columns {
    size_t time, call, model, status, in, out, cost, took, text;
} columns;

static void show_count(table *grid, size_t column, sqlite3_stmt *row, const char *name) {
    double count;
    if (call_row_number(row, name, &count))
        table_count(grid, column, (int64_t)count);
    else
        table_cell(grid, column, "-", TONE_DIM);
}

static void show_row(sqlite3 *database, table *grid, const columns *at, sqlite3_stmt *row) {
    char text[FORMAT_BYTES + 1];
    double number;
    const char *call_id = call_row_text(row, "call_id"), *status = call_row_text(row, "status");
    const char *error_type = call_row_text(row, "error_type");
    bool failed = status && strcmp(status, "failure") == 0;
    if (!call_id) return;
    table_row(grid);
    if (call_row_number(row, "_started", &number)) {
        if (!terminal_is())
            format_time_iso(number, text);
        else if (at->text)
            format_time_local(number, text);
        else
            format_time_short(number, identity_now(), text);
        table_cell(grid, at->time, text, TONE_DIM);
    }
    table_cell_n(grid, at->call, call_id, terminal_is() ? call_id_short(database, call_id) : strlen(call_id),
                 TONE_PLAIN);
    const char *model = call_row_text(row, "model");
    size_t model_size = model ? strnlen(model, terminal_is() ? MODEL_BYTES_SHOWN : SIZE_MAX) : 0;
    table_cell_n(grid, at->model, model, model_size, TONE_PLAIN);
    table_cell(grid, at->status, failed && error_type ? error_type : status, call_row_tone(status));
    if (at->in) show_count(grid, at->in, row, "prompt_tokens");
    if (at->out) show_count(grid, at->out, row, "completion_tokens");
    if (call_row_number(row, "cost_usd", &number)) {
        const char *source = call_row_text(row, "cost_source");
        const bool estimated = source && strcmp(source, "estimated") == 0;
        text[0] = '~';
        format_money(number * 1e12, text + estimated);
        table_cell(grid, at->cost, text, estimated ? TONE_WAITING : TONE_PLAIN);
    } else {
        table_cell(grid, at->cost, "-", TONE_DIM);
    }
    if (call_row_number(row, "latency_ms", &number)) {
        format_duration(number / 1000, text);
        table_cell(grid, at->took, text, TONE_PLAIN);
    } else {
        table_cell(grid, at->took, "-", TONE_DIM);
    }
    if (at->text) table_cell(grid, at->text, call_row_text(row, failed ? "error_message" : "response_text"), TONE_DIM);
}

CLEANUP_FUNCTION(table_release, table, table_free)

static int print_table(sqlite3 *database, sqlite3_stmt *rows) {
    cleanup(table_release) table *grid = table_new();
    if (!grid) return program_fail("out of memory");
    /* What gives way is the text where there is one, else the model. */
    bool wide = !terminal_is() || terminal_width() >= WIDE_COLUMNS;
    bool narrow = terminal_is() && terminal_width() < NARROW_COLUMNS;
    columns at = {.time = table_column(grid, "TIME", TABLE_SPARE)};
    at.call = table_column(grid, "CALL", TABLE_LEFT);
    at.model = table_column(grid, "MODEL", wide ? TABLE_LEFT : TABLE_CUT);
    at.status = table_column(grid, "STATUS", wide ? TABLE_LEFT : TABLE_CUT);
    if (!narrow) at.in = table_column(grid, "IN", TABLE_RIGHT | TABLE_SPARE);
    if (!narrow) at.out = table_column(grid, "OUT", TABLE_RIGHT | TABLE_SPARE);
    at.cost = table_column(grid, "COST", TABLE_RIGHT | TABLE_SPARE);
    at.took = table_column(grid, "TOOK", TABLE_RIGHT | TABLE_SPARE);
    if (wide) at.text = table_column(grid, "TEXT", TABLE_CUT);
    int code;
    size_t count = 0;
    for (; (code = sqlite3_step(rows)) == SQLITE_ROW; count++) show_row(database, grid, &at, rows);
    int failed = database_end(database, code);
    sqlite3_reset(rows);
    if (!failed && count == 0 && terminal_is()) fputs("No calls.\n", stderr);
    return failed || count == 0 ? failed : table_print(grid);
}

int logs_run(int argc, char **argv) {
    struct logs wanted = {.count = 20};
    char **arguments;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    cleanup(database_close) sqlite3 *database = NULL;
    status = database_open(NULL, &database);
    if (status) return status;
    cleanup(database_finalize) sqlite3_stmt *rows = NULL;
    status = prepare(database, &wanted, &rows);
    if (status) return status;
    return wanted.json ? print_json(database, rows) : print_table(database, rows);
}
