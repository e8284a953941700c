/* Tests of cli/cost_footer.c: what a month will have cost, and when it is too early to tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/cost_table.h"

#define DAY 86400.0

/* Thirty days, and $2 of them spent. */
static cost_report report_at(double days) {
    return (cost_report){.by = "model",
                         .has_month = true,
                         .month = {.name = "2026-11", .start = 1000 * DAY, .end = 1030 * DAY},
                         .this_month = {.calls = 3, .priced = 2, .cost = {.dollars = 2}},
                         .now = (1000 + days) * DAY};
}

static void expect(cost_report report, double expected) {
    double dollars = -1;
    assert_true(cost_projected(&report, &dollars));
    assert_float_equal(dollars, expected, 1e-9);
}

static void refuse(cost_report report) {
    double dollars;
    assert_false(cost_projected(&report, &dollars));
}

static void the_pace_until_now_goes_on_to_the_end(void **state) {
    (void)state;
    expect(report_at(10), 6);
    expect(report_at(15), 4);
    expect(report_at(30), 2);
}

static void the_first_hours_of_a_month_tell_nothing(void **state) {
    (void)state;
    refuse(report_at(0));
    refuse(report_at(0.59));
    expect(report_at(0.6), 100);
}

static void a_month_of_which_no_cost_is_known_has_no_projection(void **state) {
    (void)state;
    cost_report report = report_at(10);
    report.this_month.priced = 0;
    refuse(report);
    report = report_at(10);
    report.has_month = false;
    refuse(report);
}

static void a_clock_outside_of_the_month_has_no_projection(void **state) {
    (void)state;
    refuse(report_at(-1));
    refuse(report_at(31));
}

static void a_cost_is_known_where_one_call_has_one_or_none_lacks_it(void **state) {
    (void)state;
    assert_true(cost_known(&(cost_sum){.calls = 1, .priced = 1, .unpriced = 5}));
    assert_true(cost_known(&(cost_sum){.calls = 1, .failures = 1}));
    assert_false(cost_known(&(cost_sum){.calls = 1, .unpriced = 1}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pace_until_now_goes_on_to_the_end),
        cmocka_unit_test(the_first_hours_of_a_month_tell_nothing),
        cmocka_unit_test(a_month_of_which_no_cost_is_known_has_no_projection),
        cmocka_unit_test(a_clock_outside_of_the_month_has_no_projection),
        cmocka_unit_test(a_cost_is_known_where_one_call_has_one_or_none_lacks_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
