/* Tests of client/stream_assembly.c: a stream gives the response that the call would have given whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/stream_assembly.h"

/* Adds chunks given as JSON texts, NULL-terminated, and compares the response with `expected`. */
static void expect(const char *const *chunks, const char *expected) {
    stream_assembly assembly = {0};
    for (; *chunks; chunks++) {
        json_t *chunk = json_loads(*chunks, 0, NULL);
        assert_non_null(chunk);
        const char *text;
        steno_error error;
        if (assembly_add(&assembly, chunk, &text, &error)) fail_msg("%s", error.message);
        json_decref(chunk);
    }
    json_t *response = assembly_response(&assembly), *wanted = json_loads(expected, 0, NULL);
    assert_non_null(wanted);
    if (!json_equal(response, wanted)) fail_msg("%s\nis not\n%s", json_dumps(response, 0), expected);
    json_decref(response);
    json_decref(wanted);
    assembly_free(&assembly);
}

static void texts_are_joined_and_usage_taken_from_the_last_chunk(void **state) {
    (void)state;
    static const char *const chunks[] = {
        "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":[{\"index\":0,"
        "\"delta\":{\"role\":"
        "\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}",
        "{\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"},\"finish_reason\":null}]}",
        "{\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"},\"finish_reason\":null}]}",
        "{\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}",
        "{\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}",
        NULL};
    expect(chunks, "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\",\"choices\":[{"
                   "\"index\":0,\"message\":{\"role\":"
                   "\"assistant\",\"content\":\"Hello\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,"
                   "\"completion_tokens\":2,"
                   "\"total_tokens\":5}}");
}

static void cumulative_usage_is_never_added_up(void **state) {
    (void)state;
    static const char *const chunks[] = {
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}],\"usage\":{\"completion_tokens\":1}}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}],\"usage\":{\"completion_"
        "tokens\":2}}",
        NULL};
    expect(chunks, "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                   "\"content\":\"ab\"},"
                   "\"finish_reason\":\"stop\"}],\"usage\":{\"completion_tokens\":2}}");
}

static void choices_stay_apart(void **state) {
    (void)state;
    static const char *const chunks[] = {"{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"B\"}}]}",
                                         "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"A\"}}]}",
                                         "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"},\"finish_reason\":"
                                         "\"length\"},{\"index\":0,\"delta\":{\"content\":\"a\"},"
                                         "\"finish_reason\":\"stop\"}]}",
                                         NULL};
    expect(chunks, "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                   "\"content\":\"Aa\"},"
                   "\"finish_reason\":\"stop\"},{\"index\":1,\"message\":{\"role\":\"assistant\",\"content\":\"Bb\"},"
                   "\"finish_reason\":"
                   "\"length\"}]}");
}

static void tool_calls_are_put_together_by_their_index(void **state) {
    (void)state;
    static const char *const chunks[] = {
        "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,"
        "\"id\":\"t0\",\"type\":"
        "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"t1\",\"type\":\"function\","
        "\"function\":{\"name\":\"g\","
        "\"arguments\":\"{\"}},{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\"\"}}]}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}},{"
        "\"index\":1,\"function\":{"
        "\"arguments\":\"}\"}}]},\"finish_reason\":\"tool_calls\"}]}",
        NULL};
    expect(chunks,
           "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
           "null,\"tool_calls\":[{"
           "\"id\":\"t0\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":"
           "\"t1\",\"type\":"
           "\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}");
}

static void tool_calls_of_the_same_index_stay_apart(void **state) {
    (void)state;
    static const char *const chunks[] = {
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"t0\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{}\"}}]}}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"t1\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{\\\"a\\\"\"}}]}}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"\",\"function\":{\"name\":\"f\","
        "\"arguments\":\":1}\"}}]}}]}",
        NULL};
    expect(chunks, "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                   "\"content\":null,\"tool_calls\":[{\"id\":\"t0\",\"function\":{\"name\":\"f\",\"arguments\":"
                   "\"{}\"}},{\"id\":\"t1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]},"
                   "\"finish_reason\":null}]}");
}

/* Some servers give each piece another id. */
static void pieces_of_a_tool_call_are_told_from_a_new_one_by_its_name(void **state) {
    (void)state;
    static const char *const chunks[] = {
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\"}}]}}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\"}}]}}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"x\",\"function\":{\"arguments\":\"1\"}}]}}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"y\",\"function\":{\"arguments\":\"2\"}}]}}]}",
        NULL};
    expect(chunks, "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                   "\"content\":null,\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":"
                   "\"1\"}},{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"2\"}}]},"
                   "\"finish_reason\":null}]}");
}

static void audio_and_the_old_function_call_are_put_together(void **state) {
    (void)state;
    static const char *const chunks[] = {
        "{\"choices\":[{\"delta\":{\"function_call\":{\"name\":\"f\",\"arguments\":\"\"},\"audio\":{\"id\":\"u\","
        "\"transcript\":\"Hel\"}}}]}",
        "{\"choices\":[{\"delta\":{\"function_call\":{\"arguments\":\"{\\\"a\\\"\"},\"audio\":{\"data\":\"AAAA\","
        "\"transcript\":\"lo\"}}}]}",
        "{\"choices\":[{\"delta\":{\"function_call\":{\"arguments\":\":1}\"},\"audio\":{\"data\":\"BBBB\","
        "\"expires_at\":9}}}]}",
        NULL};
    expect(chunks, "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                   "\"content\":null,\"function_call\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"},"
                   "\"audio\":{\"id\":\"u\",\"data\":\"AAAABBBB\",\"transcript\":\"Hello\",\"expires_at\":9}},"
                   "\"finish_reason\":null}]}");
}

