/* Tests of client/providers/responses.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/wire_check.h"

static const wire_ask ask = {.kind = CALL_CHAT, .model = "gpt-5"};

#define REASONING                                                                                                    \
    "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\"}],\"encrypted_" \
    "content\":\"e\"}"

static void messages_become_items(void **state) {
    (void)state;
    wire_check_body(
        &ask, &wire_responses,
        "{\"messages\":[{\"role\":\"system\",\"content\":\"Be "
        "brief.\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"},{"
        "\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/"
        "y.png\",\"detail\":\"low\"}}]},{\"role\":\"assistant\",\"content\":\"I "
        "look.\",\"reasoning_items\":[" REASONING
        "],\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"21\"}]}",
        "{\"model\":\"gpt-5\",\"input\":[{\"type\":\"message\",\"role\":\"system\",\"content\":[{\"type\":\"input_"
        "text\",\"text\":\"Be brief.\"}]},{"
        "\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Hi\"},{\"type\":"
        "\"input_image\",\"image_url\":"
        "\"https://x/y.png\",\"detail\":\"low\"}]}," REASONING
        ",{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":"
        "\"output_text\",\"text\":\"I "
        "look.\"}]},{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{}\"},{\"type\":"
        "\"function_call_output\",\"call_id\":\"c1\",\"output\":\"21\"}]}");
}

static void parameters_have_their_other_names(void **state) {
    (void)state;
    wire_check_body(&ask, &wire_responses,
                    "{\"messages\":[],\"max_tokens\":9,\"reasoning_effort\":\"low\",\"verbosity\":\"low\",\"tools\":[{"
                    "\"type\":\"function\",\"function\":{"
                    "\"name\":\"f\",\"parameters\":{}}},{\"type\":\"web_search\"}],\"tool_choice\":{\"type\":"
                    "\"function\",\"function\":{\"name\":\"f\"}},"
                    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"strict\":true,"
                    "\"schema\":{}}},\"store\":false,"
                    "\"previous_response_id\":\"r\",\"stream_options\":{\"include_usage\":true}}",
                    "{\"model\":\"gpt-5\",\"input\":[],\"max_output_tokens\":9,\"reasoning\":{\"effort\":\"low\"},"
                    "\"text\":{\"verbosity\":\"low\",\"format\":{"
                    "\"type\":\"json_schema\",\"name\":\"x\",\"strict\":true,\"schema\":{}}},\"tools\":[{\"type\":"
                    "\"function\",\"name\":\"f\",\"parameters\":{},\"strict\":false},"
                    "{\"type\":\"web_search\"}],\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"},\"store\":false,"
                    "\"previous_response_id\":\"r\"}");
    wire_check_body(&ask, &wire_responses, "{\"input\":\"Hi\",\"instructions\":\"Be brief.\"}",
                    "{\"model\":\"gpt-5\",\"input\":\"Hi\",\"instructions\":\"Be brief.\"}");
    wire_check_refused(&ask, &wire_responses, "{\"messages\":[],\"stop\":\"x\"}", "`stop`");
    wire_check_refused(&ask, &wire_responses, "{\"messages\":[],\"n\":2}", "`n`");
}

static void output_items_are_one_message(void **state) {
    (void)state;
    wire_check_reply(
        &ask, &wire_responses,
        "{\"id\":\"r\",\"model\":\"gpt-5-2025\",\"status\":\"completed\",\"service_tier\":\"flex\",\"output\":"
        "[" REASONING ",{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hel\",\"annotations\":["
        "{\"type\":\"url_citation\"}]},{\"type\":"
        "\"output_text\",\"text\":\"lo\"}]},{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\","
        "\"arguments\":\"{}\"}]}",
        "{\"id\":\"r\",\"object\":\"chat.completion\",\"model\":\"gpt-5-2025\",\"service_tier\":\"flex\",\"choices\":[{"
        "\"index\":0,\"message\":{"
        "\"role\":\"assistant\",\"content\":\"Hello\",\"reasoning_content\":\"hm\",\"reasoning_items\":[" REASONING
        "],\"annotations\":[{\"type\":\"url_citation\"}],\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
        "\"function\":{\"name\":\"f\","
        "\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}");
    wire_check_reply(&ask, &wire_responses,
                     "{\"id\":\"r\",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"}"
                     ",\"output\":[]}",
                     "{\"id\":\"r\",\"object\":\"chat.completion\",\"model\":\"gpt-5\",\"choices\":[{\"index\":0,"
                     "\"message\":{\"role\":\"assistant\","
                     "\"content\":null},\"finish_reason\":\"length\"}]}");
}

static void a_thought_that_is_stored_nowhere_does_not_go_back(void **state) {
    (void)state;
    wire_check_body(
        &ask, &wire_responses,
        "{\"store\":false,\"messages\":[{\"role\":\"assistant\",\"content\":\"Hi\",\"reasoning_items\":[" REASONING
        ",{\"type\":\"reasoning\",\"id\":\"rs_2\"}]}]}",
        "{\"model\":\"gpt-5\",\"store\":false,\"input\":[" REASONING
        ",{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hi\"}]}]}");
}

/* Whole and streamed: what is billed beside the tokens. */
static void tools_that_were_used_are_counted(void **state) {
    (void)state;
    wire_check_reply(
        &ask, &wire_responses,
        "{\"id\":\"r\",\"model\":\"gpt-5\",\"status\":\"completed\",\"service_tier\":\"flex\",\"output\":[{\"type\":"
        "\"web_search_call\"},{\"type\":\"web_search_call\"},{\"type\":\"file_search_call\"},{\"type\":"
        "\"code_interpreter_call\",\"container_id\":\"c1\"},{\"type\":\"code_interpreter_call\",\"container_id\":"
        "\"c1\"}]}",
        "{\"id\":\"r\",\"object\":\"chat.completion\",\"model\":\"gpt-5\",\"service_tier\":\"flex\","
        "\"server_tool_use\":{\"web_search_requests\":2,\"file_search_requests\":1,\"code_interpreter_sessions\":1},"
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null},\"finish_reason\":\"stop\"}]"
        "}");
}

