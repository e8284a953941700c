/* steno prices list: the entries that count, one a line. */
#include <fnmatch.h>
#include <string.h>

#include "cli/price_lines.h"
#include "cli/prices.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/table.h"
#include "client/price_provider.h"
#include "schema/clean.h"

/* Below this width there is no room for dates and long names of providers. */
#define NARROW_COLUMNS 100
#define PROVIDER_BYTES_NARROW 12

CLEANUP_FUNCTION(table_release, table, table_free)

static bool is_wanted(const price_entry *entry, const char *pattern, const char *provider) {
    if (!price_provider_is(entry->provider, provider)) return false;
    if (!pattern) return true;
    if (strpbrk(pattern, "*?[")) return fnmatch(pattern, entry->model, FNM_CASEFOLD) == 0;
    return strcasestr(entry->model, pattern) != NULL;
}

/* The plain price of a component, for a million of tokens. */
static void show_price(table *grid, size_t column, const price_entry *entry, price_component component) {
    char text[FORMAT_BYTES];
    const price_rate *rate = price_entry_rate(entry, component, STENO_TIER_STANDARD, 0);
    if (!rate) return;
    price_amount(price_per_million(rate->pico_dollars), text);
    table_cell(grid, column, text, TONE_PLAIN);
}

/* An alias with what it stands for: the prices are there. */
static void show_name(table *grid, size_t column, const price_entry *entry) {
    char text[2 * PRICE_MODEL_BYTES + 8];
    snprintf(text, sizeof text, entry->base_model ? "%s (as %.255s)" : "%s", entry->model, entry->base_model);
    table_cell(grid, column, text, TONE_PLAIN);
}

static int print_table(const price_rows *all, const char *pattern, const char *provider) {
    cleanup(table_release) table *grid = table_new();
    if (!grid) return program_fail("out of memory");
    const bool narrow = terminal_is() && terminal_width() < NARROW_COLUMNS;
    const size_t model = table_column(grid, "MODEL", TABLE_CUT), whose = table_column(grid, "PROVIDER", TABLE_SPARE),
                 input = table_column(grid, "INPUT", TABLE_RIGHT), output = table_column(grid, "OUTPUT", TABLE_RIGHT),
                 cached = table_column(grid, "CACHE READ", TABLE_RIGHT | TABLE_SPARE),
                 source = table_column(grid, "SOURCE", TABLE_SPARE),
                 date = narrow ? 0 : table_column(grid, "PRICES OF", TABLE_SPARE);
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++) {
        const price_entry *entry = all->rows[i].entry;
        if (!is_wanted(entry, pattern, provider)) continue;
        count++;
        table_row(grid);
        show_name(grid, model, entry);
        table_cell_n(grid, whose, entry->provider,
                     entry->provider ? strnlen(entry->provider, narrow ? PROVIDER_BYTES_NARROW : SIZE_MAX) : 0,
                     TONE_PLAIN);
        show_price(grid, input, entry, PRICE_INPUT);
        show_price(grid, output, entry, PRICE_OUTPUT);
        show_price(grid, cached, entry, PRICE_CACHE_READ);
        table_cell(grid, source, prices_layer_name(all->rows[i].layer),
                   all->rows[i].layer == PRICES_BUILT_IN ? TONE_DIM : TONE_PLAIN);
        if (!narrow) table_cell(grid, date, entry->date, TONE_DIM);
    }
    if (count == 0)
        return program_fail("no entry%s%s%s%s%s", pattern ? " has " : "", pattern ? pattern : "",
                            pattern ? " in its name" : "", provider ? " and is of " : "", provider ? provider : "");
    const int failed = table_print(grid);
    if (failed) return failed;
    putchar('\n');
    terminal_paragraphs("Dollars for a million tokens; \"steno prices show MODEL\" has every price of a model.\n");
    return EXIT_FINE;
}

static int print_json(const price_rows *all, const char *pattern, const char *provider) {
    struct report array;
    int failed = EXIT_FINE;
    report_begin(&array, stdout);
    for (size_t i = 0; !failed && i < all->count; i++)
        if (is_wanted(all->rows[i].entry, pattern, provider))
            failed = report_row(&array, prices_entry_json(&all->rows[i]));
    report_end(&array);
    return failed;
}

int prices_list(const prices_options *options, const char *pattern) {
    cleanup(prices_release) prices_view view = {0};
    cleanup(price_rows_release) price_rows all = {0};
    const int failed = prices_open(&view);
    if (failed) return failed;
    if (!price_rows_of(&view, &all)) return program_fail("out of memory");
    return options->json ? print_json(&all, pattern, options->provider) : print_table(&all, pattern, options->provider);
}
