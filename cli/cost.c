/* steno cost: what calls cost, by model, day, user, tag, provider or app. What has no known price is counted, never taken for $0. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/database.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/since.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verbs.h"

#define PICO_PER_DOLLAR 1e12
#define BAR_CELLS_NARROW 8
#define BAR_CELLS_WIDE 30
#define WIDE_COLUMNS 100
/* Below this width there is no room for bars. */
#define NARROW_COLUMNS 70

struct cost {
    const char *by;
    double since;
    bool json, csv;
};

static const option_spec options[] = {
    {'b', "by", "model|day|user|tag|provider|app", OPTION_CHOICE, offsetof(struct cost, by), 0,
     "one row for each (model)"},
    {0, "since", "TIME", OPTION_SINCE, offsetof(struct cost, since), 0, "only calls that started then or later"},
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct cost, json), 0, "one JSON array of objects, one row each"},
    {0, "csv", NULL, OPTION_FLAG, offsetof(struct cost, csv), 0, "CSV with a header"},
};

static const command self = {
    .name = "cost",
    .about = "Sums up calls, tokens and what they cost",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes = "TIME: " SINCE_FORMS "\n"
             "Days are local days. A call with several tags counts for each of them, and once in the total.\n"
             "UNPRICED calls have no known price or usage: their cost is not in the sum, and a row of nothing else has "
             "none.\n"
             "SAVED is what answers from the cache would have cost.\n"
             "Calls that failed before any token came are not among them. JSON and CSV have no total.\n",
};

/* One line of the result; the total is one more. */
typedef struct spend {
    char *name; /* owned, UTF-8; NULL: the calls have none */
    int64_t calls, failures, unpriced, prompt_tokens, cached_tokens, completion_tokens;
    double pico_dollars, saved; /* the latter by answers from the cache */
    bool priced;                /* at least one call has a known cost */
} spend;

/* All lines, so that the log is let go of before the first is printed. */
typedef struct spends {
    spend *rows;
    size_t count;
} spends;

/* What is summed over `call` and `cost`. total() gives a double: exact to the pico-dollar up to $9,007. */
#define SUMS                                                                                                         \
    "count(*) AS calls, total(call.status = 'failure') AS failures, "                                                \
    "total(cost.pico_dollars IS NULL AND call.status <> 'pending' AND NOT (call.status = 'failure' "                 \
    "AND call.prompt_tokens IS NULL AND call.completion_tokens IS NULL AND call.first_token IS NULL)) AS unpriced, " \
    "total(call.prompt_tokens) AS prompt, total(call.cached_tokens) AS cached, "                                     \
    "total(call.completion_tokens) AS completion, total(cost.pico_dollars) AS pico, count(cost.pico_dollars) AS "    \
    "priced, total(cost.saved) AS saved "
#define JOINED "FROM call LEFT JOIN cost ON cost.call_id = call.call_id "
#define SINCE "WHERE call.started >= ?1 "

static const struct grouping {
    const char *by;
    const char *sql;
} groupings[] = {
    {"model", "SELECT call.model AS name, " SUMS JOINED SINCE "GROUP BY 1 ORDER BY pico DESC, calls DESC, name"},
    {"user", "SELECT call.user AS name, " SUMS JOINED SINCE "GROUP BY 1 ORDER BY pico DESC, calls DESC, name"},
    {"provider", "SELECT call.provider AS name, " SUMS JOINED SINCE "GROUP BY 1 ORDER BY pico DESC, calls DESC, name"},
    {"app", "SELECT call.app AS name, " SUMS JOINED SINCE "GROUP BY 1 ORDER BY pico DESC, calls DESC, name"},
    {"tag", "SELECT tag.value AS name, " SUMS JOINED
            "LEFT JOIN json_each(CASE WHEN json_valid(call.tags) THEN call.tags END) AS tag " SINCE
            "GROUP BY 1 ORDER BY pico DESC, calls DESC, name"},
    /* Every time zone is a multiple of 15 minutes from UTC: sum by quarter of an hour, and turn only those into local days. */
    {"day", "SELECT date(quarter * 900, 'unixepoch', 'localtime') AS name, sum(calls), sum(failures), sum(unpriced), "
            "sum(prompt), "
            "sum(cached), sum(completion), sum(pico), sum(priced), sum(saved) FROM (SELECT CAST(call.started / 900 AS "
            "INTEGER) AS "
            "quarter, " SUMS JOINED SINCE "GROUP BY 1) GROUP BY 1 ORDER BY 1"},
    {NULL, "SELECT NULL, " SUMS JOINED SINCE}, /* everything, once */
};

