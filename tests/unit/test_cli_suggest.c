/* Tests of cli/suggest.c: "did you mean …?" */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/suggest.h"

static const char *const words[] = {"complete", "embed", "emit",  "logs",   "show",
                                    "tail",     "cost",  "query", "status", "flush"};

static const char *meant(const char *typed) { return suggest(typed, words, sizeof words / sizeof *words); }

static void a_slip_finds_its_word(void **state) {
    (void)state;
    assert_string_equal(meant("log"), "logs");
    assert_string_equal(meant("lgos"), "logs");
    assert_string_equal(meant("costs"), "cost");
    assert_string_equal(meant("qurey"), "query");
    assert_string_equal(meant("completion"), "complete");
    assert_string_equal(meant("comp"), "complete");
}

static void what_is_far_from_everything_finds_nothing(void **state) {
    (void)state;
    assert_null(meant("frobnicate"));
    assert_null(meant("e")); /* embed, emit */
    assert_null(meant("x"));
    assert_null(meant(""));
    assert_null(meant("a very long word that no verb of ours could ever be, not by any slip"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_finds_its_word),
        cmocka_unit_test(what_is_far_from_everything_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
