/* Tests of daemon/said.c: what a child says reaches the log by lines, and within limits. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/said.h"

/* Far from 0, as on a machine that is up. */
#define START_MS 1000000

typedef struct pipe_and_log {
    said said;
    int in, stderr_kept;
    FILE *log;
} pipe_and_log;

static int open_both(void **state) {
    pipe_and_log *self = calloc(1, sizeof *self);
    int ends[2];
    self->said.fd = -1;
    self->log = tmpfile();
    if (!self->log || pipe2(ends, O_NONBLOCK)) return -1;
    self->stderr_kept = dup(STDERR_FILENO);
    dup2(fileno(self->log), STDERR_FILENO);
    said_begin(&self->said, ends[0]);
    self->in = ends[1];
    *state = self;
    return 0;
}

static int close_both(void **state) {
    pipe_and_log *self = *state;
    dup2(self->stderr_kept, STDERR_FILENO);
    close(self->stderr_kept);
    fclose(self->log);
    if (self->in >= 0) close(self->in);
    if (self->said.fd >= 0) close(self->said.fd);
    free(self);
    return 0;
}

static void put(pipe_and_log *self, const char *text) {
    assert_int_equal(write(self->in, text, strlen(text)), strlen(text));
}

/* How many lines of the log have `what` in them. */
static unsigned logged(pipe_and_log *self, const char *what) {
    char line[4096];
    unsigned count = 0;
    rewind(self->log);
    while (fgets(line, sizeof line, self->log)) count += strstr(line, what) != NULL;
    return count;
}

static void a_line_comes_when_it_is_whole(void **state) {
    pipe_and_log *self = *state;
    put(self, "one\n\ntw");
    said_listen(&self->said, "x", START_MS);
    assert_int_equal(logged(self, "[x] one\n"), 1);
    assert_int_equal(logged(self, "[x]"), 1);
    put(self, "o\nthree");
    said_listen(&self->said, "x", START_MS);
    assert_int_equal(logged(self, "[x] two\n"), 1);
    assert_string_equal(self->said.last, "two");
    said_end(&self->said, "x", START_MS);
    assert_int_equal(logged(self, "[x] three\n"), 1);
    assert_string_equal(self->said.last, "three");
    assert_int_equal(self->said.fd, -1);
}

static void a_line_that_is_too_long_comes_in_pieces(void **state) {
    pipe_and_log *self = *state;
    char text[SAID_LINE_BYTES + 11];
    memset(text, 'a', sizeof text);
    strcpy(text + sizeof text - 11, "0123456789");
    put(self, text);
    put(self, "\n");
    said_listen(&self->said, "x", START_MS);
    assert_int_equal(logged(self, "[x]"), 2);
    assert_int_equal(logged(self, "[x] 0123456789\n"), 1);
}

static void lines_beyond_the_rate_are_counted(void **state) {
    pipe_and_log *self = *state;
    for (int i = 0; i < SAID_LINES_AT_ONCE + 50; i++) {
        put(self, "line\n");
        said_listen(&self->said, "x", START_MS);
    }
    assert_int_equal(logged(self, "[x] line"), SAID_LINES_AT_ONCE);
    assert_int_equal(self->said.withheld, 50);
    assert_int_equal(said_due(&self->said, START_MS), START_MS + SAID_WITHHELD_MS);
    said_listen(&self->said, "x", START_MS + SAID_WITHHELD_MS);
    assert_int_equal(logged(self, "50 more lines"), 1);
    assert_int_equal(said_due(&self->said, START_MS), INT64_MAX);
    for (int i = 0; i < 100; i++) {
        put(self, "later\n");
        said_listen(&self->said, "x", START_MS + SAID_WITHHELD_MS);
    }
    assert_int_equal(logged(self, "[x] later"), SAID_LINES_A_SECOND * SAID_WITHHELD_MS / 1000);
    said_end(&self->said, "x", START_MS + SAID_WITHHELD_MS);
    assert_int_equal(logged(self, "50 more lines"), 2);
}

static void bytes_beyond_the_rate_stay_in_the_pipe(void **state) {
    pipe_and_log *self = *state;
    static char block[4096];
    memset(block, 'b', sizeof block - 1);
    block[sizeof block - 2] = '\n';
    int64_t taken = 0;
    while (said_open(&self->said, START_MS)) {
        assert_true(taken < 2 * SAID_BYTES_A_SECOND);
        put(self, block);
        taken += (int64_t)strlen(block);
        said_listen(&self->said, "x", START_MS);
    }
    assert_in_range(taken, SAID_BYTES_A_SECOND, SAID_BYTES_A_SECOND + (int64_t)sizeof block);
    assert_int_equal(said_due(&self->said, START_MS), START_MS + 1000);
    put(self, "after the pause\n");
    said_listen(&self->said, "x", START_MS + 999);
    assert_string_not_equal(self->said.last, "after the pause");
    said_listen(&self->said, "x", START_MS + 1000);
    assert_string_equal(self->said.last, "after the pause");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_comes_when_it_is_whole, open_both, close_both),
        cmocka_unit_test_setup_teardown(a_line_that_is_too_long_comes_in_pieces, open_both, close_both),
        cmocka_unit_test_setup_teardown(lines_beyond_the_rate_are_counted, open_both, close_both),
        cmocka_unit_test_setup_teardown(bytes_beyond_the_rate_stay_in_the_pipe, open_both, close_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
