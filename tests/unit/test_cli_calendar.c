/* Tests of cli/calendar.c: days, weeks and months of local time, across changes of the clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "cli/calendar.h"

static int berlin(void **state) {
    (void)state;
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    return 0;
}

static void expect_month(double time, const char *name, double start, double end) {
    calendar_month month;
    assert_true(calendar_month_of(time, &month));
    assert_string_equal(month.name, name);
    assert_true(month.start == start);
    assert_true(month.end == end);
}

static void a_month_is_local_and_has_the_hours_that_the_clocks_give_it(void **state) {
    (void)state;
    expect_month(1793487600 - 1, "2026-10", 1790805600, 1793487600); /* 31 days and an hour */
    expect_month(1793487600, "2026-11", 1793487600, 1796079600);
    expect_month(1772319600, "2026-03", 1772319600, 1774994400); /* 31 days less an hour */
    expect_month(1798758000 - 1, "2026-12", 1796079600, 1798758000);
}

static void a_time_beyond_every_calendar_has_no_month(void **state) {
    (void)state;
    calendar_month month;
    assert_false(calendar_month_of(1e18, &month));
}

static void expect_next(const char *by, const char *name, const char *next) {
    char out[CALENDAR_BYTES];
    assert_true(calendar_next(by, name, out));
    assert_string_equal(out, next);
}

static void each_day_week_and_month_has_a_next(void **state) {
    (void)state;
    expect_next("day", "2026-10-24", "2026-10-25");
    expect_next("day", "2026-10-25", "2026-10-26");
    expect_next("day", "2026-12-31", "2027-01-01");
    expect_next("day", "2028-02-28", "2028-02-29");
    expect_next("week", "2026-03-23", "2026-03-30");
    expect_next("week", "2026-12-28", "2027-01-04");
    expect_next("month", "2026-12", "2027-01");
}

static void what_is_no_date_has_no_next(void **state) {
    (void)state;
    char out[CALENDAR_BYTES];
    assert_false(calendar_next("day", "gpt-4o", out));
    assert_false(calendar_next("day", "2026-10", out));
    assert_false(calendar_next("month", "2026-10-01", out));
    assert_true(calendar_is("week"));
    assert_false(calendar_is("model"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_month_is_local_and_has_the_hours_that_the_clocks_give_it),
        cmocka_unit_test(a_time_beyond_every_calendar_has_no_month),
        cmocka_unit_test(each_day_week_and_month_has_a_next),
        cmocka_unit_test(what_is_no_date_has_no_next),
    };
    return cmocka_run_group_tests(tests, berlin, NULL);
}
