/* Tests of cli/format.c: numbers as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "cli/format.h"

static void expect_money(double dollars, const char *expected) {
    char out[FORMAT_BYTES];
    format_money(dollars * 1e12, out);
    assert_string_equal(out, expected);
}

static void small_money_keeps_three_digits_that_count(void **state) {
    (void)state;
    expect_money(0.000123, "$0.000123");
    expect_money(0.0000000015, "$0.00000000150");
    expect_money(1e-12, "$0.000000000001");
    expect_money(0.25, "$0.250");
}

static void money_from_a_dollar_on_has_cents(void **state) {
    (void)state;
    expect_money(0, "$0");
    expect_money(0.9999, "$1.00");
    expect_money(1.999, "$2.00");
    expect_money(1204.5, "$1,204.50");
    expect_money(1e30, "$90,000,000,000,000,000.00"); /* beyond any money: bounded, not undefined */
}

static void expect_count(int64_t count, bool separators, const char *expected) {
    char out[FORMAT_BYTES];
    format_count(count, separators, out);
    assert_string_equal(out, expected);
}

static void counts_have_separators_only_where_asked(void **state) {
    (void)state;
    expect_count(0, true, "0");
    expect_count(999, true, "999");
    expect_count(1000, true, "1,000");
    expect_count(1234567, true, "1,234,567");
    expect_count(1234567, false, "1234567");
    expect_count(-1000, true, "-1,000");
    expect_count(INT64_MIN, true, "-9,223,372,036,854,775,808");
}

static void expect_duration(double seconds, const char *expected) {
    char out[FORMAT_BYTES];
    format_duration(seconds, out);
    assert_string_equal(out, expected);
}

static void durations_have_the_unit_that_fits(void **state) {
    (void)state;
    expect_duration(-1, "0ms");
    expect_duration(0.0123, "12ms");
    expect_duration(0.9999, "1.00s");
    expect_duration(1.239, "1.24s");
    expect_duration(59.9, "59.9s");
    expect_duration(59.999, "0m59s");
    expect_duration(125, "2m05s");
    expect_duration(3 * 3600 + 20 * 60, "3h20m");
    expect_duration(4 * 86400 + 2 * 3600, "4d02h");
}

static void sizes_have_binary_units(void **state) {
    (void)state;
    char out[FORMAT_BYTES];
    format_size(512, out);
    assert_string_equal(out, "512 B");
    format_size(1.5 * 1024 * 1024, out);
    assert_string_equal(out, "1.5 MiB");
}

static void times_are_iso_utc_with_carried_milliseconds(void **state) {
    (void)state;
    char out[FORMAT_BYTES];
    format_time_iso(0, out);
    assert_string_equal(out, "1970-01-01T00:00:00.000Z");
    format_time_iso(1763924000.9996, out);
    assert_string_equal(out, "2025-11-23T18:53:21.000Z");
    format_time_iso(1e300, out);
    assert_string_equal(out, "9999-12-31T23:59:59.000Z");
}

static void times_for_people_are_local(void **state) {
    (void)state;
    char out[FORMAT_BYTES];
    setenv("TZ", "UTC-2", 1);
    tzset();
    format_time_local(1763924000, out);
    assert_string_equal(out, "Nov 23 20:53:20");
    format_time_short(1763924000, 1763924000 + 3600, out);
    assert_string_equal(out, "20:53:20");
    format_time_short(1763924000, 1763924000 + 4 * 3600, out); /* past midnight */
    assert_string_equal(out, "Nov 23 20:53");
}

static void a_bar_is_never_longer_than_its_cells_and_shows_what_is_not_nothing(void **state) {
    (void)state;
    char out[FORMAT_BAR_BYTES];
    format_bar(0, 4, out);
    assert_string_equal(out, "");
    format_bar(0.0001, 4, out);
    assert_string_equal(out, "▏");
    format_bar(0.5, 4, out);
    assert_string_equal(out, "██");
    format_bar(7, 4, out);
    assert_string_equal(out, "████");
    format_bar(1, 1000, out);
    assert_int_equal(sizeof out - 1, FORMAT_BAR_CELLS_MAX * 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_money_keeps_three_digits_that_count),
        cmocka_unit_test(money_from_a_dollar_on_has_cents),
        cmocka_unit_test(counts_have_separators_only_where_asked),
        cmocka_unit_test(durations_have_the_unit_that_fits),
        cmocka_unit_test(sizes_have_binary_units),
        cmocka_unit_test(times_are_iso_utc_with_carried_milliseconds),
        cmocka_unit_test(times_for_people_are_local),
        cmocka_unit_test(a_bar_is_never_longer_than_its_cells_and_shows_what_is_not_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
