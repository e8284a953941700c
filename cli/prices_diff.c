/* steno prices diff: which prices differ between two states of the tables. */
#include <stdio.h>
#include <string.h>

#include "cli/format.h"
#include "cli/price_lines.h"
#include "cli/prices.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/table.h"
#include "schema/clean.h"

CLEANUP_FUNCTION(table_release, table, table_free)
CLEANUP_FUNCTION(clean_table, price_table, price_table_release)

/* ---- for people ---- */

typedef struct grid {
    table *table;
    size_t model, price, when, before, after, source;
} grid;

static void show_line(const grid *to, const char *model, const char *source, const price_line *before,
                      const price_line *after) {
    char text[FORMAT_BYTES];
    const price_line *any = before ? before : after;
    table_row(to->table);
    table_cell(to->table, to->model, model, TONE_PLAIN);
    table_cell(to->table, to->price, any->name, TONE_PLAIN);
    table_cell(to->table, to->when, any->condition, TONE_PLAIN);
    price_line_amount(before, text);
    table_cell(to->table, to->before, text, TONE_PLAIN);
    price_line_amount(after, text);
    table_cell(to->table, to->after, text, TONE_STRONG);
    table_cell(to->table, to->source, source, TONE_DIM);
}

static void show_whole(const grid *to, const price_row *row, const char *what) {
    table_row(to->table);
    table_cell(to->table, to->model, row->entry->model, TONE_PLAIN);
    table_cell(to->table, to->price, what, TONE_DIM);
    table_cell(to->table, to->source, prices_layer_name(row->layer), TONE_DIM);
}

static void on_changed_show(const price_row *before, const price_row *after, void *ctx) {
    const grid *to = ctx;
    price_lines lines_before, lines_after;
    const price_line *left, *right;
    size_t at_before = 0, at_after = 0;
    if (!before || !after) {
        show_whole(to, before ? before : after, before ? "gone" : "new entry");
        return;
    }
    price_lines_of(before->entry, &lines_before);
    price_lines_of(after->entry, &lines_after);
    while (price_lines_pair(&lines_before, &at_before, &lines_after, &at_after, &left, &right))
        if (!price_line_same(left, right))
            show_line(to, after->entry->model, prices_layer_name(after->layer), left, right);
}

static int print_table(const price_rows *before, const price_rows *after) {
    cleanup(table_release) table *made = table_new();
    if (!made) return program_fail("out of memory");
    grid to = {.table = made,
               .model = table_column(made, "MODEL", TABLE_CUT),
               .price = table_column(made, "PRICE", TABLE_LEFT),
               .when = table_column(made, "FOR", TABLE_CUT | TABLE_SPARE),
               .before = table_column(made, "BEFORE", TABLE_RIGHT),
               .after = table_column(made, "AFTER", TABLE_RIGHT),
               .source = table_column(made, "SOURCE", TABLE_SPARE)};
    const price_changes changes = price_rows_compare(before, after, on_changed_show, &to);
    const bool any = changes.added || changes.changed || changes.gone;
    const int failed = any ? table_print(made) : EXIT_FINE;
    if (failed) return failed;
    if (any) terminal_paragraphs("\nDollars for a million tokens, or for one of anything else.\n");
    prices_print_changes(changes);
    return EXIT_FINE;
}

/* ---- for programs ---- */

typedef struct listing {
    struct report array;
    int failed;
} listing;

static json_t *lines_json(const price_row *before, const price_row *after) {
    price_lines lines_before, lines_after;
    const price_line *left, *right;
    size_t at_before = 0, at_after = 0;
    json_t *object = json_object();
    price_lines_of(before ? before->entry : NULL, &lines_before);
    price_lines_of(after ? after->entry : NULL, &lines_after);
    while (price_lines_pair(&lines_before, &at_before, &lines_after, &at_after, &left, &right))
        if (!price_line_same(left, right))
            json_object_set_new(
                object, (left ? left : right)->key,
                json_pack("{s:o, s:o}", "before", price_line_json(left), "after", price_line_json(right)));
    return object;
}

static void on_changed_list(const price_row *before, const price_row *after, void *ctx) {
    listing *to = ctx;
    const price_row *any = after ? after : before;
    if (to->failed) return;
    to->failed =
        report_row(&to->array, json_pack("{s:s, s:s, s:s, s:o}", "model", any->entry->model, "change",
                                         !before  ? "new"
                                         : !after ? "gone"
                                                  : "changed",
                                         "source", prices_layer_name(any->layer), "prices", lines_json(before, after)));
}

static int print_json(const price_rows *before, const price_rows *after) {
    listing to = {0};
    report_begin(&to.array, stdout);
    price_rows_compare(before, after, on_changed_list, &to);
    report_end(&to.array);
    return to.failed;
}

/* ---- what is compared ---- */

int prices_diff(const prices_options *options, const char *argument) {
    cleanup(prices_release) prices_view view = {0};
    cleanup(price_source_release) price_source source = {0};
    cleanup(clean_table) price_table *read = NULL;
    cleanup(price_rows_release) price_rows before = {0}, after = {0};
    int failed = prices_open(&view);
    if (!failed && argument) failed = price_source_read(argument, options->timeout_ms, &source);
    if (!failed && argument) failed = prices_parse(&source, NULL, &read);
    if (failed) return failed;
    /* What is in force against what is built in; or what would be imported against what was, the user's own entries aside. */
    prices_view from = {.tables = {view.tables[PRICES_BUILT_IN]}}, to = view;
    if (argument) {
        from.tables[PRICES_LAYER_IMPORTED] = view.tables[PRICES_LAYER_IMPORTED];
        to = (prices_view){.tables = {view.tables[PRICES_BUILT_IN], read}};
    }
    if (!price_rows_of(&from, &before) || !price_rows_of(&to, &after)) return program_fail("out of memory");
    return options->json ? print_json(&before, &after) : print_table(&before, &after);
}