static void log_probabilities_are_asked_for_and_read(void **state) {
    (void)state;
    wire_check_body(&ask, &wire_responses,
                    "{\"messages\":[],\"logprobs\":true,\"top_logprobs\":2,\"include\":[\"file_search_call.results\"]}",
                    "{\"model\":\"gpt-5\",\"input\":[],\"top_logprobs\":2,\"include\":[\"file_search_call.results\","
                    "\"message.output_text.logprobs\"]}");
    wire_check_reply(&ask, &wire_responses,
                     "{\"id\":\"r\",\"model\":\"gpt-5\",\"status\":\"completed\",\"output\":[{\"type\":\"message\","
                     "\"content\":[{\"type\":\"output_text\",\"text\":\"Hi\",\"logprobs\":[{\"token\":\"Hi\","
                     "\"logprob\":-0.5}]}]}]}",
                     "{\"id\":\"r\",\"object\":\"chat.completion\",\"model\":\"gpt-5\",\"choices\":[{\"index\":0,"
                     "\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"logprobs\":{\"content\":[{\"token\":"
                     "\"Hi\",\"logprob\":-0.5}]},\"finish_reason\":\"stop\"}]}");
}

static void parts_of_a_thought_are_paragraphs(void **state) {
    (void)state;
    wire_check_reply(&ask, &wire_responses,
                     "{\"id\":\"r\",\"model\":\"gpt-5\",\"status\":\"completed\",\"output\":[{\"type\":\"reasoning\","
                     "\"id\":\"1\",\"summary\":[{\"text\":\"First.\"},{\"text\":\"Then.\"}]}]}",
                     "{\"id\":\"r\",\"object\":\"chat.completion\",\"model\":\"gpt-5\",\"choices\":[{\"index\":0,"
                     "\"message\":{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"First.\\n\\nThen.\","
                     "\"reasoning_items\":[{\"type\":\"reasoning\",\"id\":\"1\",\"summary\":[{\"text\":\"First.\"},{"
                     "\"text\":\"Then.\"}]}]},\"finish_reason\":\"stop\"}]}");
}

