/* schema/local_time.c, and what stands on it: where clocks are put forward or back at midnight, days begin once and nothing is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cli/calendar.h"
#include "cli/since.h"
#include "schema/budget.h"
#include "schema/local_time.h"

static void set_zone(const char *zone) {
    setenv("TZ", zone, 1);
    tzset();
}

/* mktime remembers what it said last: whatever that was must not matter. */
static void stir(void) {
    static const time_t times[] = {1784000000, 1768000000};
    static size_t next;
    struct tm parts;
    mktime(localtime_r(&times[next++ % 2], &parts));
}

static void expect(const char *zone, const char *text, int64_t expected) {
    set_zone(zone);
    for (int i = 0; i < 2; i++) {
        double time = -1;
        stir();
        if (!since_parse(text, 0, &time) || time != (double)expected)
            fail_msg("%s, %s: %lld, not %lld", zone, text, (long long)time, (long long)expected);
    }
}

static void a_day_with_two_midnights_begins_at_the_first(void **state) {
    (void)state;
    expect("America/Havana", "2026-11-01", 1793505600); /* 00:00 at -4, an hour later again at -5 */
    expect("America/Havana", "2026-11-01T00:00", 1793505600);
    expect("Atlantic/Azores", "2020-10-25", 1603584000); /* 00:00 at 0, an hour later again at -1 */
    expect("Asia/Amman", "2015-10-30", 1446152400);
}

static void a_day_without_a_midnight_begins_when_the_clocks_have_been_put_forward(void **state) {
    (void)state;
    expect("America/Havana", "2026-03-08", 1772946000); /* 01:00 at -4 */
    expect("Africa/Cairo", "2026-04-24", 1776981600);   /* 01:00 at +3 */
    expect("Africa/Cairo", "2026-04-24T00:30", 1776983400);
}

static void a_time_that_is_there_twice_is_the_first(void **state) {
    (void)state;
    expect("Europe/Berlin", "2026-10-25T02:30", 1792888200);
    expect("Europe/Berlin", "2026-10-25T03:30", 1792895400);
    expect("Australia/Lord_Howe", "2026-04-05T01:45", 1775313900); /* +11, half an hour later again at +10:30 */
    expect("Australia/Lord_Howe", "2026-04-05T01:15", 1775312100);
    expect("America/St_Johns", "2026-11-01T01:30", 1793505600);
}

static void a_day_that_was_left_out_begins_with_the_next(void **state) {
    (void)state;
    expect("Pacific/Apia", "2011-12-30", 1325239200);
    expect("Pacific/Apia", "2011-12-31", 1325239200);
    const budget_span before = budget_span_of(BUDGET_DAY, 1325239199);
    assert_int_equal(before.end, 1325239200);
    assert_int_equal(before.start, 1325239200 - 86400);
}

/* Through every day of some years: the month of `steno cost`, the date of --since and the periods of budgets agree with the clocks. */
static void every_day_and_month_begins_where_the_clocks_first_show_it(void **state) {
    (void)state;
    static const char *const zones[] = {"UTC",
                                        "Europe/Berlin",
                                        "America/St_Johns",
                                        "America/Havana",
                                        "America/Santiago",
                                        "America/Asuncion",
                                        "America/Scoresbysund",
                                        "Atlantic/Azores",
                                        "Africa/Cairo",
                                        "Asia/Amman",
                                        "Asia/Beirut",
                                        "Asia/Gaza",
                                        "Asia/Kathmandu",
                                        "Asia/Tehran",
                                        "Australia/Lord_Howe",
                                        "Pacific/Apia",
                                        "Pacific/Chatham"};
    for (size_t zone = 0; zone < sizeof zones / sizeof *zones; zone++) {
        char day[16] = "", month[16] = "";
        set_zone(zones[zone]);
        for (time_t time = 1325376000; time < 1830297600; time += 900) { /* 2012 to 2027 */
            struct tm parts;
            char name[16], name_month[16];
            localtime_r(&time, &parts);
            strftime(name, sizeof name, "%Y-%m-%d", &parts);
            strftime(name_month, sizeof name_month, "%Y-%m", &parts);
            const bool new_day = strcmp(name, day) != 0, new_month = strcmp(name_month, month) != 0;
            const bool first = !*day;
            strcpy(day, name);
            strcpy(month, name_month);
            if (first || !new_day) continue;
            double since;
            stir();
            if (!since_parse(name, 0, &since) || since != (double)time ||
                budget_span_of(BUDGET_DAY, time).start != time)
                fail_msg("%s: %s begins at %lld, not %lld", zones[zone], name, (long long)time, (long long)since);
            calendar_month of;
            if (new_month && (!calendar_month_of((double)time, &of) || of.start != (double)time ||
                              !calendar_month_of((double)(time - 900), &of) || of.end != (double)time))
                fail_msg("%s: %s begins at %lld", zones[zone], name_month, (long long)time);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_with_two_midnights_begins_at_the_first),
        cmocka_unit_test(a_day_without_a_midnight_begins_when_the_clocks_have_been_put_forward),
        cmocka_unit_test(a_time_that_is_there_twice_is_the_first),
        cmocka_unit_test(a_day_that_was_left_out_begins_with_the_next),
        cmocka_unit_test(every_day_and_month_begins_where_the_clocks_first_show_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
