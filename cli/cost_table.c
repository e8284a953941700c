/* The table of `steno cost`, on a terminal with bars: a chart where rows are days, weeks or months. Nothing is read here. */
#include "cli/cost_table.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "cli/format.h"
#include "cli/program.h"
#include "cli/table.h"
#include "schema/clean.h"

#define BAR_CELLS_NARROW 8
#define BAR_CELLS_WIDE 30
/* From this width on there is room for long bars, and below that one for none; less where there are more columns than the usual. */
#define WIDE_COLUMNS 100
#define NARROW_COLUMNS 70
#define EXTRA_COLUMNS 20
/* A chart with more rows than this is a list: days without calls are left out of it. */
#define CHART_ROWS_MAX 120

typedef struct columns {
    size_t name, calls, failed, in, out, cost, saved, reported, estimated, unpriced, bar;
    bool has_saved, has_reported, has_estimated; /* the column is there: something is in it */
    size_t bar_cells;
    double most; /* dollars of the longest bar */
} columns;

bool cost_known(const cost_sum *row) { return row->priced > 0 || row->unpriced == 0; }

static columns begin(table *grid, const cost_report *report) {
    char heading[32] = "";
    for (size_t i = 0; report->by[i] && i + 1 < sizeof heading; i++)
        heading[i] = (char)toupper((unsigned char)report->by[i]);
    columns at = {.name = table_column(grid, heading, TABLE_CUT),
                  .calls = table_column(grid, "CALLS", TABLE_RIGHT),
                  .failed = table_column(grid, "FAILED", TABLE_RIGHT | TABLE_SPARE),
                  .in = table_column(grid, "IN", TABLE_RIGHT | TABLE_SPARE),
                  .out = table_column(grid, "OUT", TABLE_RIGHT | TABLE_SPARE),
                  .cost = table_column(grid, "COST", TABLE_RIGHT),
                  .has_saved = money_any(report->total.saved),
                  .has_reported = money_any(report->total.reported),
                  .has_estimated = report->total.estimated > 0};
    if (at.has_reported) at.reported = table_column(grid, "REPORTED", TABLE_RIGHT | TABLE_SPARE);
    if (at.has_saved) at.saved = table_column(grid, "SAVED", TABLE_RIGHT | TABLE_SPARE);
    if (at.has_estimated) at.estimated = table_column(grid, "ESTIMATED", TABLE_RIGHT | TABLE_SPARE);
    at.unpriced = table_column(grid, "UNPRICED", TABLE_RIGHT | TABLE_SPARE);
    const size_t extra = EXTRA_COLUMNS * ((size_t)at.has_saved + at.has_reported + at.has_estimated);
    const size_t room = terminal_width() > extra ? terminal_width() - extra : 0;
    at.bar_cells = room < NARROW_COLUMNS ? 0 : room < WIDE_COLUMNS ? BAR_CELLS_NARROW : BAR_CELLS_WIDE;
    if (at.bar_cells) at.bar = table_column(grid, "", TABLE_LEFT);
    for (size_t i = 0; i < report->rows.count; i++) at.most = fmax(at.most, money_dollars(report->rows.rows[i].cost));
    return at;
}

static void show_money(table *grid, size_t column, money sum, tone look) {
    char text[FORMAT_BYTES];
    format_money(money_pico(sum), text);
    table_cell(grid, column, text, look);
}

static void show_some(table *grid, size_t column, int64_t count, tone look) {
    char text[FORMAT_BYTES];
    if (count == 0) return;
    format_count(count, terminal_is(), text);
    table_cell(grid, column, text, look);
}

static void show_row(table *grid, const columns *at, const cost_sum *row, const char *name, tone look) {
    table_row(grid);
    table_cell(grid, at->name, name ? name : "(none)", name ? look : TONE_DIM);
    table_count(grid, at->calls, row->calls);
    show_some(grid, at->failed, row->failures, TONE_PLAIN);
    table_count(grid, at->in, row->prompt_tokens);
    table_count(grid, at->out, row->completion_tokens);
    if (cost_known(row))
        show_money(grid, at->cost, row->cost, look);
    else
        table_cell(grid, at->cost, "unpriced", TONE_WAITING);
    if (money_any(row->reported)) show_money(grid, at->reported, row->reported, TONE_PLAIN);
    if (money_any(row->saved)) show_money(grid, at->saved, row->saved, TONE_PLAIN);
    if (at->has_estimated) show_some(grid, at->estimated, row->estimated, TONE_WAITING);
    show_some(grid, at->unpriced, row->unpriced, TONE_WAITING);
}

static void show_bar(table *grid, const columns *at, const cost_sum *row) {
    char bar[FORMAT_BAR_BYTES];
    if (!at->bar_cells || !(at->most > 0)) return;
    format_bar(money_dollars(row->cost) / at->most, at->bar_cells, bar);
    table_cell(grid, at->bar, bar, TONE_BAR);
}

/* How many days (weeks, months) without calls are between two rows; -1: the rows are not in time, or lie too far apart for a chart. */
static int gap(const char *by, const char *from, const char *to, int most) {
    char at[CALENDAR_BYTES];
    if (!calendar_next(by, from, at)) return -1;
    for (int days = 0; days <= most; days++) {
        if (strcmp(at, to) == 0) return days;
        char next[CALENDAR_BYTES];
        if (!calendar_next(by, at, next)) return -1;
        strcpy(at, next);
    }
    return -1;
}

/* Days without calls are there too, so that the bars are as far apart as they were in time; unless they would be most of it. */
static bool is_chart(const cost_report *report) {
    if (!terminal_is() || !calendar_is(report->by)) return false;
    int rows = (int)(report->rows.count < CHART_ROWS_MAX ? report->rows.count : CHART_ROWS_MAX);
    for (size_t i = 1; i < report->rows.count; i++) {
        const char *from = report->rows.rows[i - 1].name, *to = report->rows.rows[i].name;
        const int days = from && to ? gap(report->by, from, to, CHART_ROWS_MAX - rows) : -1;
        if (days < 0) return false;
        rows += days;
    }
    return rows <= CHART_ROWS_MAX;
}

static void show_empty_days(table *grid, const columns *at, const char *by, const char *from, const char *to) {
    char day[CALENDAR_BYTES], next[CALENDAR_BYTES];
    for (bool more = calendar_next(by, from, day); more && strcmp(day, to) != 0; strcpy(day, next)) {
        table_row(grid);
        table_cell(grid, at->name, day, TONE_DIM);
        more = calendar_next(by, day, next);
    }
}

CLEANUP_FUNCTION(table_release, table, table_free)

int cost_table_print(const cost_report *report) {
    cleanup(table_release) table *grid = table_new();
    if (!grid) return program_fail("out of memory");
    const columns at = begin(grid, report);
    const bool chart = is_chart(report);
    for (size_t i = 0; i < report->rows.count; i++) {
        const cost_sum *row = &report->rows.rows[i];
        if (chart && i) show_empty_days(grid, &at, report->by, report->rows.rows[i - 1].name, row->name);
        show_row(grid, &at, row, row->name, TONE_PLAIN);
        show_bar(grid, &at, row);
    }
    if (report->rows.count != 1) show_row(grid, &at, &report->total, "total", TONE_STRONG);
    return table_print(grid);
}
