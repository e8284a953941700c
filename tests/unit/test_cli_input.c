/* Tests of cli/input.c: standard input, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/input.h"

static void lines_come_one_by_one_and_the_last_needs_no_newline(void **state) {
    (void)state;
    char text[] = "one\n\nthree\0x\nlast";
    FILE *in = fmemopen(text, sizeof text - 1, "r");
    input_line line = {0};
    bool failed;
    assert_true(input_next(&line, in, &failed));
    assert_string_equal(line.text, "one");
    assert_true(input_next(&line, in, &failed));
    assert_int_equal(line.size, 0);
    assert_true(input_next(&line, in, &failed));
    assert_int_equal(line.size, 7); /* with its NUL */
    assert_true(input_next(&line, in, &failed));
    assert_string_equal(line.text, "last");
    assert_int_equal(line.number, 4);
    assert_false(input_next(&line, in, &failed));
    assert_false(failed);
    free(line.text);
    fclose(in);
}

static void all_of_a_long_input_is_read(void **state) {
    (void)state;
    enum { SIZE = 100000 };
    char *text = malloc(SIZE);
    memset(text, 'x', SIZE);
    FILE *in = fmemopen(text, SIZE, "r");
    size_t size;
    char *read = input_all(in, &size);
    assert_int_equal(size, SIZE);
    assert_int_equal(strlen(read), SIZE);
    free(read);
    fclose(in);
    free(text);
}

/* Yields 'x' for ever, as many bytes as are asked for. */
static ssize_t endless(void *cookie, char *out, size_t size) {
    size_t *left = cookie;
    size_t got = size < *left ? size : *left;
    memset(out, 'x', got);
    *left -= got;
    return (ssize_t)got;
}

static void a_line_beyond_the_limit_is_cut_and_counted(void **state) {
    (void)state;
    size_t left = INPUT_BYTES_MAX + 100000;
    FILE *in = fopencookie(&left, "r", (cookie_io_functions_t){.read = endless});
    input_line line = {0};
    bool failed;
    assert_true(input_next(&line, in, &failed));
    assert_true(line.too_long);
    assert_int_equal(line.size, INPUT_BYTES_MAX);
    assert_false(input_next(&line, in, &failed));
    free(line.text);
    fclose(in);
}

static void an_input_beyond_the_limit_is_refused(void **state) {
    (void)state;
    size_t left = SIZE_MAX, size;
    FILE *in = fopencookie(&left, "r", (cookie_io_functions_t){.read = endless});
    assert_null(input_all(in, &size));
    fclose(in);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_one_by_one_and_the_last_needs_no_newline),
        cmocka_unit_test(all_of_a_long_input_is_read),
        cmocka_unit_test(a_line_beyond_the_limit_is_cut_and_counted),
        cmocka_unit_test(an_input_beyond_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
