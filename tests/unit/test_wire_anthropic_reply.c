/* Tests of client/providers/anthropic_reply.c: what replies and streams of Claude become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/usage.h"
#include "tests/unit/wire_check.h"

static const wire_ask ask = {.kind = CALL_CHAT, .model = "claude-sonnet-4-5"};

static void fails(const char *native, steno_status status, const char *type) {
    wire_check_reply_fails(&ask, &wire_anthropic, native, status, type);
}

/* ---- replies ---- */

static void a_reply_is_read(void **state) {
    (void)state;
    wire_check_reply(&ask, &wire_anthropic, J({
        "id" : "msg_1",
        "type" : "message",
        "role" : "assistant",
        "model" : "claude-sonnet-4-5-20250929",
        "content" : [
            {"type" : "thinking", "thinking" : "Hm.", "signature" : "sig"},
            {"type" : "redacted_thinking", "data" : "opaque"}, {"type" : "text", "text" : "Hel"},
            {"type" : "server_tool_use", "id" : "srv_1", "name" : "web_search", "input" : {"query" : "x"}},
            {"type" : "web_search_tool_result", "tool_use_id" : "srv_1", "content" : []},
            {"type" : "text", "text" : "lo"}
        ],
        "stop_reason" : "end_turn",
        "stop_sequence" : null,
        "usage" : {"input_tokens" : 3, "output_tokens" : 2}
    }),
                     J({
                         "id" : "msg_1",
                         "object" : "chat.completion",
                         "model" : "claude-sonnet-4-5-20250929",
                         "choices" : [ {
                             "index" : 0,
                             "message" : {
                                 "role" : "assistant",
                                 "content" : "Hello",
                                 "reasoning_content" : "Hm.",
                                 "thinking_blocks" : [
                                     {"type" : "thinking", "thinking" : "Hm.", "signature" : "sig"},
                                     {"type" : "redacted_thinking", "data" : "opaque"}
                                 ]
                             },
                             "finish_reason" : "stop"
                         } ]
                     }));
}

static void tool_calls_are_read(void **state) {
    (void)state;
    wire_check_reply(
        &ask, &wire_anthropic, J({
            "id" : "msg_1",
            "model" : "m",
            "content" : [
                {"type" : "tool_use", "id" : "toolu_1", "name" : "w", "input" : {"c" : "Paris"}},
                {"type" : "tool_use", "id" : "toolu_2", "name" : "now", "input" : {}}
            ],
            "stop_reason" : "tool_use"
        }),
        J({
            "id" : "msg_1",
            "object" : "chat.completion",
            "model" : "m",
            "choices" : [ {
                "index" : 0,
                "message" : {
                    "role" : "assistant",
                    "content" : null,
                    "tool_calls" : [
                        {
                            "id" : "toolu_1",
                            "type" : "function",
                            "function" : {"name" : "w", "arguments" : "{\"c\":\"Paris\"}"}
                        },
                        {"id" : "toolu_2", "type" : "function", "function" : {"name" : "now", "arguments" : "{}"}}
                    ]
                },
                "finish_reason" : "tool_calls"
            } ]
        }));
}

