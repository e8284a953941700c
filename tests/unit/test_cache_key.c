/* Tests of client/cache_key.c: calls that mean the same have one key, and no two others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/cache_key.h"
#include "schema/json.h"

static const char *const nobody[] = {NULL};

/* The key of a body written as JSON. */
static void key_of(const char *const *parts, const char *text, char out[CACHE_KEY_BYTES]) {
    json_error_t error;
    json_t *body = json_loads(text, JSON_FLAGS_IN, &error);
    if (!body) fail_msg("%s: %s", text, error.text);
    assert_true(cache_key_make(parts, body, out));
    json_decref(body);
}

static void same(const char *a, const char *b) {
    char one[CACHE_KEY_BYTES], other[CACHE_KEY_BYTES];
    key_of(nobody, a, one);
    key_of(nobody, b, other);
    if (strcmp(one, other) != 0) fail_msg("%s and %s have different keys", a, b);
}

static void key_is_64_hex_digits_and_stays_the_same(void **state) {
    (void)state;
    char key[CACHE_KEY_BYTES];
    const char *const parts[] = {"openai", "https://api.openai.com/v1", "gpt-4o", NULL};
    key_of(parts, "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}],\"temperature\":0.5,\"n\":1}", key);
    assert_int_equal(strlen(key), 64);
    assert_int_equal(strspn(key, "0123456789abcdef"), 64);
    /* As it was first, and computed by another program: caches outlive a process, so this value must not change unless MAKE does. */
    assert_string_equal(key, "a74175a59f360ce935bed4f8e2b65edc9962d5b4d176963aedeb81832f262d71");
}