static const char *sql_of(const char *by) {
    const struct grouping *grouping = groupings;
    while (grouping->by && (!by || strcmp(grouping->by, by) != 0)) grouping++;
    return grouping->sql;
}

static bool read_spend(sqlite3_stmt *row, spend *out) {
    const char *name = (const char *)sqlite3_column_text(row, 0);
    size_t size;
    *out = (spend){.name = name ? text_utf8(name, (size_t)sqlite3_column_bytes(row, 0), &size) : NULL,
                   .calls = sqlite3_column_int64(row, 1),
                   .failures = sqlite3_column_int64(row, 2),
                   .unpriced = sqlite3_column_int64(row, 3),
                   .prompt_tokens = sqlite3_column_int64(row, 4),
                   .cached_tokens = sqlite3_column_int64(row, 5),
                   .completion_tokens = sqlite3_column_int64(row, 6),
                   .pico_dollars = sqlite3_column_double(row, 7),
                   .priced = sqlite3_column_int64(row, 8) > 0,
                   .saved = sqlite3_column_double(row, 9)};
    return out->name || !name;
}

static void release(spends *all) {
    for (size_t i = 0; i < all->count; i++) free(all->rows[i].name);
    free(all->rows);
}

/* Reads the rows of one grouping, or one row of everything (by = NULL). Returns the exit status. */
static int read_all(sqlite3 *database, const char *by, double since, spends *out) {
    cleanup(database_finalize) sqlite3_stmt *statement = NULL;
    int code, failed = database_prepare(database, sql_of(by), &statement);
    if (failed) return failed;
    sqlite3_bind_double(statement, 1, since > 0 ? since : -INFINITY);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        spend *grown = reallocarray(out->rows, out->count + 1, sizeof *out->rows);
        if (!grown) return program_fail("out of memory");
        out->rows = grown;
        if (!read_spend(statement, &out->rows[out->count++])) return program_fail("out of memory");
    }
    return database_end(database, code);
}

static spend add_up(const spends *all) {
    spend sum = {0};
    for (size_t i = 0; i < all->count; i++) {
        const spend *row = &all->rows[i];
        sum.calls += row->calls;
        sum.failures += row->failures;
        sum.unpriced += row->unpriced;
        sum.prompt_tokens += row->prompt_tokens;
        sum.cached_tokens += row->cached_tokens;
        sum.completion_tokens += row->completion_tokens;
        sum.pico_dollars += row->pico_dollars;
        sum.saved += row->saved;
        sum.priced |= row->priced;
    }
    return sum;
}

/* Some cost is known, or there is nothing whose cost is not. */
static bool has_cost(const spend *row) { return row->priced || row->unpriced == 0; }

static json_t *row_json(const char *by, const spend *row) {
    return json_pack("{s:s?, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:f}", by, row->name, "calls", (json_int_t)row->calls,
                     "failures", (json_int_t)row->failures, "prompt_tokens", (json_int_t)row->prompt_tokens,
                     "cached_tokens", (json_int_t)row->cached_tokens, "completion_tokens",
                     (json_int_t)row->completion_tokens, "cost_usd",
                     has_cost(row) ? json_real(row->pico_dollars / PICO_PER_DOLLAR) : json_null(), "unpriced_calls",
                     (json_int_t)row->unpriced, "saved_usd", row->saved / PICO_PER_DOLLAR);
}

static int print_json(const char *by, const spends *all) {
    report array;
    int failed = EXIT_FINE;
    report_begin(&array, stdout);
    for (size_t i = 0; !failed && i < all->count; i++) failed = report_row(&array, row_json(by, &all->rows[i]));
    report_end(&array);
    return failed;
}

static int print_csv(const char *by, const spends *all) {
    printf("%s,calls,failures,prompt_tokens,cached_tokens,completion_tokens,cost_usd,unpriced_calls,saved_usd\r\n", by);
    for (size_t i = 0; i < all->count; i++) {
        const spend *row = &all->rows[i];
        report_csv_field(stdout, row->name ? row->name : "", row->name ? strlen(row->name) : 0, 1);
        printf(",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",", row->calls, row->failures,
               row->prompt_tokens, row->cached_tokens, row->completion_tokens);
        if (has_cost(row)) printf("%.15g", row->pico_dollars / PICO_PER_DOLLAR);
        printf(",%" PRId64 ",%.15g", row->unpriced, row->saved / PICO_PER_DOLLAR);
        report_csv_end(stdout);
    }
    return EXIT_FINE;
}

