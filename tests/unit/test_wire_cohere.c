/* Tests of client/providers/cohere.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/wire_check.h"

static const wire_ask chat = {.kind = CALL_CHAT, .model = "command-a"},
                      embed = {.kind = CALL_EMBEDDING, .model = "embed-v4.0"};

static void parameters_have_coheres_names(void **state) {
    (void)state;
    wire_check_body(&chat, &wire_cohere,
                    "{\"messages\":[{\"role\":\"developer\",\"content\":\"Be "
                    "brief.\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"},{"
                    "\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/"
                    "y.png\"}}]}],\"max_completion_tokens\":9,\"top_p\":0.9,\"top_k\":3,\"stop\":["
                    "\"A\",\"B\"],\"tool_choice\":\"required\",\"reasoning_effort\":\"high\",\"safety_mode\":\"NONE\","
                    "\"response_format\":{\"type\":"
                    "\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":{\"type\":\"object\"}}}}",
                    "{\"model\":\"command-a\",\"messages\":[{\"role\":\"system\",\"content\":\"Be "
                    "brief.\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\","
                    "\"text\":\"Hi\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/"
                    "y.png\"}}]}],\"max_tokens\":9,\"p\":0.9,\"k\":3,"
                    "\"stop_sequences\":[\"A\",\"B\"],\"tool_choice\":\"REQUIRED\",\"thinking\":{\"type\":\"enabled\"},"
                    "\"safety_mode\":\"NONE\","
                    "\"response_format\":{\"type\":\"json_object\",\"json_schema\":{\"type\":\"object\"}}}");
    wire_check_body(&embed, &wire_cohere, "{\"input\":\"one\",\"dimensions\":256}",
                    "{\"model\":\"embed-v4.0\",\"texts\":[\"one\"],\"output_dimension\":256,\"input_type\":\"search_"
                    "document\",\"embedding_types\":[\"float\"]}");
    wire_check_body(&embed, &wire_cohere, "{\"input\":[\"a\",\"b\"],\"input_type\":\"search_query\"}",
                    "{\"model\":\"embed-v4.0\",\"texts\":[\"a\",\"b\"],\"input_type\":\"search_query\",\"embedding_"
                    "types\":[\"float\"]}");
}

static void a_plan_goes_back_with_its_tool_calls(void **state) {
    (void)state;
    wire_check_body(&chat, &wire_cohere,
                    "{\"messages\":[{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"I "
                    "look.\",\"tool_calls\":[{\"id\":\"c1\",\"type\":"
                    "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_"
                    "id\":\"c1\",\"content\":\"21\"}]}",
                    "{\"model\":\"command-a\",\"messages\":[{\"role\":\"assistant\",\"tool_plan\":\"I "
                    "look.\",\"tool_calls\":[{\"id\":\"c1\",\"type\":"
                    "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_"
                    "id\":\"c1\",\"content\":\"21\"}]}");
}

static void what_it_lacks_is_refused_by_name(void **state) {
    (void)state;
    wire_check_refused(&chat, &wire_cohere, "{\"messages\":[],\"n\":2}", "`n`");
    wire_check_refused(&chat, &wire_cohere, "{\"messages\":[],\"parallel_tool_calls\":false}", "`parallel_tool_calls`");
    wire_check_refused(&chat, &wire_cohere, "{\"messages\":[],\"web_search_options\":{}}", "`web_search_options`");
    wire_check_refused(&chat, &wire_cohere,
                       "{\"messages\":[],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}",
                       "tool_choice");
    wire_check_refused(&chat, &wire_cohere,
                       "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{"
                       "\"data\":\"x\",\"format\":\"wav\"}}]}]}",
                       "input_audio");
}

static void whole_replies_are_openais(void **state) {
    (void)state;
    wire_check_reply(&chat, &wire_cohere,
                     "{\"id\":\"i\",\"finish_reason\":\"MAX_TOKENS\",\"message\":{\"role\":\"assistant\",\"content\":[{"
                     "\"type\":\"thinking\",\"thinking\":\"hm\"},"
                     "{\"type\":\"text\",\"text\":\"Hel\"},{\"type\":\"text\",\"text\":\"lo\"}]},\"usage\":{}}",
                     "{\"id\":\"i\",\"object\":\"chat.completion\",\"model\":\"command-a\",\"choices\":[{\"index\":0,"
                     "\"message\":{\"role\":\"assistant\","
                     "\"content\":\"Hello\",\"reasoning_content\":\"hm\"},\"finish_reason\":\"length\"}]}");
    wire_check_reply(&embed, &wire_cohere,
                     "{\"embeddings\":{\"float\":[[1,2]]},\"meta\":{\"billed_units\":{\"input_tokens\":3}}}",
                     "{\"object\":\"list\",\"model\":\"embed-v4.0\",\"data\":[{\"object\":\"embedding\",\"index\":0,"
                     "\"embedding\":[1,2]}]}");
}

static void a_reply_that_gave_up_is_a_failure(void **state) {
    (void)state;
    steno_error error = {0};
    json_t *native = json_loads("{\"finish_reason\":\"TIMEOUT\",\"message\":{\"content\":[]}}", 0, NULL);
    const json_t *usage;
    assert_null(wire_cohere.reply(&chat, native, &usage, &error));
    assert_string_equal(error.type, "Timeout");
    json_decref(native);
}

static void events_become_chunks(void **state) {
    (void)state;
    static const char *const records[] = {
        "{\"type\":\"message-start\",\"id\":\"i\",\"delta\":{\"message\":{\"role\":\"assistant\"}}}",
        "{\"type\":\"tool-plan-delta\",\"delta\":{\"message\":{\"tool_plan\":\"I look.\"}}}",
        "{\"type\":\"tool-call-start\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"id\":\"c1\",\"type\":"
        "\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"\"}}}}}",
        "{\"type\":\"tool-call-delta\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":"
        "\"{\\\"a\\\":\"}}}}}",
        "{\"type\":\"tool-call-delta\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":"
        "\"1}\"}}}}}",
        "{\"type\":\"tool-call-end\",\"index\":0}",
        "{\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"Hi\"}}}}",
        "{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"TOOL_CALL\",\"usage\":{\"billed_units\":{\"input_"
        "tokens\":5,\"output_tokens\":6}}}}",
        NULL};
    wire_check_stream(&chat, &wire_cohere, records,
                      "{\"id\":\"i\",\"object\":\"chat.completion\",\"model\":\"command-a\",\"choices\":[{\"index\":0,"
                      "\"message\":{\"role\":\"assistant\","
                      "\"content\":\"Hi\",\"reasoning_content\":\"I "
                      "look.\",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
                      "\"arguments\":\"{\\\"a\\\":1}\"}}]},\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_"
                      "tokens\":5,\"completion_tokens\":6,"
                      "\"total_tokens\":11}}");
}

static void failures_in_mid_stream(void **state) {
    (void)state;
    static const char *const error[] = {"{\"id\":\"x\",\"message\":\"internal server error\"}", NULL};
    static const char *const gave_up[] = {
        "{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"it broke\"}}", NULL};
    static const char *const too_late[] = {"{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"TIMEOUT\"}}",
                                           NULL};
    wire_check_stream_fails(&chat, &wire_cohere, error, "InternalServer");
    wire_check_stream_fails(&chat, &wire_cohere, gave_up, "InternalServer");
    wire_check_stream_fails(&chat, &wire_cohere, too_late, "Timeout");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_have_coheres_names),
        cmocka_unit_test(a_plan_goes_back_with_its_tool_calls),
        cmocka_unit_test(what_it_lacks_is_refused_by_name),
        cmocka_unit_test(whole_replies_are_openais),
        cmocka_unit_test(a_reply_that_gave_up_is_a_failure),
        cmocka_unit_test(events_become_chunks),
        cmocka_unit_test(failures_in_mid_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
