/* Tests of schema/json_read.c: what it reads is what jansson reads, and it reads what is usual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schema/json.h"
#include "schema/json_read.h"

/* A reply with every kind of value and escape. */
static const char reply[] =
    "{\"id\": \"chatcmpl-1\",\t\"created\":1700000000 "
    ",\r\n\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
    "\"content\":\"Gr\xC3\xBC\xC3\x9F \\\"Gott\\\" \\\\ \\/ \\b\\f\\n\\r\\t \\u00fc\\u20AC\\ud83d\\uDE00\\u0000 "
    "\xF0\x9F\x98\x80\"},"
    "\"logprobs\":[-0.25,1e-7,-0,0.1,12E+3],\"finish_reason\":null}],\"big\":[999999999999999999,-999999999999999999,"
    "9223372036854775807,-9223372036854775808],\"a\\u0062\\n\":true,\"twice\":1,\"twice\":{\"\":[[],{}]},\"end\":"
    "false}";

/* Reads a copy that ends where the text ends. True: it was read; it then is what jansson has. */
static bool is_read(const char *text, size_t size) {
    char *exact = malloc(size ? size : 1);
    memcpy(exact, text, size);
    json_t *got = json_read(exact, size), *expected = json_loadb(exact, size, JSON_FLAGS_IN, NULL);
    bool read = got;
    if (got && !json_equal(got, expected)) fail_msg("otherwise than jansson: %.*s", (int)size, text);
    json_decref(got);
    json_decref(expected);
    free(exact);
    return read;
}

static void what_is_usual_is_read(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",       "[]",           " null ",   "true",      "false",
        "0",        "-1",           "-0",       "1.5",       "\"\"",
        "[1,2, 3]", "\"\\u00e9\"",  "[-1.5e3]", "[[],[[]]]", "{\"a\":{\"b\":[null]}}",
        "5e-324",   "[1e308,2E-1]", "\"\x7F\"", "\n[\n]\n",  "-1.7976931348623157e308",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!is_read(texts[i], strlen(texts[i]))) fail_msg("not read: %s", texts[i]);
    assert_true(is_read(reply, sizeof reply - 1));
}

static void what_is_no_json_is_not_read(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "\"",
        "\"\\",
        "\"\\u12",
        "\"\\x\"",
        "\"\n\"",
        "\"\x01\"",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "0x1",
        "1 2",
        "tru",
        "truee",
        "nul",
        "[true1]",
        "\"\xFF\"",
        "\"\xC0\x80\"",
        "\xEF\xBB\xBF{}",
        "\"\xED\xA0\x80\"",
        "NaN",
        "Infinity",
        "[1}",
        "{\"a\":1]",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\u0041\"",
        "{\"a\\u0000b\":1}",
        "1e999",
        "9223372036854775808",
        "'a'",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (json_loadb(texts[i], strlen(texts[i]), JSON_FLAGS_IN, NULL)) fail_msg("jansson reads %s", texts[i]);
        if (is_read(texts[i], strlen(texts[i]))) fail_msg("read: %s", texts[i]);
    }
    assert_false(is_read("[1]\0", 4));
    assert_false(is_read("{\"a\0b\":1}", 9));
}

static void what_is_damaged_is_read_as_jansson_does_or_not_at_all(void **state) {
    (void)state;
    static const char bytes[] = "\"\\{}[],:0-1.eEuntf \n\x80\xC3";
    char copy[sizeof reply];
    size_t read = 0;
    for (size_t cut = 0; cut < sizeof reply - 1; cut++) assert_false(is_read(reply, cut));
    for (size_t at = 0; at < sizeof reply - 1; at++)
        for (size_t i = 0; i < sizeof bytes; i++) {
            memcpy(copy, reply, sizeof reply);
            copy[at] = bytes[i];
            read += is_read(copy, sizeof reply - 1);
        }
    assert_true(read > sizeof reply);
}

static void what_is_deep_is_left_to_jansson(void **state) {
    (void)state;
    enum { DEEP = 1000 };
    char text[2 * DEEP];
    memset(text, '[', DEEP);
    memset(text + DEEP, ']', DEEP);
    assert_true(is_read(text + DEEP - JSON_READ_DEPTH_MAX, (size_t)2 * JSON_READ_DEPTH_MAX));
    assert_false(is_read(text + DEEP - JSON_READ_DEPTH_MAX - 1, (size_t)2 * JSON_READ_DEPTH_MAX + 2));
    json_t *json = json_parse(text, sizeof text, NULL);
    assert_non_null(json);
    json_decref(json);
}

static void an_error_is_told_with_its_place(void **state) {
    (void)state;
    static const char text[] = "{\"a\": 1,\n \"b\": tru}";
    steno_error error = {0};
    assert_null(json_parse(text, sizeof text - 1, &error));
    assert_int_equal(error.status, STENO_CORRUPT);
    assert_non_null(strstr(error.message, "line 2"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_usual_is_read),
        cmocka_unit_test(what_is_no_json_is_not_read),
        cmocka_unit_test(what_is_damaged_is_read_as_jansson_does_or_not_at_all),
        cmocka_unit_test(what_is_deep_is_left_to_jansson),
        cmocka_unit_test(an_error_is_told_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
