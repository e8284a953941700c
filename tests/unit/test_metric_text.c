/* Tests of subscribers/metric_text.c: the format, letter by letter; and of the addresses that a server listens on. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "subscribers/listen_address.h"
#include "subscribers/metric_text.h"

static char *text;
static size_t text_size;
static FILE *out;

static int open_text(void **state) {
    (void)state;
    out = open_memstream(&text, &text_size);
    return out ? 0 : -1;
}

static int close_text(void **state) {
    (void)state;
    fclose(out);
    free(text);
    return 0;
}

static void expect(const char *expected) {
    fflush(out);
    assert_string_equal(text, expected);
}

static void a_family_has_help_and_type(void **state) {
    (void)state;
    metric_family(out, "a_total", "counter", "Says \"what\" \\ why.\nTwice.");
    metric_count(out, "a_total", NULL, UINT64_MAX);
    expect("# HELP a_total Says \"what\" \\\\ why.\\nTwice.\n# TYPE a_total counter\na_total 18446744073709551615\n");
}

static void label_values_are_escaped(void **state) {
    (void)state;
    const metric_label labels[] = {{"model", "a\"b\\c\nd\r\t{},=é"}, {"empty", ""}, {0}};
    metric_count(out, "a", labels, 1);
    expect("a{model=\"a\\\"b\\\\c\\nd\r\t{},=é\",empty=\"\"} 1\n");
}

static void an_empty_list_of_labels_has_no_braces(void **state) {
    (void)state;
    const metric_label labels[] = {{0}};
    metric_count(out, "a", labels, 0);
    expect("a 0\n");
}

static void numbers_are_as_go_reads_them(void **state) {
    (void)state;
    const double values[] = {0, 0.000123, 1e21, -1.5, 1795962863.294, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) metric_number(out, "a", NULL, values[i]);
    expect("a 0\na 0.000123\na 1e+21\na -1.5\na 1795962863.294\na NaN\na +Inf\na -Inf\n");
}

static void a_bound_holds_what_equals_it(void **state) {
    (void)state;
    metric_histogram histogram = {0};
    metric_observe(&histogram, 0);
    metric_observe(&histogram, metric_bounds[0]);
    metric_observe(&histogram, nextafter(metric_bounds[0], 1));
    metric_observe(&histogram, 1000);
    assert_int_equal(histogram.counts[0], 2);
    assert_int_equal(histogram.counts[1], 1);
    assert_int_equal(histogram.counts[METRIC_BOUNDS], 1);
    assert_int_equal(metric_observed(&histogram), 4);
}

static void buckets_are_cumulative_and_end_with_infinity(void **state) {
    (void)state;
    metric_histogram histogram = {0};
    const metric_label labels[] = {{"x", "y"}, {0}};
    metric_observe(&histogram, 0.05);
    metric_observe(&histogram, 0.5);
    metric_observe(&histogram, 500);
    metric_histogram_put(out, "t", labels, &histogram);
    metric_histogram_put(out, "t", NULL, &histogram);
    fflush(out);
    assert_non_null(strstr(text, "t_bucket{x=\"y\",le=\"0.04\"} 0\nt_bucket{x=\"y\",le=\"0.08\"} 1\n"));
    assert_non_null(strstr(text, "t_bucket{x=\"y\",le=\"327.68\"} 2\nt_bucket{x=\"y\",le=\"+Inf\"} 3\n"
                                 "t_sum{x=\"y\"} 500.55\nt_count{x=\"y\"} 3\n"));
    assert_non_null(strstr(text, "t_bucket{le=\"0.01\"} 0\n"));
    for (size_t i = 1; i < METRIC_BOUNDS; i++) assert_true(metric_bounds[i] > metric_bounds[i - 1]);
}

/* ---- addresses ---- */

static void addresses_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int family, port;
        bool loopback;
    } good[] = {
        {"127.0.0.1:9469", AF_INET, 9469, true},
        {"9469", AF_INET, 9469, true},
        {":0", 0, 0, false},
        {"127.1.2.3:1", AF_INET, 1, true},
        {"0.0.0.0:65535", AF_INET, 65535, false},
        {"192.168.1.5:80", AF_INET, 80, false},
        {"[::1]:9469", AF_INET6, 9469, true},
        {"[::]:9469", AF_INET6, 9469, false},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        listen_address address;
        steno_error error;
        if (!good[i].family) {
            assert_int_equal(listen_address_parse(good[i].text, &address, &error), STENO_INVALID);
            continue;
        }
        if (listen_address_parse(good[i].text, &address, &error)) fail_msg("%s: %s", good[i].text, error.message);
        assert_int_equal(address.any.sa_family, good[i].family);
        assert_int_equal(ntohs(good[i].family == AF_INET ? address.v4.sin_port : address.v6.sin6_port), good[i].port);
        assert_int_equal(listen_address_is_loopback(&address), good[i].loopback);
    }
}

static void what_is_no_address_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "localhost:9469",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "127.0.0.1:65536",
                                        "127.0.0.1:9469x",
                                        "::1:9469",
                                        "[::1]9469",
                                        "[]:1",
                                        "[127.0.0.1]:1",
                                        "1.2.3.4.5:1",
                                        "-1",
                                        "127.0.0.1:000001",
                                        "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001:0001]:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        listen_address address;
        steno_error error;
        if (listen_address_parse(wrong[i], &address, &error) != STENO_INVALID) fail_msg("%s was taken", wrong[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_text, close_text)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_family_has_help_and_type),
        TEST(label_values_are_escaped),
        TEST(an_empty_list_of_labels_has_no_braces),
        TEST(numbers_are_as_go_reads_them),
        TEST(a_bound_holds_what_equals_it),
        TEST(buckets_are_cumulative_and_end_with_infinity),
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(what_is_no_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
