/* steno budget list: what has been spent of each budget, straight from the roll-ups. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/budget.h"
#include "cli/database.h"
#include "cli/format.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/table.h"
#include "schema/clean.h"
#include "schema/identity.h"
#include "subscribers/budget_spent.h"

/* Cells of a full bar. */
#define BAR_CELLS 20
/* From these widths on there is room for the bar, and for the pace. */
#define BAR_COLUMNS 110
#define PACE_COLUMNS 85
/* The part of a period that tells something about the rest of it. */
#define SHARE_MIN 0.02

/* A budget with its figures. */
typedef struct shown {
    const budget *what;
    budget_span span;
    budget_sum sum;
    double part;      /* of the limit that is spent */
    double projected; /* dollars by the period's end; negative: it is too early to tell, or there is no end */
} shown;

CLEANUP_FUNCTION(table_release, table, table_free)

static double dollars(int64_t pico_dollars) { return (double)pico_dollars / BUDGET_PICO_PER_DOLLAR; }

static double project(const shown *one, double now) {
    if (one->what->period == BUDGET_TOTAL) return -1;
    const double share = (now - (double)one->span.start) / (double)(one->span.end - one->span.start);
    return share >= SHARE_MIN && share <= 1 ? dollars(one->sum.pico_dollars) / share : -1;
}

/* The figures of all, as they are at one moment; where there is no log yet, nothing is spent. */
static int read_figures(const place *where, const budget_list *list, double now, shown *out) {
    cleanup(database_close) sqlite3 *database = NULL;
    cleanup(database_finalize) sqlite3_stmt *statement = NULL;
    const bool has_log = access(where->log, F_OK) == 0;
    int failed = has_log ? database_open(NULL, &database) : EXIT_FINE;
    if (!failed && has_log) failed = database_begin(database);
    if (!failed && has_log && budget_spent_prepare(database, &statement))
        failed = program_fail("the log cannot be read: %s", sqlite3_errmsg(database));
    for (size_t i = 0; i < list->count && !failed; i++) {
        shown *one = &out[i];
        *one = (shown){.what = &list->items[i], .span = budget_span_of(list->items[i].period, (int64_t)now)};
        if (has_log && budget_spent(statement, one->what->scope, one->span, &one->sum))
            failed = program_fail("reading the log: %s", sqlite3_errmsg(database));
        one->part = (double)one->sum.pico_dollars / (double)one->what->limit;
        one->projected = project(one, now);
    }
    return failed;
}

static bool used_up(const shown *one) { return budget_reached(one->what, one->sum.pico_dollars, 100); }

static json_t *alerts_json(const budget *what) {
    json_t *alerts = json_array();
    for (size_t i = 0; i < what->alerts_count; i++) json_array_append_new(alerts, json_integer(what->alerts[i]));
    return alerts;
}

static int print_json(const shown *all, size_t count) {
    struct report array;
    int failed = EXIT_FINE;
    report_begin(&array, stdout);
    for (size_t i = 0; i < count && !failed; i++) {
        const shown *one = &all[i];
        const bool total = one->what->period == BUDGET_TOTAL;
        failed = report_row(
            &array,
            json_pack("{s:s, s:s, s:s, s:o, s:o, s:f, s:f, s:f, s:o, s:b, s:b, s:o, s:I, s:I, s:s}", "budget",
                      one->what->name, "scope", one->what->scope, "period", budget_period_name(one->what->period),
                      "period_start", total ? json_null() : json_integer(one->span.start), "until",
                      total ? json_null() : json_integer(one->span.end), "limit_usd", dollars(one->what->limit),
                      "spent_usd", dollars(one->sum.pico_dollars), "per_cent", one->part * 100, "projected_usd",
                      one->projected < 0 ? json_null() : json_real(one->projected), "stop", one->what->stop, "used_up",
                      used_up(one), "alert", alerts_json(one->what), "unpriced_calls", (json_int_t)one->sum.unpriced,
                      "estimated_calls", (json_int_t)one->sum.estimated, "file",
                      one->what->by_command ? BUDGET_FILE : "stenod.ini"));
    }
    report_end(&array);
    return failed;
}

