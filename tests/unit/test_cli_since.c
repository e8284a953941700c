/* Tests of cli/since.c: points in time as people type them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "cli/since.h"

#define NOW 1763924000.0

static void expect(const char *text, double expected) {
    double time = -1;
    assert_true(since_parse(text, NOW, &time));
    assert_float_equal(time, expected, 0.0001);
}

static void refuse(const char *text) {
    double time;
    assert_false(since_parse(text, NOW, &time));
}

static void a_span_counts_back_from_now(void **state) {
    (void)state;
    expect("90s", NOW - 90);
    expect("15m", NOW - 900);
    expect("2h", NOW - 7200);
    expect("1.5h", NOW - 5400);
    expect("3d", NOW - 3 * 86400);
    expect("1w", NOW - 7 * 86400);
}

static void a_date_is_local_midnight_and_a_zone_is_obeyed(void **state) {
    (void)state;
    setenv("TZ", "UTC-2", 1);
    tzset();
    expect("2025-11-23", 1763848800);
    expect("2025-11-23T20:53", 1763923980);
    expect("2025-11-23 20:53:20", NOW);
    expect("2025-11-23T18:53:20Z", NOW);
    expect("2025-11-23T18:53:20.25Z", NOW + 0.25);
    expect("2025-11-23T19:53:20+01:00", NOW);
    expect("2025-11-23T13:53:20-0500", NOW);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    const char *const nonsense[] = {"",
                                    "yesterdayish",
                                    "5",
                                    "5x",
                                    "2hh",
                                    "-2h",
                                    "h",
                                    "1e400d",
                                    "99999999w",
                                    "2025-02-30",
                                    "2025-13-01",
                                    "2025-11-23T",
                                    "2025-11-23T25:00",
                                    "2025-11-23T18:53:20+1",
                                    "2025-11-23T18:53:20Zx",
                                    "0x10h"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) refuse(nonsense[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_counts_back_from_now),
        cmocka_unit_test(a_date_is_local_midnight_and_a_zone_is_obeyed),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
