/* Tests of cli/options.c: one table is both the parser and the help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options.h"
#include "cli/program.h"

struct values {
    bool flag;
    const char *text, *choice;
    option_texts tags;
    int64_t count, timeout_ms;
    option_number number;
    double since;
};

static const option_spec options[] = {
    {'f', "flag", NULL, OPTION_FLAG, offsetof(struct values, flag), 0, "a flag"},
    {0, "text", "TEXT", OPTION_TEXT, offsetof(struct values, text), 0, "a text"},
    {0, "tag", "T", OPTION_TEXTS, offsetof(struct values, tags), 0, "texts"},
    {'b', "by", "day|daytime", OPTION_CHOICE, offsetof(struct values, choice), 0, "a choice"},
    {'n', NULL, "N", OPTION_COUNT, offsetof(struct values, count), 100, "a count"},
    {0, "timeout", "SECONDS", OPTION_SECONDS, offsetof(struct values, timeout_ms), 60, "seconds"},
    {0, "number", "N", OPTION_NUMBER, offsetof(struct values, number), 0, "a number"},
    {0, "since", "TIME", OPTION_SINCE, offsetof(struct values, since), 0, "a time"},
};

static const command self = {.name = "test",
                             .about = "Tests",
                             .arguments = "[WORD...]",
                             .arguments_max = 2,
                             .options = options,
                             .option_count = sizeof options / sizeof *options};

static struct values values;
static char **rest;

/* Parses a NULL-terminated command line. */
static int parse(char *first, ...) {
    static char *argv[16]; /* `rest` points into it */
    argv[0] = (char *)"test";
    argv[1] = first;
    int argc = first ? 2 : 1;
    va_list more;
    va_start(more, first);
    while (first && (argv[argc] = va_arg(more, char *))) argc++;
    va_end(more);
    memset(&values, 0, sizeof values);
    return options_parse(&self, argc, argv, &values, &rest);
}

#define PARSE(...) parse(__VA_ARGS__, (char *)NULL)

static void each_kind_fills_its_field(void **state) {
    (void)state;
    char *none = NULL;
    assert_int_equal(PARSE((char *)"-f", (char *)"--text", (char *)"x", (char *)"--tag=a", (char *)"--tag", (char *)"b",
                           (char *)"-bday", (char *)"-n", (char *)"7", (char *)"--timeout", (char *)"0.5",
                           (char *)"word"),
                     OPTIONS_GO);
    assert_true(values.flag);
    assert_string_equal(values.text, "x");
    assert_int_equal(values.tags.count, 2);
    assert_string_equal(values.tags.items[1], "b");
    assert_string_equal(values.choice, "day");
    assert_int_equal(values.count, 7);
    assert_int_equal(values.timeout_ms, 500);
    assert_string_equal(rest[0], "word");
    assert_ptr_equal(rest[1], none);
    assert_int_equal(PARSE((char *)"--number", (char *)"-0.5", (char *)"--since=2h"), OPTIONS_GO);
    assert_true(values.number.set && values.number.value == -0.5);
    assert_true(values.since > 0);
}

static void what_is_mistyped_is_a_usage_error(void **state) {
    (void)state;
    assert_int_equal(PARSE((char *)"--nonsense"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"-x"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"--flag=yes"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"--text"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"--t=x"), EXIT_USAGE); /* text, tag or timeout */
    assert_int_equal(PARSE((char *)"-n", (char *)"abc"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"-n", (char *)"0"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"-n", (char *)"101"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"-n", (char *)"99999999999999999999"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"-n", (char *)"5x"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"--by", (char *)"da"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"--by", (char *)""), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"--by", (char *)"day|daytime"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"--timeout", (char *)"nan"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"--timeout", (char *)"61"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"--number", (char *)"inf"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"--since", (char *)"nonsense"), EXIT_USAGE);
    assert_int_equal(PARSE((char *)"a", (char *)"b", (char *)"c"), EXIT_USAGE);
}

static void more_repetitions_than_the_limit_are_refused(void **state) {
    (void)state;
    char *argv[OPTION_REPEAT_MAX + 3] = {(char *)"test"};
    for (int i = 1; i <= OPTION_REPEAT_MAX + 1; i++) argv[i] = (char *)"--tag=x";
    memset(&values, 0, sizeof values);
    assert_int_equal(options_parse(&self, OPTION_REPEAT_MAX + 1, argv, &values, &rest), OPTIONS_GO);
    memset(&values, 0, sizeof values);
    assert_int_equal(options_parse(&self, OPTION_REPEAT_MAX + 2, argv, &values, &rest), EXIT_USAGE);
}

static void help_ends_the_verb_well(void **state) {
    (void)state;
    assert_int_equal(PARSE((char *)"--help"), EXIT_FINE);
    assert_int_equal(PARSE((char *)"-h"), EXIT_FINE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_fills_its_field),
        cmocka_unit_test(what_is_mistyped_is_a_usage_error),
        cmocka_unit_test(more_repetitions_than_the_limit_are_refused),
        cmocka_unit_test(help_ends_the_verb_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
