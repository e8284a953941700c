/* Tests of cli/money.c: sums that are exact to the pico-dollar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/money.h"

static void expect(money sum, const char *expected) {
    char out[MONEY_BYTES];
    money_decimal(sum, out);
    assert_string_equal(out, expected);
}

static void every_digit_is_there_and_none_too_many(void **state) {
    (void)state;
    expect(money_of(0, 0), "0");
    expect(money_of(0, 1), "0.000000000001");
    expect(money_of(0, 12500000000000), "12.5");
    expect(money_of(0, 10000000000000), "10");
    expect(money_of(1, 1), "0.000001000001");
    expect(money_of(0, INT64_MAX), "9223372.036854775807");
    expect(money_of(INT64_MAX, INT64_MAX), "9223381260226.812661775807");
}

static void a_sum_goes_beyond_64_bits_without_losing_a_digit(void **state) {
    (void)state;
    money sum = {0};
    for (int i = 0; i < 3; i++) sum = money_add(sum, money_of(0, INT64_MAX));
    expect(sum, "27670116.110564327421");
}

static void what_is_owed_back_is_negative(void **state) {
    (void)state;
    expect(money_of(0, -250000000000), "-0.25");
    expect(money_of(-3000000, 0), "-3");
    expect(money_add(money_of(0, -250000000000), money_of(0, 250000000001)), "0.000000000001");
    expect(money_of(INT64_MIN, INT64_MIN), "-9223381260226.812662775808");
}

static void sums_are_compared_exactly(void **state) {
    (void)state;
    const money a = money_of(INT64_MAX, 1), b = money_of(INT64_MAX, 2);
    assert_true(money_compare(a, b) < 0);
    assert_true(money_compare(b, a) > 0);
    assert_int_equal(money_compare(a, a), 0);
    assert_true(money_compare(money_of(0, -1), money_of(0, 0)) < 0);
    assert_true(money_any(money_of(0, 1)));
    assert_false(money_any(money_of(0, 0)));
}

static void shares_are_good_to_fifteen_digits(void **state) {
    (void)state;
    assert_true(money_dollars(money_of(0, 1500000000000)) == 1.5);
    assert_true(money_pico(money_of(2000000, 5)) == 2000000000005.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_digit_is_there_and_none_too_many),
        cmocka_unit_test(a_sum_goes_beyond_64_bits_without_losing_a_digit),
        cmocka_unit_test(what_is_owed_back_is_negative),
        cmocka_unit_test(sums_are_compared_exactly),
        cmocka_unit_test(shares_are_good_to_fifteen_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
