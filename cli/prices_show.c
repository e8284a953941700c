/* steno prices show: which entry a call of a model is priced by, how it was found, and everything in it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/price_lines.h"
#include "cli/prices.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/text.h"
#include "schema/clean.h"

/* More names than prices_find() can try for a model without a second one. */
#define TRIED_MAX 128

/* The names that were looked for, each once: own entries are looked through first, under the same names. */
typedef struct names {
    char *items[TRIED_MAX]; /* owned */
    size_t count;
} names;

CLEANUP_FUNCTION(table_release, table, table_free)

static void release_names(names *tried) {
    for (size_t i = 0; i < tried->count; i++) free(tried->items[i]);
}

static void on_tried(const char *name, void *ctx) {
    names *tried = ctx;
    for (size_t i = 0; i < tried->count; i++)
        if (strcmp(tried->items[i], name) == 0) return;
    char *copy = tried->count < TRIED_MAX ? strdup(name) : NULL;
    if (copy) tried->items[tried->count++] = copy;
}

/* "a, b, c", owned by the caller. */
static char *join(const names *tried) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    for (size_t i = 0; i < tried->count; i++) fprintf(out, "%s%s", i ? ", " : "", tried->items[i]);
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}

static int unknown(const char *model, const prices_found *found, const names *tried) {
    cleanup_free char *list = join(tried);
    if (found->named)
        return program_fail("no price is known for \"%s\": the entry %s stands for %s, which has none", model,
                            found->named->model, found->named->base_model);
    return program_fail("no price is known for \"%s\": there is no entry called %s", model, list ? list : model);
}

static void put_fact(const char *name, const char *value) {
    if (!value || !*value) return;
    printf("%-10s ", name);
    text_put(stdout, value, strlen(value), terminal_is() ? TEXT_LINE : TEXT_RAW);
    putchar('\n');
}

/* In which order the names were looked for: the last is the one that was found. */
static void put_tried(const names *tried) {
    cleanup_free char *list = join(tried), *safe = list ? text_line(list, strlen(list)) : NULL, *sentence = NULL;
    if (!safe || asprintf(&sentence, "\nLooked for %s.\n\n", safe) < 0) return;
    terminal_paragraphs(sentence);
}

/* Where a component is billed that has no price of its own: PRICE_COMPONENTS, if nowhere else. */
static price_component billed_as(const price_entry *entry, price_component component) {
    price_component at = component;
    while (!price_entry_rate(entry, at, STENO_TIER_STANDARD, INT64_MAX)) {
        if (price_component_parent(at) == at) return PRICE_COMPONENTS;
        at = price_component_parent(at);
    }
    return at == component ? PRICE_COMPONENTS : at;
}

/* "Without a price of their own: cache_read, input_image (as input); output_audio (as output)." */
static void put_substitutes(const price_entry *entry) {
    cleanup_free char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return; /* the prices are there */
    bool any = false;
    for (price_component as = 0; as < PRICE_REQUEST; as++) {
        bool listed = false;
        for (price_component i = 0; i < PRICE_REQUEST; i++) {
            if (billed_as(entry, i) != as) continue;
            fprintf(out, "%s%s",
                    listed ? ", "
                    : any  ? "; "
                           : "Without a price of their own: ",
                    price_component_name(i));
            listed = any = true;
        }
        if (listed) fprintf(out, " (as %s)", price_component_name(as));
    }
    if (any) fputs(".\n", out);
    if (fclose(out) || !any) return;
    putchar('\n');
    terminal_paragraphs(text);
}

static int print_table(const price_entry *entry) {
    cleanup(table_release) table *grid = table_new();
    if (!grid) return program_fail("out of memory");
    const size_t what = table_column(grid, "PRICE", TABLE_LEFT), when = table_column(grid, "FOR", TABLE_CUT),
                 amount = table_column(grid, "DOLLARS", TABLE_RIGHT), per = table_column(grid, "", TABLE_LEFT);
    price_lines all;
    price_lines_of(entry, &all);
    for (size_t i = 0; i < all.count; i++) {
        const price_line *line = &all.lines[i];
        char text[FORMAT_BYTES];
        if (line->unit == PRICE_TEXT) continue;
        price_line_amount(line, text);
        table_row(grid);
        table_cell(grid, what, line->name, TONE_PLAIN);
        table_cell(grid, when, line->condition, TONE_PLAIN);
        table_cell(grid, amount, text, TONE_PLAIN);
        table_cell(grid, per, price_line_per(line), TONE_DIM);
    }
    return table_print(grid);
}

static int print_found(const char *model, const prices_found *found, const names *tried) {
    const price_entry *entry = found->entry;
    put_fact("Model", model);
    put_fact("Entry", entry->model);
    if (found->named != entry) put_fact("Alias", found->named->model);
    put_fact("Provider", entry->provider ? entry->provider : "any");
    put_fact("Prices of", entry->date);
    put_fact("Source", prices_layer_name(found->layer));
    put_fact("Origin", entry->origin);
    put_tried(tried);
    const int failed = print_table(entry);
    if (!failed) put_substitutes(entry);
    return failed;
}

static int print_json(const char *model, const prices_found *found, const names *tried) {
    const price_row row = {.entry = found->entry, .layer = found->layer};
    json_t *object = prices_entry_json(&row), *list = json_array();
    for (size_t i = 0; i < tried->count; i++) json_array_append_new(list, json_string(tried->items[i]));
    json_object_set_new(object, "tried", list);
    json_object_set_new(object, "entry", json_string(found->entry->model));
    json_object_set_new(object, "named", json_string(found->named->model));
    json_object_set_new(object, "model", json_string(model));
    const int failed = !object || json_dumpf(object, stdout, REPORT_JSON_FLAGS) != 0;
    json_decref(object);
    putchar('\n');
    return failed && !ferror(stdout) ? program_fail("out of memory") : EXIT_FINE;
}

int prices_show(const prices_options *options, const char *model) {
    cleanup(prices_release) prices_view view = {0};
    cleanup(release_names) names tried = {0};
    const int failed = prices_open(&view);
    if (failed) return failed;
    steno_cost_ask ask = STENO_COST_ASK_INIT;
    ask.model = model;
    ask.provider = options->provider;
    const prices_found found = prices_find(&view, &ask, on_tried, &tried);
    if (!found.entry) return unknown(model, &found, &tried);
    return options->json ? print_json(model, &found, &tried) : print_found(model, &found, &tried);
}
