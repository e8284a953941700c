/* Tests of client/json_text.c: the text is the one that jansson writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/json_text.h"

static void expect_same_as_jansson(const json_t *json) {
    buffer text = {0};
    char *expected = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_true(json_text_add(&text, json));
    assert_string_equal(buffer_text(&text), expected);
    assert_int_equal(text.size, strlen(expected));
    free(expected);
    buffer_free(&text);
}

static void every_kind_of_value_is_written_as_jansson_does(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-9223372036854775808",
        "9223372036854775807",
        "1.0",
        "0.1",
        "-1.7976931348623157e308",
        "5e-324",
        "\"\"",
        "[[],{},[[1]],{\"a\":{\"b\":[null,true,false]}}]",
        "{\"role\":\"user\",\"content\":\"Hello\",\"n\":1,\"t\":0.7,\"\":[1,2,3]}",
        "\"quote \\\" backslash \\\\ slash / tab \\t \\b\\f\\n\\r end\"",
        "[\"\\u0000\\u0001\\u001f\\u007f\\u00e9\\u20ac\\ud83d\\ude00\"]",
        "{\"key \\\"\\n\\u00e9\":\"x\"}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *json = json_loads(texts[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(json);
        expect_same_as_jansson(json);
        json_decref(json);
    }
}

static void every_byte_is_escaped_where_it_must_be(void **state) {
    (void)state;
    for (int c = 0; c < 0x80; c++) {
        char text[] = {'a', (char)c, (char)c, 'z', (char)c};
        json_t *json = json_stringn(text, sizeof text);
        expect_same_as_jansson(json);
        json_decref(json);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_is_written_as_jansson_does),
        cmocka_unit_test(every_byte_is_escaped_where_it_must_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
