/* subscribers/cost_file.c: lines, and a disk that is full in the middle of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "subscribers/cost_file.h"

static char path[] = "/tmp/steno-cost-file-XXXXXX";

static cost_row row_of(const char *model, bool known, int64_t pico, double time) {
    cost_row row = {
        .known = known, .pico_dollars = pico, .source = known ? "table" : "unknown", .time = time, .is_new = true};
    snprintf(row.model, sizeof row.model, "%s", model);
    return row;
}

static void expect(cost_row row, const char *line) {
    char text[COST_LINE_BYTES];
    assert_int_equal(cost_file_line(&row, text), strlen(line));
    assert_string_equal(text, line);
}

static void a_line_has_eight_decimals_and_is_one_line(void **state) {
    (void)state;
    expect(row_of("gpt-4o", true, 210000000, 1700000000.5), "2023-11-14T22:13:20.500Z gpt-4o 0.00021000 table\n");
    expect(row_of("m", true, 4999, 0), "1970-01-01T00:00:00.000Z m 0.00000000 table\n");
    expect(row_of("m", true, 5000, 0), "1970-01-01T00:00:00.000Z m 0.00000001 table\n");
    expect(row_of("m", true, INT64_C(9000000000000000000), 0), "1970-01-01T00:00:00.000Z m 9000000.00000000 table\n");
    expect(row_of("m", true, INT64_MAX, 0), "1970-01-01T00:00:00.000Z m 9223372.03685478 table\n");
    expect(row_of("a b\nc\x1b", false, 5, 0), "1970-01-01T00:00:00.000Z a_b_c_ unknown unknown\n");
    expect(row_of("", false, 5, 0), "1970-01-01T00:00:00.000Z - unknown unknown\n");
    char text[COST_LINE_BYTES];
    char longest[256];
    memset(longest, 'x', 255);
    longest[255] = '\0';
    const cost_row odd = row_of(longest, true, INT64_MAX, 1e300);
    assert_true(cost_file_line(&odd, text) < COST_LINE_BYTES);
}

static size_t read_all(char *out, size_t size) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    const size_t count = fread(out, 1, size - 1, file);
    fclose(file);
    out[count] = '\0';
    return count;
}

static void only_new_rows_have_a_line_and_a_torn_one_is_ended(void **state) {
    (void)state;
    char text[1024];
    cost_file *file;
    cost_row rows[] = {row_of("a", true, 0, 0), row_of("b", true, 0, 0), row_of("c", true, 0, 0)};
    rows[1].is_new = false;
    assert_int_equal(cost_file_open(path, &file, NULL), STENO_OK);
    cost_file_write(file, rows, 3);
    read_all(text, sizeof text);
    assert_string_equal(text,
                        "1970-01-01T00:00:00.000Z a 0.00000000 table\n1970-01-01T00:00:00.000Z c 0.00000000 table\n");
    /* The disk is full after ten more bytes. */
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    const struct rlimit full = {.rlim_cur = strlen(text) + 10, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &full);
    cost_file_write(file, rows, 1);
    cost_file_write(file, rows, 1);
    setrlimit(RLIMIT_FSIZE, &limit);
    cost_file_write(file, rows + 2, 1);
    cost_file_close(file);
    read_all(text, sizeof text);
    assert_non_null(strstr(text, " c 0.00000000 table\n1970-01-01\n1970-01-01T00:00:00.000Z c 0.00000000 table\n"));
}

static int make_file(void **state) {
    (void)state;
    const int fd = mkstemp(path);
    if (fd >= 0) close(fd);
    return fd < 0;
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_eight_decimals_and_is_one_line),
        cmocka_unit_test(only_new_rows_have_a_line_and_a_torn_one_is_ended),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