static void refusals_and_pictures_go_back(void **state) {
    (void)state;
    wire_check_body(
        &ask, &wire_responses,
        "{\"messages\":[{\"role\":\"assistant\",\"content\":null,\"refusal\":\"No.\"},{\"role\":\"tool\","
        "\"tool_call_id\":\"c\",\"content\":[{\"type\":\"text\",\"text\":\"see\"},{\"type\":\"image_url\","
        "\"image_url\":{\"url\":\"https://x.test/a.png\"}}]}]}",
        "{\"model\":\"gpt-5\",\"input\":[{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":"
        "\"refusal\",\"refusal\":\"No.\"}]},{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":[{"
        "\"type\":\"input_text\",\"text\":\"see\"},{\"type\":\"input_image\",\"image_url\":\"https://x.test/a.png\"}"
        "]}]}");
}

static void a_failed_response_is_a_failure(void **state) {
    (void)state;
    steno_error error = {0};
    json_t *native = json_loads(
        "{\"status\":\"failed\",\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"slow down\"},\"output\":[]}",
        0, NULL);
    const json_t *usage;
    assert_null(wire_responses.reply(&ask, native, &usage, &error));
    assert_int_equal(error.status, STENO_FAILED);
    assert_string_equal(error.type, "RateLimit");
    assert_string_equal(error.message, "slow down");
    json_decref(native);
}

static void events_become_chunks(void **state) {
    (void)state;
    static const char *const records[] = {
        "response.created\n{\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"model\":\"gpt-5-2025\","
        "\"status\":\"in_progress\"}}",
        "{\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"reasoning\"}}",
        "{\"type\":\"response.reasoning_summary_text.delta\",\"output_index\":0,\"delta\":\"hm\"}",
        "{\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":" REASONING "}",
        "{\"type\":\"response.output_text.delta\",\"output_index\":1,\"delta\":\"Hel\"}",
        "{\"type\":\"response.output_text.delta\",\"output_index\":1,\"delta\":\"lo\"}",
        "{\"type\":\"response.output_item.added\",\"output_index\":2,\"item\":{\"type\":\"function_call\",\"call_id\":"
        "\"c1\",\"name\":\"f\"}}",
        "{\"type\":\"response.output_item.added\",\"output_index\":3,\"item\":{\"type\":\"function_call\",\"call_id\":"
        "\"c2\",\"name\":\"g\"}}",
        "{\"type\":\"response.function_call_arguments.delta\",\"output_index\":3,\"delta\":\"{}\"}",
        "{\"type\":\"response.function_call_arguments.delta\",\"output_index\":2,\"delta\":\"{\\\"a\\\":1}\"}",
        "{\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":\"completed\",\"usage\":{\"input_"
        "tokens\":5,\"output_tokens\":6,"
        "\"total_tokens\":11,\"output_tokens_details\":{\"reasoning_tokens\":4}}}}",
        NULL};
    wire_check_stream(&ask, &wire_responses, records,
                      "{\"id\":\"r\",\"object\":\"chat.completion\",\"model\":\"gpt-5-2025\",\"choices\":[{\"index\":0,"
                      "\"message\":{\"role\":\"assistant\","
                      "\"content\":\"Hello\",\"reasoning_content\":\"hm\",\"reasoning_items\":[" REASONING
                      "],\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
                      "\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"c2\","
                      "\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},\"finish_reason\":"
                      "\"tool_calls\"}],\"usage\":{"
                      "\"prompt_tokens\":5,\"completion_tokens\":6,\"total_tokens\":11,\"completion_tokens_details\":{"
                      "\"reasoning_tokens\":4}}}");
}

static void failures_in_mid_stream(void **state) {
    (void)state;
    static const char *const error[] = {
        "{\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"slow down\"}", NULL};
    static const char *const failed[] = {"{\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{"
                                         "\"code\":\"server_error\",\"message\":\"it broke\"}}}",
                                         NULL};
    static const char *const untyped[] = {"{\"error\":{\"message\":\"it broke\"}}", NULL};
    wire_check_stream_fails(&ask, &wire_responses, error, "RateLimit");
    wire_check_stream_fails(&ask, &wire_responses, failed, "InternalServer");
    wire_check_stream_fails(&ask, &wire_responses, untyped, "InternalServer");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_become_items),
        cmocka_unit_test(parameters_have_their_other_names),
        cmocka_unit_test(output_items_are_one_message),
        cmocka_unit_test(tools_that_were_used_are_counted),
        cmocka_unit_test(log_probabilities_are_asked_for_and_read),
        cmocka_unit_test(parts_of_a_thought_are_paragraphs),
        cmocka_unit_test(refusals_and_pictures_go_back),
        cmocka_unit_test(a_failed_response_is_a_failure),
        cmocka_unit_test(a_thought_that_is_stored_nowhere_does_not_go_back),
        cmocka_unit_test(events_become_chunks),
        cmocka_unit_test(failures_in_mid_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
