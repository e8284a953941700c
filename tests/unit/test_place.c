/* Tests of schema/place.c: which folders are taken, and which are refused. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "schema/place.h"

static char base[] = "/tmp/steno-place-XXXXXX";

static int make_base(void **state) {
    (void)state;
    strcpy(base, "/tmp/steno-place-XXXXXX");
    unsetenv("STENO_DIR");
    unsetenv("STENO_CONFIG");
    return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", base);
    return system(command);
}

static void steno_dir_alone_moves_everything(void **state) {
    (void)state;
    setenv("STENO_DIR", base, 1);
    static place where;
    assert_int_equal(place_open(&where, NULL, NULL), STENO_OK);
    assert_string_equal(where.state, base);
    assert_string_equal(where.runtime, base);
    char expected[PATH_MAX];
    snprintf(expected, sizeof expected, "ipc://%s/events.in", base);
    assert_string_equal(where.events_in, expected);
    snprintf(expected, sizeof expected, "%s/log.db", base);
    assert_string_equal(where.log, expected);
    snprintf(expected, sizeof expected, "%s/stenod.ini", base);
    assert_string_equal(where.config, expected);
    struct stat spool;
    assert_int_equal(stat(where.spool, &spool), 0);
    assert_int_equal(spool.st_mode & 0777, 0700);
}

static void xdg_folders_are_used_without_it(void **state) {
    (void)state;
    char path[PATH_MAX];
    setenv("XDG_STATE_HOME", base, 1);
    setenv("XDG_RUNTIME_DIR", base, 1);
    static place where;
    assert_int_equal(place_open(&where, NULL, NULL), STENO_OK);
    snprintf(path, sizeof path, "%s/steno", base);
    assert_string_equal(where.state, path);
    unsetenv("XDG_STATE_HOME");
    setenv("HOME", base, 1);
    assert_int_equal(place_open(&where, NULL, NULL), STENO_OK);
    snprintf(path, sizeof path, "%s/.local/state/steno", base);
    assert_string_equal(where.state, path);
    snprintf(path, sizeof path, "%s/steno", base);
    assert_string_equal(where.runtime, path);
    unsetenv("XDG_RUNTIME_DIR");
}

static void who_only_reads_makes_nothing(void **state) {
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "%s/missing/deep", base);
    static place where;
    steno_error error;
    assert_int_equal(place_find(&where, path, &error), STENO_OK);
    assert_string_equal(where.state, path);
    assert_string_equal(where.log + strlen(path), "/log.db");
    snprintf(path, sizeof path, "%s/missing", base);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(place_find(&where, base, &error), STENO_OK); /* and what is there is checked all the same */
    assert_int_equal(access(where.spool, F_OK), -1);
    assert_int_equal(place_find(&where, "/dev/null", &error), STENO_SYSTEM);
}

static void a_folder_that_others_can_enter_is_refused(void **state) {
    (void)state;
    chmod(base, 0750);
    static place where;
    steno_error error;
    assert_int_equal(place_find(&where, base, &error), STENO_INVALID);
    assert_int_equal(place_open(&where, base, &error), STENO_INVALID);
    assert_non_null(strstr(error.message, "chmod 700"));
    assert_non_null(strstr(error.message, base));
}

static void a_folder_of_someone_else_is_refused(void **state) {
    (void)state;
    if (geteuid() != 0) skip(); /* only root can give a folder away */
    assert_int_equal(chown(base, 12345, 12345), 0);
    static place where;
    steno_error error;
    assert_int_equal(place_open(&where, base, &error), STENO_INVALID);
    assert_non_null(strstr(error.message, "12345"));
    assert_int_equal(chown(base, geteuid(), getegid()), 0);
}

static void a_folder_whose_socket_paths_are_too_long_is_refused(void **state) {
    (void)state;
    char path[256];
    static place where;
    steno_error error;
    /* "/events.out" is 11 bytes: 96 for the folder is the most that fits into 107. */
    snprintf(path, sizeof path, "%s/%0*d", base, 96 - (int)strlen(base) - 1, 0);
    assert_int_equal(strlen(path), 96);
    assert_int_equal(place_open(&where, path, &error), STENO_OK);
    strcat(path, "0");
    assert_int_equal(place_open(&where, path, &error), STENO_INVALID);
    assert_non_null(strstr(error.message, "108 bytes"));
    assert_int_equal(access(path, F_OK), -1); /* nothing was made */
}

static void a_folder_that_cannot_be_made_is_an_error(void **state) {
    (void)state;
    static place where;
    steno_error error;
    assert_int_equal(place_open(&where, "/dev/null/steno", &error), STENO_SYSTEM);
    assert_non_null(strstr(error.message, "/dev/null/steno"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_base, remove_base)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(steno_dir_alone_moves_everything),
        TEST(xdg_folders_are_used_without_it),
        TEST(who_only_reads_makes_nothing),
        TEST(a_folder_that_others_can_enter_is_refused),
        TEST(a_folder_of_someone_else_is_refused),
        TEST(a_folder_whose_socket_paths_are_too_long_is_refused),
        TEST(a_folder_that_cannot_be_made_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