static void money_cell(table *grid, size_t column, double amount, tone look) {
    char text[FORMAT_BYTES];
    format_money(amount * BUDGET_PICO_PER_DOLLAR, text);
    table_cell(grid, column, text, look);
}

static tone look_of(const shown *one) { return used_up(one) ? TONE_BAD : one->part >= 0.8 ? TONE_WAITING : TONE_PLAIN; }

static int print_table(const shown *all, size_t count) {
    cleanup(table_release) table *grid = table_new();
    if (!grid) return program_fail("out of memory");
    const size_t room = terminal_width();
    const bool wide = room >= BAR_COLUMNS, paced = !room || room >= PACE_COLUMNS; /* a pipe has room for all but bars */
    bool any_unpriced = false, any_estimated = false;
    for (size_t i = 0; i < count; i++) {
        any_unpriced = any_unpriced || all[i].sum.unpriced;
        any_estimated = any_estimated || all[i].sum.estimated;
    }
    const size_t name = table_column(grid, "BUDGET", TABLE_CUT),
                 scope = table_column(grid, "SCOPE", TABLE_CUT | TABLE_SPARE),
                 per = table_column(grid, "PER", TABLE_SPARE), spent = table_column(grid, "SPENT", TABLE_RIGHT),
                 limit = table_column(grid, "LIMIT", TABLE_RIGHT),
                 part = table_column(grid, "%", TABLE_RIGHT | TABLE_SPARE),
                 bar = wide ? table_column(grid, "", TABLE_SPARE) : 0,
                 pace = paced ? table_column(grid, "AT THIS PACE", TABLE_RIGHT | TABLE_SPARE) : 0,
                 stop = table_column(grid, "STOP", TABLE_LEFT),
                 unpriced = any_unpriced ? table_column(grid, "UNPRICED", TABLE_RIGHT | TABLE_SPARE) : 0,
                 estimated = any_estimated ? table_column(grid, "ESTIMATED", TABLE_RIGHT | TABLE_SPARE) : 0;
    for (size_t i = 0; i < count; i++) {
        const shown *one = &all[i];
        char text[FORMAT_BAR_BYTES];
        table_row(grid);
        table_cell(grid, name, one->what->name, TONE_PLAIN);
        table_cell(grid, scope, one->what->scope, TONE_PLAIN);
        table_cell(grid, per, budget_period_name(one->what->period), TONE_PLAIN);
        money_cell(grid, spent, dollars(one->sum.pico_dollars), look_of(one));
        money_cell(grid, limit, dollars(one->what->limit), TONE_PLAIN);
        snprintf(text, sizeof text, "%.0f", one->part * 100);
        table_cell(grid, part, text, look_of(one));
        format_bar(one->part > 1 ? 1 : one->part, BAR_CELLS, text);
        if (wide) table_cell(grid, bar, text, used_up(one) ? TONE_BAD : TONE_BAR);
        if (paced && one->projected >= 0) money_cell(grid, pace, one->projected, TONE_PLAIN);
        table_cell(grid, stop, !one->what->stop ? "" : used_up(one) ? "stopped" : "yes", look_of(one));
        if (one->sum.unpriced) table_count(grid, unpriced, one->sum.unpriced);
        if (one->sum.estimated) table_count(grid, estimated, one->sum.estimated);
    }
    return table_print(grid);
}

int budget_list_run(const budget_options *options, const char *argument) {
    (void)argument;
    place where;
    steno_error error;
    budget_list list;
    if (place_find(&where, NULL, &error) || budget_files_read(&where, &list, &error))
        return program_fail("%s", error.message);
    cleanup_free shown *all = calloc(list.count + 1, sizeof *all);
    int failed = all ? read_figures(&where, &list, identity_now(), all) : program_fail("out of memory");
    if (!failed) failed = options->json ? print_json(all, list.count) : print_table(all, list.count);
    budget_list_clear(&list);
    return failed;
}
