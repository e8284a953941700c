/* Tests of client/ndjson.c: lines, whatever pieces they come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/ndjson.h"

static char seen[1024];
static int stop_at;

static steno_status on_line(const char *name, const char *line, size_t size, void *ctx) {
    (void)ctx;
    assert_string_equal(name, "");
    assert_int_equal(strlen(line), size);
    strcat(strcat(seen, line), "|");
    return stop_at && !--stop_at ? STENO_FAILED : STENO_OK;
}

static void every_split_gives_the_same_lines(void **state) {
    (void)state;
    static const char text[] = "{\"a\":1}\n\r\n{\"b\":\"\xc3\xa9\"}\r\n  \n{\"c\":3}";
    for (size_t split = 0; split <= sizeof text - 1; split++) {
        ndjson lines = {.on_line = on_line};
        *seen = '\0';
        assert_int_equal(ndjson_feed(&lines, text, split, NULL), STENO_OK);
        assert_int_equal(ndjson_feed(&lines, text + split, sizeof text - 1 - split, NULL), STENO_OK);
        assert_int_equal(ndjson_end(&lines), STENO_OK);
        assert_string_equal(seen, "{\"a\":1}|{\"b\":\"\xc3\xa9\"}|{\"c\":3}|");
        ndjson_free(&lines);
    }
}

static void a_line_without_end_is_refused(void **state) {
    (void)state;
    static char block[1 << 20];
    memset(block, 'x', sizeof block);
    ndjson lines = {.on_line = on_line};
    steno_status status = STENO_OK;
    size_t fed = 0;
    for (; !status && fed < 2u * NDJSON_LINE_BYTES_MAX; fed += sizeof block)
        status = ndjson_feed(&lines, block, sizeof block, NULL);
    assert_int_equal(status, STENO_LIMIT);
    assert_true(fed <= NDJSON_LINE_BYTES_MAX + sizeof block);
    ndjson_free(&lines);
}

static void the_receiver_can_end_it(void **state) {
    (void)state;
    ndjson lines = {.on_line = on_line};
    *seen = '\0';
    stop_at = 2;
    assert_int_equal(ndjson_feed(&lines, "1\n2\n3\n", 6, NULL), STENO_FAILED);
    assert_string_equal(seen, "1|2|");
    ndjson_free(&lines);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_gives_the_same_lines),
        cmocka_unit_test(a_line_without_end_is_refused),
        cmocka_unit_test(the_receiver_can_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
