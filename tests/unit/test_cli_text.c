/* Tests of cli/text.c: what others wrote cannot drive a terminal, and is UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/text.h"
#include "schema/clean.h"

static void expect_block(const char *bytes, size_t size, text_mode mode, size_t indent, const char *expected) {
    cleanup_free char *out = NULL;
    size_t out_size = 0;
    FILE *stream = open_memstream(&out, &out_size);
    text_put_indented(stream, bytes, size, mode, indent);
    fclose(stream);
    assert_string_equal(out, expected);
}

static void expect_line(const char *bytes, const char *expected) {
    cleanup_free char *line = text_line(bytes, strlen(bytes));
    assert_string_equal(line, expected);
}

static void escape_sequences_are_shown_not_obeyed(void **state) {
    (void)state;
    expect_line("\033[2Jgone", "^[[2Jgone");
    expect_line("bell\a back\b del\x7f", "bell^G back^H del^?");
    expect_block("\033]0;title\a\n\tx\r", 14, TEXT_BLOCK, 0, "^[]0;title^G\n\tx^M");
}

static void c1_controls_and_reordering_marks_are_replaced(void **state) {
    (void)state;
    expect_line("a\xC2\x9B"
                "31m",
                "a\xEF\xBF\xBD"
                "31m"); /* U+009B, the one-byte CSI */
    expect_line("a\xE2\x80\xAE"
                "b",
                "a\xEF\xBF\xBD"
                "b"); /* U+202E */
    expect_line("a\xE2\x81\xA6"
                "b",
                "a\xEF\xBF\xBD"
                "b");                                                            /* U+2066 */
    expect_line("\xE2\x80\xA8 ok \xE2\x80\x93", "\xE2\x80\xA8 ok \xE2\x80\x93"); /* U+2028 and a dash stay */
}

static void bytes_that_are_no_utf8_are_replaced(void **state) {
    (void)state;
    expect_line("\xFF\xC0\xAFx", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDx");
    expect_line("cut \xE6\x97", "cut \xEF\xBF\xBD\xEF\xBF\xBD");
    expect_line("\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* a surrogate */
    expect_line("\xF4\x90\x80\x80.", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD.");
}

static void other_scripts_stay(void **state) {
    (void)state;
    expect_line("日本語 ü 🙂", "日本語 ü 🙂");
}

static void a_line_has_single_spaces_and_no_ends(void **state) {
    (void)state;
    expect_line(" \n a\t\r\n  b \n", "a b");
    expect_line("", "");
}

static void a_block_is_indented_where_its_lines_are_not_empty(void **state) {
    (void)state;
    expect_block("a\n\nb", 4, TEXT_BLOCK, 2, "  a\n\n  b");
}

static void raw_text_is_untouched(void **state) {
    (void)state;
    expect_block("\033[1m\xFF\n", 6, TEXT_RAW, 0, "\033[1m\xFF\n");
}

static void repaired_text_is_utf8_and_keeps_nul(void **state) {
    (void)state;
    size_t size;
    cleanup_free char *text = text_utf8("a\0\xFF"
                                        "b",
                                        4, &size);
    assert_int_equal(size, 6);
    assert_memory_equal(text,
                        "a\0\xEF\xBF\xBD"
                        "b",
                        7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escape_sequences_are_shown_not_obeyed),
        cmocka_unit_test(c1_controls_and_reordering_marks_are_replaced),
        cmocka_unit_test(bytes_that_are_no_utf8_are_replaced),
        cmocka_unit_test(other_scripts_stay),
        cmocka_unit_test(a_line_has_single_spaces_and_no_ends),
        cmocka_unit_test(a_block_is_indented_where_its_lines_are_not_empty),
        cmocka_unit_test(raw_text_is_untouched),
        cmocka_unit_test(repaired_text_is_utf8_and_keeps_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
