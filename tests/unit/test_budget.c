/* schema/budget.c: what a section may say, and periods in zones where clocks are put forward and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schema/budget.h"

static char why[BUDGET_WHY_BYTES];

static bool takes(const char *key, const char *value) {
    budget one = budget_new("b");
    return budget_set(&one, key, value, why);
}

static void limits_are_exact_and_positive(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t pico;
    } good[] = {{"20", INT64_C(20000000000000)},          {"$20", INT64_C(20000000000000)},
                {"0.1", INT64_C(100000000000)},           {".5", INT64_C(500000000000)},
                {"7.", INT64_C(7000000000000)},           {"0.000000000001", 1},
                {"9000000", INT64_C(9000000000000000000)}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        budget one = budget_new("b");
        char text[BUDGET_DOLLARS_BYTES];
        assert_true(budget_set(&one, "limit", good[i].text, why));
        assert_int_equal(one.limit, good[i].pico);
        /* Written down and read again it is the same. */
        budget_dollars(one.limit, text);
        one.seen = 0;
        assert_true(budget_set(&one, "limit", text, why));
        assert_int_equal(one.limit, good[i].pico);
    }
    static const char *const bad[] = {"",
                                      ".",
                                      "0",
                                      "0.0",
                                      "-1",
                                      "+1",
                                      "1e3",
                                      "1,5",
                                      "0x1",
                                      "9000001",
                                      "$",
                                      "1 2",
                                      "nan",
                                      "inf",
                                      "1$",
                                      "0.0000000000001",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (takes("limit", bad[i])) fail_msg("\"%s\" was taken", bad[i]);
}

static void scopes_are_known_and_can_be_written_down(void **state) {
    (void)state;
    char longest[BUDGET_SCOPE_BYTES + 8];
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "user:", 5);
    longest[BUDGET_SCOPE_BYTES - 1] = '\0';
    assert_true(takes("scope", longest));
    longest[BUDGET_SCOPE_BYTES - 1] = 'x';
    longest[BUDGET_SCOPE_BYTES] = '\0';
    assert_false(takes("scope", longest));
    static const char *const good[] = {
        "all",   "user:alice", "tag:a b",        "app:x:y", "model:gpt-4o", "provider:openai",
        "tag:é", "user:a;b",   "model:a/b@2024", "user:a]"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!takes("scope", good[i])) fail_msg("%s: %s", good[i], why);
    static const char *const bad[] = {
        "",        "everything", "user",     "user:",    "all:",    "all:x",     "User:a",    "user: a",
        "user:a ", " all",       "user:a\n", "user:a ;", "user:\t", "session:x", "user:a\x7f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (takes("scope", bad[i])) fail_msg("\"%s\" was taken", bad[i]);
}

static void thresholds_rise(void **state) {
    (void)state;
    budget one = budget_new("b");
    assert_int_equal(one.alerts_count, 3);
    assert_true(budget_set(&one, "alert", "5, 50% ,100,1000", why));
    assert_int_equal(one.alerts_count, 4);
    assert_int_equal(one.alerts[1], 50);
    assert_int_equal(one.alerts[3], 1000);
    one.seen = 0;
    assert_true(budget_set(&one, "alert", "none", why));
    assert_int_equal(one.alerts_count, 0);
    static const char *const bad[] = {"",    "0",   "50,50", "80,50",
                                      "50,", ",50", "1001",  "50 80",
                                      "-5",  "a",   "5.5",   "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (takes("alert", bad[i])) fail_msg("\"%s\" was taken", bad[i]);
}

static void what_is_missing_twice_or_unknown_is_told(void **state) {
    (void)state;
    budget one = budget_new("b");
    assert_false(budget_complete(&one, why));
    assert_non_null(strstr(why, "scope"));
    assert_true(budget_set(&one, "scope", "all", why));
    assert_false(budget_complete(&one, why));
    assert_non_null(strstr(why, "limit"));
    assert_true(budget_set(&one, "limit", "1", why));
    assert_true(budget_complete(&one, why));
    assert_false(budget_set(&one, "limit", "2", why));
    assert_non_null(strstr(why, "twice"));
    assert_false(takes("limits", "2"));
    assert_false(takes("stop", "true"));
    assert_false(takes("per", "year"));
    assert_true(budget_name_valid("user-alice_month.1"));
    assert_false(budget_name_valid(""));
    assert_false(budget_name_valid("a b"));
    assert_false(budget_name_valid("0123456789012345678901234567890123456789012345678901234567890123x"));
}

