/* Tests of schema/json_text.c: the text is the one that jansson writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "schema/json.h"
#include "schema/json_text.h"
#include "schema/value.h"

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

/* Text is looked at by words: each byte at each place in and around one, beside neighbours that a borrow could reach. */
static void what_is_special_is_found_at_every_place(void **state) {
    (void)state;
    static const char neighbours[] = {'a', ' ', '!', '#', '[', ']', '\x7f', '\x80', '\xff'};
    char text[20];
    for (size_t n = 0; n < sizeof neighbours; n++)
        for (size_t size = 1; size <= sizeof text; size++)
            for (size_t at = 0; at < size; at++)
                for (int c = 0; c < 0x100; c++) {
                    memset(text, neighbours[n], size);
                    text[at] = (char)c;
                    const bool special = c < 0x20 || c == '"' || c == '\\';
                    assert_int_equal(json_text_plain(text, size), special ? at : size);
                }
}

static void decoded_values_are_written_as_jansson_does(void **state) {
    (void)state;
    /* The last: {1: 2.5, "k": [nil, true, false, -3, 2^64 - 1, NaN, "\"", bin "ab", {}, []]} */
    static const char mixed[] =
        "\x82\x01\xcb\x40\x04\0\0\0\0\0\0\xa1k\x9a\xc0\xc3\xc2\xfd\xcf\xff\xff\xff\xff\xff\xff\xff\xff"
        "\xcb\x7f\xf8\0\0\0\0\0\0\xa1\"\xc4\x02"
        "ab\x80\x90";
    static const char *const names[] = {"pre_api_call", "stream_event", "post_api_call",
                                        "success",      "failure",      "custom"};
    for (size_t i = 0; i <= sizeof names / sizeof *names; i++) {
        char path[512], bytes[1 << 14];
        size_t size = sizeof mixed - 1;
        memcpy(bytes, mixed, size);
        if (i < sizeof names / sizeof *names) {
            snprintf(path, sizeof path, STENO_SOURCE_DIR "/schema/vectors/%s.msgpack", names[i]);
            FILE *file = fopen(path, "rb");
            assert_non_null(file);
            size = fread(bytes, 1, sizeof bytes, file);
            fclose(file);
        }
        value_tree tree;
        steno_error error;
        if (value_tree_decode(bytes, size, sizeof bytes, &tree, &error)) fail_msg("%s", error.message);
        const steno_value *value = object_value(&tree.unpacked.data);
        json_t *json = value_to_json(value);
        char *expected = json_dumps(json, JSON_FLAGS_OUT), *got = steno_value_json(value);
        assert_string_equal(got, expected);
        free(expected);
        free(got);
        json_decref(json);
        value_tree_free(&tree);
    }
    char *nothing = steno_value_json(NULL);
    assert_string_equal(nothing, "null");
    free(nothing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoded_values_are_written_as_jansson_does),
        cmocka_unit_test(every_kind_of_value_is_written_as_jansson_does),
        cmocka_unit_test(every_byte_is_escaped_where_it_must_be),
        cmocka_unit_test(what_is_special_is_found_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