static void order_of_members_and_white_space_do_not_count(void **state) {
    (void)state;
    same("{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "{ \"b\" : {\"d\":3, \"c\":2}, \"a\":1 }");
    same("[{\"a\":1,\"aa\":2,\"ab\":3}]", "[{\"ab\":3,\"aa\":2,\"a\":1}]");
    same("\"\\u00e9\"", "\"\xc3\xa9\"");
}

static void numbers_count_by_value(void **state) {
    (void)state;
    same("1", "1.0");
    same("1", "1e0");
    same("[0]", "[-0.0]");
    same("-5", "-5.0");
    same("1000000000000000000", "1e18");
    same("0.5", "5e-1");
    same("0.1", "0.10000000000000000");
}

/* No two of these are the same. */
static void everything_else_counts(void **state) {
    (void)state;
    static const char *const bodies[] = {"null",
                                         "true",
                                         "false",
                                         "0",
                                         "1",
                                         "-1",
                                         "0.5",
                                         "-0.5",
                                         "1e300",
                                         "-1e300",
                                         "9007199254740993",
                                         "9007199254740992",
                                         "9223372036854775807",
                                         "-9223372036854775808",
                                         "9223372036854775808.0",
                                         "\"\"",
                                         "\"0\"",
                                         "\"1\"",
                                         "\"true\"",
                                         "\"null\"",
                                         "\"a\"",
                                         "\"A\"",
                                         "\"a\\u0000\"",
                                         "\"a\\u0000b\"",
                                         "\"\xc3\xa9\"",
                                         "\"e\xcc\x81\"",
                                         "[]",
                                         "{}",
                                         "[[]]",
                                         "[{}]",
                                         "[null]",
                                         "[0]",
                                         "[1,2]",
                                         "[2,1]",
                                         "[12]",
                                         "[[1],2]",
                                         "[[1,2]]",
                                         "[1,[2]]",
                                         "[\"1\",\"2\"]",
                                         "[\"12\"]",
                                         "[\"1\",\"\",\"2\"]",
                                         "[\"ab\",\"c\"]",
                                         "[\"a\",\"bc\"]",
                                         "{\"a\":1}",
                                         "{\"a\":\"1\"}",
                                         "{\"a\":[1]}",
                                         "{\"a\":null}",
                                         "{\"b\":1}",
                                         "{\"a\":1,\"b\":2}",
                                         "{\"a\":2,\"b\":1}",
                                         "{\"a\":{\"b\":1}}",
                                         "{\"a\":{},\"b\":1}",
                                         "{\"ab\":1}",
                                         "{\"a\":\"b1\"}",
                                         "[\"a\",1]",
                                         "[{\"a\":1}]",
                                         "[{\"a\":1,\"b\":2}]",
                                         "[{\"a\":1},{\"b\":2}]",
                                         "[{\"b\":2},{\"a\":1}]"};
    enum { COUNT = sizeof bodies / sizeof *bodies };
    static char keys[COUNT][CACHE_KEY_BYTES];
    for (size_t i = 0; i < COUNT; i++) {
        key_of(nobody, bodies[i], keys[i]);
        for (size_t j = 0; j < i; j++)
            if (!strcmp(keys[i], keys[j])) fail_msg("%s and %s have one key", bodies[i], bodies[j]);
    }
}

static void parts_count_each_by_itself_and_in_order(void **state) {
    (void)state;
    static const char *const sets[][4] = {{NULL},
                                          {"", NULL},
                                          {"", "", NULL},
                                          {"a", NULL},
                                          {"b", NULL},
                                          {"ab", NULL},
                                          {"a", "b", NULL},
                                          {"b", "a", NULL},
                                          {"a", "", "b", NULL},
                                          {"a", "b", "", NULL},
                                          {"", "a", "b", NULL}};
    enum { COUNT = sizeof sets / sizeof *sets };
    char keys[COUNT][CACHE_KEY_BYTES];
    for (size_t i = 0; i < COUNT; i++) {
        key_of(sets[i], "{}", keys[i]);
        for (size_t j = 0; j < i; j++) assert_string_not_equal(keys[i], keys[j]);
    }
    char none[CACHE_KEY_BYTES];
    assert_true(cache_key_make(sets[0], NULL, none));
    assert_string_not_equal(none, keys[0]);
}

static void names_with_a_zero_in_them_are_whole(void **state) {
    (void)state;
    json_t *one = json_object(), *other = json_object();
    json_object_setn_new_nocheck(one, "a\0b", 3, json_integer(1));
    json_object_setn_new_nocheck(one, "a\0c", 3, json_integer(2));
    json_object_setn_new_nocheck(other, "a\0b", 3, json_integer(2));
    json_object_setn_new_nocheck(other, "a\0c", 3, json_integer(1));
    char first[CACHE_KEY_BYTES], second[CACHE_KEY_BYTES];
    assert_true(cache_key_make(nobody, one, first));
    assert_true(cache_key_make(nobody, other, second));
    assert_string_not_equal(first, second);
    json_decref(one);
    json_decref(other);
}

static void body_too_deep_has_no_key(void **state) {
    (void)state;
    char key[CACHE_KEY_BYTES] = "x";
    json_t *body = json_array();
    for (int i = 0; i < CACHE_KEY_DEPTH_MAX; i++) body = json_pack("[o]", body);
    assert_true(cache_key_make(nobody, body, key));
    body = json_pack("{so}", "a", body);
    assert_false(cache_key_make(nobody, body, key));
    assert_string_equal(key, "");
    json_decref(body);
}

static void members_that_do_not_shape_the_answer_are_known(void **state) {
    (void)state;
    static const char *const out[] = {
        "stream",           "stream_options",        "user", "metadata", "store", "safety_identifier",
        "prompt_cache_key", "prompt_cache_retention"};
    static const char *const in[] = {"model",        "messages", "temperature", "seed", "n",
                                     "service_tier", "tools",    "input",       ""};
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) assert_true(cache_key_ignores(out[i]));
    for (size_t i = 0; i < sizeof in / sizeof *in; i++) assert_false(cache_key_ignores(in[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_is_64_hex_digits_and_stays_the_same),
        cmocka_unit_test(order_of_members_and_white_space_do_not_count),
        cmocka_unit_test(numbers_count_by_value),
        cmocka_unit_test(everything_else_counts),
        cmocka_unit_test(parts_count_each_by_itself_and_in_order),
        cmocka_unit_test(names_with_a_zero_in_them_are_whole),
        cmocka_unit_test(body_too_deep_has_no_key),
        cmocka_unit_test(members_that_do_not_shape_the_answer_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
