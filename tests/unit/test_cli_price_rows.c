/* Tests of cli/price_rows.c and price_lines.c: price files on top of each other, and what differs between two states of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/price_lines.h"
#include "cli/price_rows.h"

static price_table *table_of(const char *json) {
    price_table *table;
    steno_error error;
    if (price_table_parse("test", json, strlen(json), NULL, &table, &error)) fail_msg("%s", error.message);
    return table;
}

/* "name layer, …", of what counts. */
static void expect_rows(const prices_view *view, const char *expected) {
    price_rows rows;
    char text[512] = "";
    assert_true(price_rows_of(view, &rows));
    for (size_t i = 0; i < rows.count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s %s", i ? ", " : "", rows.rows[i].entry->model,
                 prices_layer_name(rows.rows[i].layer));
    assert_string_equal(text, expected);
    price_rows_release(&rows);
}

static void the_highest_layer_that_has_a_name_counts(void **state) {
    (void)state;
    prices_view view = {
        .tables = {table_of("{\"b\": {\"input_cost_per_token\": 1}, \"a\": {\"input_cost_per_token\": 1}, "
                            "\"d\": {\"input_cost_per_token\": 1}}"),
                   table_of("{\"c\": {\"input_cost_per_token\": 2}, \"b\": {\"input_cost_per_token\": 2}, "
                            "\"d\": {\"input_cost_per_token\": 2}}"),
                   table_of("{\"d\": {\"base_model\": \"a\"}}")}};
    expect_rows(&view, "a built-in, b imported, c imported, d own");
    const prices_view two = {.tables = {view.tables[PRICES_BUILT_IN], NULL, view.tables[PRICES_LAYER_OWN]}};
    expect_rows(&two, "a built-in, b built-in, d own");
    expect_rows(&(prices_view){0}, "");
    prices_release(&view);
}

static void names_that_differ_by_case_are_two(void **state) {
    (void)state;
    prices_view view = {
        .tables = {table_of("{\"GPT\": {\"input_cost_per_token\": 1}, \"gpt\": {\"input_cost_per_token\": 1}}"),
                   table_of("{\"gpt\": {\"input_cost_per_token\": 2}}")}};
    expect_rows(&view, "GPT built-in, gpt imported");
    prices_release(&view);
}

static void on_changed(const price_row *before, const price_row *after, void *ctx) {
    char *text = ctx;
    sprintf(text + strlen(text), "%c%s ", !before ? '+' : !after ? '-' : '!', (after ? after : before)->entry->model);
}

static void what_is_new_changed_or_gone_is_told_once(void **state) {
    (void)state;
    prices_view from = {
        .tables = {table_of(
            "{\"same\": {\"input_cost_per_token\": 1, \"output_cost_per_token\": 2, \"price_date\": \"2020-01-01\"}, "
            "\"gone\": {\"input_cost_per_token\": 1}, \"dearer\": {\"input_cost_per_token\": 1}, "
            "\"moved\": {\"input_cost_per_token\": 1, \"litellm_provider\": \"a\"}, "
            "\"fewer\": {\"input_cost_per_token\": 1, \"output_cost_per_token\": 2}}")}};
    prices_view to = {
        .tables = {
            table_of("{\"same\": {\"output_cost_per_token\": \"2\", \"input_cost_per_token\": 1.0}, "
                     "\"new\": {\"input_cost_per_token\": 1}, \"dearer\": {\"input_cost_per_token\": 1.000000000001}, "
                     "\"moved\": {\"input_cost_per_token\": 1, \"litellm_provider\": \"b\"}, "
                     "\"fewer\": {\"input_cost_per_token\": 1}}")}};
    price_rows before, after;
    char told[256] = "";
    assert_true(price_rows_of(&from, &before) && price_rows_of(&to, &after));
    const price_changes changes = price_rows_compare(&before, &after, on_changed, told);
    assert_string_equal(told, "!dearer !fewer -gone !moved +new ");
    assert_int_equal(changes.added, 1);
    assert_int_equal(changes.changed, 3);
    assert_int_equal(changes.gone, 1);
    price_rows_release(&before);
    price_rows_release(&after);
    prices_release(&from);
    prices_release(&to);
}

static void a_price_has_all_of_its_digits_and_at_least_cents(void **state) {
    (void)state;
    char text[FORMAT_BYTES];
    static const struct {
        int64_t each;
        const char *million;
    } cases[] = {{2500000, "$2.50"},
                 {75000, "$0.075"},
                 {10000000, "$10.00"},
                 {0, "$0.00"},
                 {1, "$0.000001"},
                 {1234567, "$1.234567"},
                 {1000000000000000, "$1000000000.00"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        price_amount(price_per_million(cases[i].each), text);
        assert_string_equal(text, cases[i].million);
    }
}

/* Every price that an entry may have at most: the lines hold them all. */
static void the_fullest_entry_has_room(void **state) {
    (void)state;
    static char json[1 << 16];
    size_t size = (size_t)sprintf(json, "{\"full\": {\"litellm_provider\": \"p\", \"base_model\": \"b\"");
    for (int i = 1; i <= PRICE_RATES_MAX; i++)
        size += (size_t)sprintf(json + size, ", \"input_cost_per_token_above_%dk_tokens\": 1", i);
    for (int i = 0; i < PRICE_FACTORS_MAX; i++)
        size += (size_t)sprintf(json + size, ", \"regional_processing_uplift_multiplier_r%d\": 1.1", i);
    sprintf(json + size, "}}");
    price_table *table = table_of(json);
    price_lines *lines = malloc(sizeof *lines);
    assert_non_null(lines);
    assert_int_equal(table->count, 1);
    price_lines_of(&table->entries[0], lines);
    assert_int_equal(lines->count, PRICE_LINES_MAX);
    assert_string_equal(lines->lines[0].key, "base_model");
    assert_string_equal(lines->lines[PRICE_LINES_MAX - 1].condition, "region r7");
    free(lines);
    price_table_release(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_layer_that_has_a_name_counts),
        cmocka_unit_test(names_that_differ_by_case_are_two),
        cmocka_unit_test(what_is_new_changed_or_gone_is_told_once),
        cmocka_unit_test(a_price_has_all_of_its_digits_and_at_least_cents),
        cmocka_unit_test(the_fullest_entry_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
