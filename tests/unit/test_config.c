/* Tests of daemon/config.c: what is right is read, what is not names its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/config.h"

static char path[] = "/tmp/steno-config-XXXXXX";

static int make_file(void **state) {
    (void)state;
    strcpy(path, "/tmp/steno-config-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 || close(fd);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

static steno_status read_text(const char *text, config *out, steno_error *error) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return config_read(path, true, out, error);
}

static void everything_is_read(void **state) {
    (void)state;
    config out;
    steno_error error;
    const char *text = "# a comment\n[stenod]\ndurability = full  ; and another\njournal_days = 30\njournal_mb = 0\n\n"
                       "[subscriber cost]\ncommand = steno-cost\n"
                       "[subscriber mail]\ncommand = steno-exec failure. -- \"/opt/mail me\"\nstop_timeout = 60\n";
    if (read_text(text, &out, &error)) fail_msg("%s", error.message);
    assert_true(out.durability_full);
    assert_int_equal(out.journal_days, 30);
    assert_int_equal(out.journal_mb, 0);
    assert_int_equal(out.subscriber_count, 2);
    assert_string_equal(out.subscribers[0].name, "cost");
    assert_string_equal(out.subscribers[1].command, "steno-exec failure. -- \"/opt/mail me\"");
    assert_int_equal(out.subscribers[0].stop_timeout_ms, 5000);
    assert_int_equal(out.subscribers[1].stop_timeout_ms, 60000);
}

static void no_file_and_no_subscriber_mean_defaults(void **state) {
    (void)state;
    config out;
    steno_error error;
    assert_int_equal(config_read("/nonexistent/stenod.ini", false, &out, &error), STENO_OK);
    assert_false(out.durability_full);
    assert_int_equal(out.journal_days, 7);
    assert_int_equal(out.journal_mb, 2048);
    assert_int_equal(out.subscriber_count, 1);
    assert_string_equal(out.subscribers[0].command, "steno-cost");
    assert_int_equal(config_read("/nonexistent/stenod.ini", true, &out, &error), STENO_SYSTEM);
    assert_int_equal(read_text("", &out, &error), STENO_OK);
    assert_int_equal(out.subscriber_count, 1);
}

static void a_line_too_long_is_refused_not_cut(void **state) {
    (void)state;
    config out;
    steno_error error;
    char text[2000] = "[subscriber a]\ncommand = ";
    memset(text + strlen(text), 'x', 1500);
    assert_int_equal(read_text(text, &out, &error), STENO_INVALID);
    assert_non_null(strstr(error.message, "line 2: "));
}

static void more_subscribers_than_allowed_are_refused(void **state) {
    (void)state;
    config out;
    steno_error error;
    char text[8192] = "";
    for (int i = 0; i <= CONFIG_SUBSCRIBERS_MAX; i++)
        sprintf(text + strlen(text), "[subscriber s%d]\ncommand = x\n", i);
    assert_int_equal(read_text(text, &out, &error), STENO_INVALID);
    assert_non_null(strstr(error.message, "line 65: "));
}

static void a_byte_order_mark_carriage_returns_and_indentation_mean_nothing(void **state) {
    (void)state;
    config out;
    steno_error error;
    const char *text = "\xEF\xBB\xBF[subscriber a]\r\n  command = x y\r\n\tstop_timeout = 7\r\n\r\n  [subscriber b]\r\n"
                       "  ; a comment\r\n  command = z\r\n  stop_timeout = 8\r\n";
    if (read_text(text, &out, &error)) fail_msg("%s", error.message);
    assert_int_equal(out.subscriber_count, 2);
    assert_string_equal(out.subscribers[0].command, "x y");
    assert_int_equal(out.subscribers[0].stop_timeout_ms, 7000);
    assert_string_equal(out.subscribers[1].command, "z");
    assert_int_equal(out.subscribers[1].stop_timeout_ms, 8000);
    assert_int_equal(read_text("[subscriber a]\ncommand = x\n  more of it\n", &out, &error), STENO_INVALID);
    assert_non_null(strstr(error.message, "line 3: neither"));
}

static void the_first_error_is_the_one_told(void **state) {
    (void)state;
    config out;
    steno_error error;
    assert_int_equal(read_text("[stenod]\nnonsense\nwrong = 1\n", &out, &error), STENO_INVALID);
    assert_non_null(strstr(error.message, "line 2: "));
    assert_int_equal(read_text("[stenod]\nwrong = 1\nnonsense\n", &out, &error), STENO_INVALID);
    assert_non_null(strstr(error.message, "line 2: "));
}

static void a_stop_timeout_is_a_number_of_seconds_within_bounds(void **state) {
    (void)state;
    static const char *const wrong[] = {"0", "601", "5s", "-1", "", "1\nstop_timeout = 2"};
    config out;
    steno_error error;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[128];
        snprintf(text, sizeof text, "[subscriber a]\ncommand = x\nstop_timeout = %s\n", wrong[i]);
        assert_int_equal(read_text(text, &out, &error), STENO_INVALID);
        assert_non_null(strstr(error.message, "stop_timeout"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(no_file_and_no_subscriber_mean_defaults),
        cmocka_unit_test(a_line_too_long_is_refused_not_cut),
        cmocka_unit_test(more_subscribers_than_allowed_are_refused),
        cmocka_unit_test(a_stop_timeout_is_a_number_of_seconds_within_bounds),
        cmocka_unit_test(a_byte_order_mark_carriage_returns_and_indentation_mean_nothing),
        cmocka_unit_test(the_first_error_is_the_one_told),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