static void reached_is_exact_to_the_pico_dollar(void **state) {
    (void)state;
    budget one = budget_new("b");
    assert_true(budget_set(&one, "limit", "9000000", why));
    assert_false(budget_reached(&one, one.limit - 1, 100));
    assert_true(budget_reached(&one, one.limit, 100));
    assert_false(budget_reached(&one, one.limit / 2 - 1, 50));
    assert_true(budget_reached(&one, one.limit / 2, 50));
    assert_false(budget_reached(&one, INT64_MIN, 1));
    assert_true(budget_reached(&one, INT64_MAX, 100));
    assert_false(budget_reached(&one, INT64_MAX, 1000));
}

/* ---- periods ---- */

static void set_zone(const char *zone) {
    setenv("TZ", zone, 1);
    tzset();
}

/* "2026-11-24 10:30" there. */
static int64_t at(const char *text) {
    struct tm parts = {.tm_isdst = -1};
    assert_non_null(strptime(text, "%Y-%m-%d %H:%M", &parts));
    return mktime(&parts);
}

static void expect(budget_period period, const char *when, const char *start, const char *end) {
    const budget_span span = budget_span_of(period, at(when));
    if (span.start != at(start) || span.end != at(end))
        fail_msg("%s of %s: from %lld to %lld", budget_period_name(period), when, (long long)span.start,
                 (long long)span.end);
}

static void periods_are_local(void **state) {
    (void)state;
    set_zone("Europe/Berlin");
    expect(BUDGET_HOUR, "2026-11-24 10:30", "2026-11-24 10:00", "2026-11-24 11:00");
    expect(BUDGET_DAY, "2026-11-24 10:30", "2026-11-24 00:00", "2026-11-25 00:00");
    expect(BUDGET_WEEK, "2026-11-24 10:30", "2026-11-23 00:00", "2026-11-30 00:00"); /* a Tuesday */
    expect(BUDGET_WEEK, "2026-11-23 00:00", "2026-11-23 00:00", "2026-11-30 00:00");
    expect(BUDGET_WEEK, "2026-11-29 23:59", "2026-11-23 00:00", "2026-11-30 00:00"); /* a Sunday */
    expect(BUDGET_WEEK, "2027-01-02 12:00", "2026-12-28 00:00", "2027-01-04 00:00");
    expect(BUDGET_MONTH, "2026-12-31 23:59", "2026-12-01 00:00", "2027-01-01 00:00");
    expect(BUDGET_MONTH, "2028-02-29 12:00", "2028-02-01 00:00", "2028-03-01 00:00");
    set_zone("Asia/Kathmandu"); /* +05:45 */
    expect(BUDGET_HOUR, "2026-11-24 10:30", "2026-11-24 10:00", "2026-11-24 11:00");
    expect(BUDGET_DAY, "2026-11-24 10:30", "2026-11-24 00:00", "2026-11-25 00:00");
    const budget_span total = budget_span_of(BUDGET_TOTAL, 5);
    assert_true(total.start == INT64_MIN && total.end == INT64_MAX);
}

/* Each moment is in one period, whose ends are a slot's, and the next begins where it ends: through a year of every zone that is odd. */
static void periods_follow_each_other_without_a_gap(void **state) {
    (void)state;
    static const char *const zones[] = {"UTC",          "Europe/Berlin",     "America/New_York",    "America/Santiago",
                                        "Asia/Beirut",  "Asia/Amman",        "Australia/Lord_Howe", "Asia/Kathmandu",
                                        "Pacific/Apia", "America/Sao_Paulo", "Africa/Cairo"};
    for (size_t zone = 0; zone < sizeof zones / sizeof *zones; zone++) {
        set_zone(zones[zone]);
        for (int year = 2011; year < 2027; year += 15)
            for (int period = BUDGET_HOUR; period < BUDGET_TOTAL; period++) {
                int64_t time = (int64_t)(year - 1970) * 31556952;
                const int64_t end = time + 366 * 86400;
                budget_span last = budget_span_of((budget_period)period, time);
                for (; time < end; time += 900) {
                    const budget_span span = budget_span_of((budget_period)period, time);
                    const bool same = span.start == last.start && span.end == last.end;
                    const bool next = span.start == last.end;
                    if (span.start % 900 || span.end % 900 || time < span.start || time >= span.end || (!same && !next))
                        fail_msg("%s, %s: %lld is in %lld to %lld, after %lld to %lld", zones[zone],
                                 budget_period_name((budget_period)period), (long long)time, (long long)span.start,
                                 (long long)span.end, (long long)last.start, (long long)last.end);
                    last = span;
                }
            }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_exact_and_positive),
        cmocka_unit_test(scopes_are_known_and_can_be_written_down),
        cmocka_unit_test(thresholds_rise),
        cmocka_unit_test(what_is_missing_twice_or_unknown_is_told),
        cmocka_unit_test(reached_is_exact_to_the_pico_dollar),
        cmocka_unit_test(periods_are_local),
        cmocka_unit_test(periods_follow_each_other_without_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