static void every_stop_reason_has_a_word_of_openais(void **state) {
    (void)state;
    static const char *const words[][2] = {
        {"end_turn", "stop"},          {"stop_sequence", "stop"},  {"pause_turn", "stop"},
        {"max_tokens", "length"},      {"tool_use", "tool_calls"}, {"model_context_window_exceeded", "length"},
        {"refusal", "content_filter"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        wire_check_finish(&ask, &wire_anthropic, json_pack("{s:[],s:s}", "content", "stop_reason", words[i][0]),
                          words[i][1]);
}

static void a_refusal_says_why(void **state) {
    (void)state;
    wire_check_reply(&ask, &wire_anthropic, J({
        "id" : "msg_1",
        "model" : "m",
        "content" : [],
        "stop_reason" : "refusal",
        "stop_details" : {"type" : "refusal", "category" : "bio", "explanation" : "No."}
    }),
                     J({
                         "id" : "msg_1",
                         "object" : "chat.completion",
                         "model" : "m",
                         "choices" : [ {
                             "index" : 0,
                             "message" : {"role" : "assistant", "content" : null, "refusal" : "No."},
                             "finish_reason" : "content_filter"
                         } ]
                     }));
}

static void what_is_no_reply_is_not_taken_for_one(void **state) {
    (void)state;
    fails("{}", STENO_CORRUPT, "");
    fails("[1]", STENO_CORRUPT, "");
    fails("7", STENO_CORRUPT, "");
    fails(J({"content" : "text"}), STENO_CORRUPT, "");
    fails(J({"type" : "error", "error" : {"type" : "overloaded_error", "message" : "Overloaded"}}), STENO_FAILED,
          "ServiceUnavailable");
}

static void odd_blocks_are_passed_over(void **state) {
    (void)state;
    wire_check_reply(
        &ask, &wire_anthropic, J({
            "id" : 7,
            "model" : [],
            "usage" : 1,
            "stop_reason" : {},
            "stop_details" : 3,
            "content" : [
                1, null, "x", {}, {"type" : 3}, {"type" : "text"}, {"type" : "text", "text" : 9}, {"type" : "tool_use"},
                {"type" : "tool_use", "id" : 1, "name" : 2}, {"type" : "new_one"},
                {"type" : "tool_use", "id" : "t", "name" : "f", "input" : "no object"}
            ]
        }),
        J({
            "object" : "chat.completion",
            "model" : "claude-sonnet-4-5",
            "choices" : [ {
                "index" : 0,
                "message" : {
                    "role" : "assistant",
                    "content" : null,
                    "tool_calls" :
                        [ {"id" : "t", "type" : "function", "function" : {"name" : "f", "arguments" : "{}"}} ]
                },
                "finish_reason" : null
            } ]
        }));
}

/* ---- streams ---- */

static void a_stream_is_put_together(void **state) {
    (void)state;
    static const char *const records[] = {
        "message_start\n" J({
            "type" : "message_start",
            "message" : {
                "id" : "msg_1",
                "model" : "claude-sonnet-4-5-20250929",
                "content" : [],
                "usage" : {
                    "input_tokens" : 10,
                    "cache_read_input_tokens" : 0,
                    "cache_creation_input_tokens" : 0,
                    "cache_creation" : {"ephemeral_5m_input_tokens" : 0, "ephemeral_1h_input_tokens" : 3},
                    "output_tokens" : 1
                }
            }
        }),
        "content_block_start\n" J({
            "type" : "content_block_start",
            "index" : 0,
            "content_block" : {"type" : "thinking", "thinking" : "", "signature" : ""}
        }),
        "ping\n" J({"type" : "ping"}),
        J({"type" : "content_block_delta", "index" : 0, "delta" : {"type" : "thinking_delta", "thinking" : "Hm"}}),
        J({"type" : "content_block_delta", "index" : 0, "delta" : {"type" : "thinking_delta", "thinking" : "."}}),
        J({"type" : "content_block_delta", "index" : 0, "delta" : {"type" : "signature_delta", "signature" : "sig"}}),
        J({"type" : "content_block_stop", "index" : 0}),
        J({
            "type" : "content_block_start",
            "index" : 1,
            "content_block" : {"type" : "redacted_thinking", "data" : "opaque"}
        }),
        J({"type" : "content_block_stop", "index" : 1}),
        J({"type" : "content_block_start", "index" : 2, "content_block" : {"type" : "text", "text" : ""}}),
        J({"type" : "content_block_delta", "index" : 2, "delta" : {"type" : "text_delta", "text" : "Let me "}}),
        J({"type" : "content_block_delta", "index" : 2, "delta" : {"type" : "citations_delta", "citation" : {}}}),
        J({"type" : "content_block_delta", "index" : 2, "delta" : {"type" : "text_delta", "text" : "look."}}),
        J({"type" : "content_block_stop", "index" : 2}),
        J({
            "type" : "content_block_start",
            "index" : 3,
            "content_block" : {"type" : "server_tool_use", "id" : "srv_1", "name" : "web_search", "input" : {}}
        }),
        J({
            "type" : "content_block_delta",
            "index" : 3,
            "delta" : {"type" : "input_json_delta", "partial_json" : "{}"}
        }),
        J({"type" : "content_block_stop", "index" : 3}),
        J({
            "type" : "content_block_start",
            "index" : 4,
            "content_block" : {"type" : "tool_use", "id" : "toolu_1", "name" : "w", "input" : {}}
        }),
        J({"type" : "content_block_delta", "index" : 4, "delta" : {"type" : "input_json_delta", "partial_json" : ""}}),
        J({
            "type" : "content_block_delta",
            "index" : 4,
            "delta" : {"type" : "input_json_delta", "partial_json" : "{\"c\":"}
        }),
        J({
            "type" : "content_block_delta",
            "index" : 4,
            "delta" : {"type" : "input_json_delta", "partial_json" : "1}"}
        }),
        J({"type" : "content_block_stop", "index" : 4}),
        J({
            "type" : "content_block_start",
            "index" : 5,
            "content_block" : {"type" : "tool_use", "id" : "toolu_2", "name" : "now", "input" : {}}
        }),
        J({"type" : "content_block_stop", "index" : 5}),
        J({
            "type" : "message_delta",
            "delta" : {"stop_reason" : "tool_use", "stop_sequence" : null},
            "usage" : {
                "cache_read_input_tokens" : 5,
                "input_tokens" : null,
                "output_tokens" : 20,
                "output_tokens_details" : {"thinking_tokens" : 4}
            }
        }),
        "message_stop\n" J({"type" : "message_stop"}),
        NULL,
    };
    wire_check_stream(&ask, &wire_anthropic, records, J({
        "id" : "msg_1",
        "object" : "chat.completion",
        "model" : "claude-sonnet-4-5-20250929",
        "choices" : [ {
            "index" : 0,
            "message" : {
                "role" : "assistant",
                "content" : "Let me look.",
                "reasoning_content" : "Hm.",
                "thinking_blocks" : [
                    {"type" : "thinking", "thinking" : "Hm.", "signature" : "sig"},
                    {"type" : "redacted_thinking", "data" : "opaque"}
                ],
                "tool_calls" : [
                    {"id" : "toolu_1", "type" : "function", "function" : {"name" : "w", "arguments" : "{\"c\":1}"}},
                    {"id" : "toolu_2", "type" : "function", "function" : {"name" : "now", "arguments" : "{}"}}
                ]
            },
            "finish_reason" : "tool_calls"
        } ],
        "usage" : {
            "prompt_tokens" : 15,
            "completion_tokens" : 20,
            "total_tokens" : 35,
            "prompt_tokens_details" : {"cached_tokens" : 5, "cache_write_tokens" : 0, "cache_write_1h_tokens" : 3},
            "completion_tokens_details" : {"reasoning_tokens" : 4}
        }
    }));
}

static void an_error_within_a_stream_is_typed(void **state) {
    (void)state;
    static const char *const types[][3] = {
        {"overloaded_error", "Overloaded", "ServiceUnavailable"},
        {"rate_limit_error", "Slow down", "RateLimit"},
        {"authentication_error", "invalid x-api-key", "Authentication"},
        {"permission_error", "No", "PermissionDenied"},
        {"not_found_error", "model: x", "NotFound"},
        {"invalid_request_error", "messages: wrong", "BadRequest"},
        {"invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum", "ContextWindowExceeded"},
        {"api_error", "Internal server error", "InternalServer"},
        {"timeout_error", "Request timeout", "Timeout"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char record[256];
        snprintf(record, sizeof record, "error\n{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"%s\"}}",
                 types[i][0], types[i][1]);
        const char *const records[] = {
            J({"type" : "message_start", "message" : {"id" : "msg_1", "model" : "m"}}),
            J({"type" : "content_block_start", "index" : 0, "content_block" : {"type" : "text", "text" : "a"}}), record,
            NULL};
        wire_check_stream_fails(&ask, &wire_anthropic, records, types[i][2]);
    }
}

static void hostile_records_do_no_harm(void **state) {
    (void)state;
    static const wire_case cases[] = {
        {"7", STENO_CORRUPT},
        {"[]", STENO_CORRUPT},
        {"{}", STENO_OK},
        {J({"type" : 7}), STENO_OK},
        {J({"type" : "of the future"}), STENO_OK},
        {J({"type" : "message_start"}), STENO_OK},
        {J({"type" : "message_start", "message" : {"id" : 1, "model" : {}, "usage" : []}}), STENO_OK},
        {J({"type" : "content_block_start"}), STENO_CORRUPT},
        {J({"type" : "content_block_start", "index" : -1, "content_block" : {"type" : "text"}}), STENO_CORRUPT},
        {J({"type" : "content_block_start", "index" : 256, "content_block" : {"type" : "text"}}), STENO_CORRUPT},
        {J({"type" : "content_block_start", "index" : 1e300, "content_block" : {"type" : "text"}}), STENO_CORRUPT},
        {J({"type" : "content_block_start", "index" : 0, "content_block" : 7}), STENO_OK},
        {J({"type" : "content_block_start", "index" : 1, "content_block" : {"type" : "tool_use", "id" : 7}}), STENO_OK},
        {J({"type" : "content_block_start", "index" : 2, "content_block" : {"type" : "thinking", "thinking" : 7}}),
         STENO_OK},
        {J({"type" : "content_block_delta", "index" : 2, "delta" : {"type" : "thinking_delta", "thinking" : 7}}),
         STENO_OK},
        {J({"type" : "content_block_delta", "index" : 2, "delta" : {"type" : "signature_delta"}}), STENO_OK},
        {J({
             "type" : "content_block_delta",
             "index" : 9,
             "delta" : {"type" : "input_json_delta", "partial_json" : "x"}
         }),
         STENO_OK},
        {J({"type" : "content_block_delta", "index" : 2, "delta" : {"type" : "text_delta", "text" : []}}), STENO_OK},
        {J({"type" : "content_block_stop", "index" : 200}), STENO_OK},
        {J({"type" : "message_delta"}), STENO_OK},
        {J({"type" : "message_delta", "delta" : [], "usage" : {"output_tokens" : "many"}}), STENO_OK},
        {J({"type" : "error"}), STENO_FAILED},
        {J({"type" : "error", "error" : "text"}), STENO_FAILED},
        {J({"error" : {"message" : "of a gateway"}}), STENO_FAILED},
    };
    wire_check_records(&ask, &wire_anthropic, cases, sizeof cases / sizeof *cases);
}

static void usage_counts_the_cache_into_the_prompt(void **state) {
    (void)state;
    wire_check_usage(usage_from_anthropic, J({
                         "input_tokens" : 21,
                         "cache_creation_input_tokens" : 188,
                         "cache_read_input_tokens" : 1000,
                         "cache_creation" : {"ephemeral_5m_input_tokens" : 88, "ephemeral_1h_input_tokens" : 100},
                         "output_tokens" : 393,
                         "output_tokens_details" : {"thinking_tokens" : 300},
                         "server_tool_use" : {"web_search_requests" : 1},
                         "service_tier" : "standard"
                     }),
                     (const int64_t[]){1209, 393, 1602, 1000, 188, 100, 300});
    wire_check_usage(usage_from_anthropic, J({"input_tokens" : 3, "output_tokens" : 4}),
                     (const int64_t[]){3, 4, 7, -1, -1, -1, -1});
    wire_check_usage(usage_from_anthropic, "[]", (const int64_t[]){-1, -1, -1, -1, -1, -1, -1});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_read),
        cmocka_unit_test(tool_calls_are_read),
        cmocka_unit_test(every_stop_reason_has_a_word_of_openais),
        cmocka_unit_test(a_refusal_says_why),
        cmocka_unit_test(what_is_no_reply_is_not_taken_for_one),
        cmocka_unit_test(odd_blocks_are_passed_over),
        cmocka_unit_test(a_stream_is_put_together),
        cmocka_unit_test(an_error_within_a_stream_is_typed),
        cmocka_unit_test(hostile_records_do_no_harm),
        cmocka_unit_test(usage_counts_the_cache_into_the_prompt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