typedef struct columns {
    size_t name, calls, failed, in, out, cost, saved, unpriced, bar;
    bool has_saved; /* the column is there: something was */
} columns;

static void show_row(table *grid, const columns *at, const spend *row, double most, size_t cells, tone look) {
    char text[FORMAT_BYTES], bar[FORMAT_BAR_BYTES];
    table_row(grid);
    table_cell(grid, at->name, row->name ? row->name : "(none)", row->name ? look : TONE_DIM);
    table_count(grid, at->calls, row->calls);
    if (row->failures) table_count(grid, at->failed, row->failures);
    table_count(grid, at->in, row->prompt_tokens);
    table_count(grid, at->out, row->completion_tokens);
    format_money(row->pico_dollars, text);
    table_cell(grid, at->cost, has_cost(row) ? text : "unpriced", has_cost(row) ? look : TONE_WAITING);
    if (at->has_saved && row->saved > 0) {
        format_money(row->saved, text);
        table_cell(grid, at->saved, text, TONE_PLAIN);
    }
    if (row->unpriced) {
        format_count(row->unpriced, terminal_is(), text);
        table_cell(grid, at->unpriced, text, TONE_WAITING);
    }
    if (!cells || !(most > 0)) return;
    format_bar(row->pico_dollars / most, cells, bar);
    table_cell(grid, at->bar, bar, TONE_BAR);
}

CLEANUP_FUNCTION(table_release, table, table_free)

static int print_table(const char *by, const spends *all, const spend *total) {
    cleanup(table_release) table *grid = table_new();
    if (!grid) return program_fail("out of memory");
    char heading[32] = "";
    for (size_t i = 0; by[i] && i + 1 < sizeof heading; i++) heading[i] = (char)toupper((unsigned char)by[i]);
    columns at = {.name = table_column(grid, heading, TABLE_CUT),
                  .calls = table_column(grid, "CALLS", TABLE_RIGHT),
                  .failed = table_column(grid, "FAILED", TABLE_RIGHT),
                  .in = table_column(grid, "IN", TABLE_RIGHT),
                  .out = table_column(grid, "OUT", TABLE_RIGHT),
                  .cost = table_column(grid, "COST", TABLE_RIGHT),
                  .has_saved = total->saved > 0};
    if (at.has_saved) at.saved = table_column(grid, "SAVED", TABLE_RIGHT);
    at.unpriced = table_column(grid, "UNPRICED", TABLE_RIGHT);
    size_t cells = !terminal_is() || terminal_width() < NARROW_COLUMNS ? 0
                   : terminal_width() < WIDE_COLUMNS                   ? BAR_CELLS_NARROW
                                                                       : BAR_CELLS_WIDE;
    if (cells) at.bar = table_column(grid, "", TABLE_LEFT);
    double most = 0;
    for (size_t i = 0; i < all->count; i++) most = fmax(most, all->rows[i].pico_dollars);
    for (size_t i = 0; i < all->count; i++) show_row(grid, &at, &all->rows[i], most, cells, TONE_PLAIN);
    if (all->count != 1) show_row(grid, &at, total, 0, 0, TONE_STRONG);
    return table_print(grid);
}

int cost_run(int argc, char **argv) {
    struct cost wanted = {.by = "model"};
    char **arguments;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    if (wanted.json && wanted.csv) return options_fail(&self, "--json and --csv: only one of them");
    cleanup(database_close) sqlite3 *database = NULL;
    cleanup(release) spends all = {0}, total = {0};
    status = database_open(NULL, &database);
    if (!status) status = read_all(database, wanted.by, wanted.since, &all);
    if (!status && wanted.json) return print_json(wanted.by, &all);
    if (!status && wanted.csv) return print_csv(wanted.by, &all);
    /* By tag a call may be in several rows. Elsewhere the rows are all there is to add up: no second scan. */
    if (!status && strcmp(wanted.by, "tag") == 0) status = read_all(database, NULL, wanted.since, &total);
    if (status) return status;
    spend sum = total.count ? total.rows[0] : add_up(&all);
    sum.name = (char *)"total";
    return print_table(wanted.by, &all, &sum);
}
