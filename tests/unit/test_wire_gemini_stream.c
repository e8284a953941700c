/* Tests of client/providers/gemini_reply.c: what streams of Gemini become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/wire_check.h"

static const wire_ask ask = {.kind = CALL_CHAT, .model = "gemini-2.5-flash"};

/* ---- streams ---- */

static void a_stream_is_put_together(void **state) {
    (void)state;
    static const char *const records[] = {
        J({
            "candidates" : [ {"content" : {"role" : "model", "parts" : [ {"text" : "H", "thought" : true} ]}} ],
            "usageMetadata" : {"promptTokenCount" : 8, "totalTokenCount" : 8},
            "modelVersion" : "gemini-2.5-flash-001",
            "responseId" : "r1"
        }),
        J({
            "candidates" : [ {"content" : {"parts" : [ {"text" : "m.", "thought" : true}, {"text" : "Let "} ]}} ],
            "usageMetadata" : {"promptTokenCount" : 8, "candidatesTokenCount" : 1, "totalTokenCount" : 9}
        }),
        J({"candidates" : [ {"content" : {"parts" : [ {"text" : "me look."} ]}} ]}),
        J({"candidates" : [ {"content" : {"parts" : [ {"text" : "", "thoughtSignature" : "s1"} ]}} ]}),
        J({"candidates" : [ {"content" : {"parts" : [ {"thoughtSignature" : "s2"} ]}} ]}),
        J({
            "candidates" : [ {
                "content" :
                    {"parts" : [ {"functionCall" : {"name" : "f", "args" : {"c" : 1}}, "thoughtSignature" : "s3"} ]}
            } ]
        }),
        J({"candidates" : [ {"content" : {"parts" : [ {"functionCall" : {"name" : "g", "args" : {}}} ]}} ]}),
        J({
            "candidates" : [ {"content" : {"parts" : [ {"text" : ""} ]}, "finishReason" : "STOP"} ],
            "usageMetadata" : {
                "promptTokenCount" : 8,
                "cachedContentTokenCount" : 2,
                "candidatesTokenCount" : 10,
                "thoughtsTokenCount" : 5,
                "totalTokenCount" : 23
            }
        }),
        NULL,
    };
    wire_check_stream(&ask, &wire_gemini, records, J({
        "id" : "r1",
        "object" : "chat.completion",
        "model" : "gemini-2.5-flash-001",
        "choices" : [ {
            "index" : 0,
            "message" : {
                "role" : "assistant",
                "content" : "Let me look.",
                "reasoning_content" : "Hm.",
                "thinking_blocks" : [
                    {"type" : "thought_signature", "signature" : "s1"},
                    {"type" : "thought_signature", "signature" : "s2"}
                ],
                "tool_calls" : [
                    {
                        "id" : "call_r1_0_0",
                        "type" : "function",
                        "function" : {"name" : "f", "arguments" : "{\"c\":1}"},
                        "thought_signature" : "s3"
                    },
                    {"id" : "call_r1_0_1", "type" : "function", "function" : {"name" : "g", "arguments" : "{}"}}
                ]
            },
            "finish_reason" : "tool_calls"
        } ],
        "usage" : {
            "prompt_tokens" : 8,
            "completion_tokens" : 15,
            "total_tokens" : 23,
            "prompt_tokens_details" : {"cached_tokens" : 2},
            "completion_tokens_details" : {"reasoning_tokens" : 5}
        }
    }));
}