static void lists_are_joined(void **state) {
    (void)state;
    static const char *const chunks[] = {
        "{\"choices\":[{\"delta\":{\"annotations\":[{\"url\":\"a\"}],\"images\":[1]}}]}",
        "{\"choices\":[{\"delta\":{\"annotations\":[{\"url\":\"b\"}],\"images\":[]}}]}", NULL};
    expect(chunks, "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                   "\"content\":null,\"annotations\":[{\"url\":\"a\"},{\"url\":\"b\"}],\"images\":[1]},"
                   "\"finish_reason\":null}]}");
}

static void reasoning_refusals_logprobs_and_unknown_members_are_kept(void **state) {
    (void)state;
    static const char *const chunks[] = {"{\"system_fingerprint\":\"fp\",\"choices\":[{\"index\":0,\"delta\":{"
                                         "\"reasoning_content\":\"Let \"},\"logprobs\":{\"content\":[{"
                                         "\"token\":\"x\"}]}}]}",
                                         "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"me.\","
                                         "\"refusal\":\"No\",\"annotations\":[1]},\"logprobs\":{"
                                         "\"content\":[{\"token\":\"y\"}],\"refusal\":null}}],\"x_new\":true}",
                                         NULL};
    expect(chunks, "{\"object\":\"chat.completion\",\"system_fingerprint\":\"fp\",\"x_new\":true,\"choices\":[{"
                   "\"index\":0,\"message\":{"
                   "\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"Let "
                   "me.\",\"refusal\":\"No\",\"annotations\":[1]},"
                   "\"logprobs\":{\"content\":[{\"token\":\"x\"},{\"token\":\"y\"}]},\"finish_reason\":null}]}");
}

static void the_text_of_the_first_choice_is_handed_out(void **state) {
    (void)state;
    stream_assembly assembly = {0};
    const char *text;
    json_t *chunk = json_loads("{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"other\"}}]}", 0, NULL);
    assert_int_equal(assembly_add(&assembly, chunk, &text, NULL), STENO_OK);
    assert_string_equal(text, "");
    json_decref(chunk);
    assert_true(assembly.has_content);
    assert_false(assembly_is_finished(&assembly));
    chunk = json_loads("{\"choices\":[{\"delta\":{\"content\":\"mine\"},\"finish_reason\":\"stop\"}]}", 0, NULL);
    assert_int_equal(assembly_add(&assembly, chunk, &text, NULL), STENO_OK);
    assert_string_equal(text, "mine");
    assert_false(assembly_is_finished(&assembly)); /* the other is still open */
    json_decref(chunk);
    chunk = json_loads("{\"choices\":[{\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"}]}", 0, NULL);
    assert_int_equal(assembly_add(&assembly, chunk, &text, NULL), STENO_OK);
    assert_true(assembly_is_finished(&assembly));
    json_decref(chunk);
    assembly_free(&assembly);
}

static void hostile_chunks_are_refused(void **state) {
    (void)state;
    static const char *const chunks[] = {
        "[1]", "\"x\"", "{\"choices\":[{\"index\":1000000000}]}", "{\"choices\":[{\"index\":-1}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":99999999}]}}]}"};
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        stream_assembly assembly = {0};
        const char *text;
        json_t *chunk = json_loads(chunks[i], JSON_DECODE_ANY, NULL);
        assert_int_equal(assembly_add(&assembly, chunk, &text, NULL), STENO_CORRUPT);
        json_decref(chunk);
        assembly_free(&assembly);
    }
    /* Odd but harmless. */
    static const char *const odd[] = {"{\"choices\":5}",
                                      "{\"choices\":[null,3]}",
                                      "{\"choices\":[{\"delta\":[]}]}",
                                      "{\"choices\":[{\"delta\":{\"content\":{}}}]}",
                                      "{\"choices\":[{\"delta\":{\"tool_calls\":[7]}}]}",
                                      "{}"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        stream_assembly assembly = {0};
        const char *text;
        json_t *chunk = json_loads(odd[i], JSON_DECODE_ANY, NULL);
        assert_int_equal(assembly_add(&assembly, chunk, &text, NULL), STENO_OK);
        json_decref(assembly_response(&assembly));
        json_decref(chunk);
        assembly_free(&assembly);
    }
}

static void content_in_parts_joins_the_text_and_is_kept(void **state) {
    (void)state;
    static const char *const chunks[] = {
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":[]}]}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"He\"}]}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"llo\"}}]}", NULL};
    expect(chunks,
           "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
           "\"Hello\",\"content_parts\":[{\"type\":\"thinking\",\"thinking\":[]},{\"type\":\"text\",\"text\":\"He\"}]},"
           "\"finish_reason\":null}]}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_joined_and_usage_taken_from_the_last_chunk),
        cmocka_unit_test(cumulative_usage_is_never_added_up),
        cmocka_unit_test(choices_stay_apart),
        cmocka_unit_test(tool_calls_are_put_together_by_their_index),
        cmocka_unit_test(tool_calls_of_the_same_index_stay_apart),
        cmocka_unit_test(pieces_of_a_tool_call_are_told_from_a_new_one_by_its_name),
        cmocka_unit_test(audio_and_the_old_function_call_are_put_together),
        cmocka_unit_test(lists_are_joined),
        cmocka_unit_test(reasoning_refusals_logprobs_and_unknown_members_are_kept),
        cmocka_unit_test(the_text_of_the_first_choice_is_handed_out),
        cmocka_unit_test(content_in_parts_joins_the_text_and_is_kept),
        cmocka_unit_test(hostile_chunks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