static void candidates_of_a_stream_stay_apart(void **state) {
    (void)state;
    static const char *const records[] = {
        J({
            "responseId" : "r1",
            "candidates" : [
                {"index" : 1, "content" : {"parts" : [ {"functionCall" : {"name" : "f"}} ]}}, {
                    "index" : 0,
                    "content" : {"parts" : [ {"text" : "A"} ]},
                    "logprobsResult" : {"chosenCandidates" : [ {"token" : "A", "logProbability" : -1.5} ]}
                }
            ]
        }),
        J({
            "candidates" : [
                {"index" : 1, "content" : {"parts" : [ {"functionCall" : {"name" : "g"}} ]}, "finishReason" : "STOP"}
            ]
        }),
        J({
            "candidates" : [ {
                "content" : {"parts" : [ {"text" : "a"} ]},
                "logprobsResult" : {"chosenCandidates" : [ {"token" : "a", "logProbability" : -2.5} ]},
                "finishReason" : "SAFETY",
                "finishMessage" : "Enough."
            } ]
        }),
        NULL,
    };
    wire_check_stream(&ask, &wire_gemini, records, J({
        "id" : "r1",
        "object" : "chat.completion",
        "model" : "gemini-2.5-flash",
        "choices" : [
            {
                "index" : 0,
                "message" : {"role" : "assistant", "content" : "Aa", "refusal" : "Enough."},
                "logprobs" : {
                    "content" : [
                        {"token" : "A", "logprob" : -1.5, "bytes" : null, "top_logprobs" : []},
                        {"token" : "a", "logprob" : -2.5, "bytes" : null, "top_logprobs" : []}
                    ]
                },
                "finish_reason" : "content_filter"
            },
            {
                "index" : 1,
                "message" : {
                    "role" : "assistant",
                    "content" : null,
                    "tool_calls" : [
                        {"id" : "call_r1_1_0", "type" : "function", "function" : {"name" : "f", "arguments" : "{}"}},
                        {"id" : "call_r1_1_1", "type" : "function", "function" : {"name" : "g", "arguments" : "{}"}}
                    ]
                },
                "finish_reason" : "tool_calls"
            }
        ]
    }));
}

static void an_error_within_a_stream_is_typed(void **state) {
    (void)state;
    static const char *const types[][2] = {
        {J({"error" : {"code" : 503, "message" : "The model is busy.", "status" : "UNAVAILABLE"}}),
         "ServiceUnavailable"},
        {J({"error" : {"code" : 429, "message" : "Quota.", "status" : "RESOURCE_EXHAUSTED"}}), "RateLimit"},
        {J({"error" : {"code" : 500, "message" : "Internal.", "status" : "INTERNAL"}}), "InternalServer"},
        {J([ {"error" : {"code" : 404, "message" : "no such model", "status" : "NOT_FOUND"}} ]), "NotFound"},
        {J({"error" : {"code" : 400, "message" : "API key not valid. Please pass a valid API key."}}),
         "Authentication"},
        {J({
             "error" : {
                 "code" : 400,
                 "message" : "The input token count (9) exceeds the maximum number of tokens allowed (1)."
             }
         }),
         "ContextWindowExceeded"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const char *const records[] = {J({"candidates" : [ {"content" : {"parts" : [ {"text" : "a"} ]}} ]}),
                                       types[i][0], NULL};
        wire_check_stream_fails(&ask, &wire_gemini, records, types[i][1]);
    }
}

static void hostile_records_do_no_harm(void **state) {
    (void)state;
    static const wire_case cases[] = {
        {"7", STENO_CORRUPT},
        {"[]", STENO_CORRUPT},
        {"\"x\"", STENO_CORRUPT},
        {"{}", STENO_OK},
        {J({"candidates" : 7}), STENO_OK},
        {J({"candidates" : [ 7, null, "x", [], {} ]}), STENO_OK},
        {J({"candidates" : [ {"index" : -1} ]}), STENO_CORRUPT},
        {J({"candidates" : [ {"index" : 128} ]}), STENO_CORRUPT},
        {J({"candidates" : [ {"index" : 9223372036854775807} ]}), STENO_CORRUPT},
        {J({"candidates" : [ {"index" : 127, "content" : {"parts" : [ {"functionCall" : {"name" : "f"}} ]}} ]}),
         STENO_OK},
        {J({"candidates" : [ {"logprobsResult" : {"chosenCandidates" : [ 7, {} ], "topCandidates" : 7}} ]}), STENO_OK},
        {J({"usageMetadata" : [], "responseId" : {}, "modelVersion" : 7}), STENO_OK},
        {J({"usageMetadata" : {"promptTokenCount" : "many"}}), STENO_OK},
        {J({"promptFeedback" : {"blockReason" : 7}}), STENO_OK},
        {J({"error" : null}), STENO_OK},
        {J({"error" : "text"}), STENO_FAILED},
        {J({"error" : []}), STENO_FAILED},
    };
    wire_check_records(&ask, &wire_gemini, cases, sizeof cases / sizeof *cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_put_together),
        cmocka_unit_test(candidates_of_a_stream_stay_apart),
        cmocka_unit_test(an_error_within_a_stream_is_typed),
        cmocka_unit_test(hostile_records_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
