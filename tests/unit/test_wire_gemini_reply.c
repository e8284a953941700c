/* Tests of client/providers/gemini_reply.c: what replies of Gemini become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/usage.h"
#include "tests/unit/wire_check.h"

static const wire_ask ask = {.kind = CALL_CHAT, .model = "gemini-2.5-flash"};
static const wire_ask third = {.kind = CALL_CHAT, .model = "gemini-3-pro-preview"};
static const wire_ask embedding = {.kind = CALL_EMBEDDING, .model = "gemini-embedding-001"};

static void fails(const wire_ask *with, const char *native, steno_status status, const char *type) {
    wire_check_reply_fails(with, &wire_gemini, native, status, type);
}

/* ---- replies ---- */

static void a_reply_is_read(void **state) {
    (void)state;
    wire_check_reply(
        &ask, &wire_gemini, J({
            "candidates" : [ {
                "content" : {
                    "role" : "model",
                    "parts" : [
                        {"text" : "Hm.", "thought" : true}, {"text" : "Hel"},
                        {"executableCode" : {"language" : "PYTHON", "code" : "1"}},
                        {"inlineData" : {"mimeType" : "image/png", "data" : "QUJD"}},
                        {"text" : "lo", "thoughtSignature" : "sig"}
                    ]
                },
                "finishReason" : "STOP",
                "safetyRatings" : []
            } ],
            "usageMetadata" : {"promptTokenCount" : 1},
            "modelVersion" : "gemini-2.5-flash-001",
            "responseId" : "r1"
        }),
        J({
            "id" : "r1",
            "object" : "chat.completion",
            "model" : "gemini-2.5-flash-001",
            "choices" : [ {
                "index" : 0,
                "message" : {
                    "role" : "assistant",
                    "content" : "Hello",
                    "reasoning_content" : "Hm.",
                    "thinking_blocks" : [ {"type" : "thought_signature", "signature" : "sig"} ],
                    "images" : [ {"type" : "image_url", "image_url" : {"url" : "data:image/png;base64,QUJD"}} ]
                },
                "finish_reason" : "stop"
            } ]
        }));
}

static void calls_get_ids_where_they_have_none(void **state) {
    (void)state;
    wire_check_reply(
        &ask, &wire_gemini, J({
            "candidates" : [ {
                "content" : {
                    "parts" : [
                        {"functionCall" : {"name" : "f", "args" : {"c" : "Paris"}}, "thoughtSignature" : "sig"},
                        {"functionCall" : {"name" : "g"}}, {"functionCall" : {"name" : "h", "id" : "fc-3", "args" : {}}}
                    ]
                },
                "finishReason" : "STOP"
            } ],
            "responseId" : "r/1+\u00e9-_abcdefghijklmnopqrstuvwxyz"
        }),
        J({
            "id" : "r/1+\u00e9-_abcdefghijklmnopqrstuvwxyz",
            "object" : "chat.completion",
            "model" : "gemini-2.5-flash",
            "choices" : [ {
                "index" : 0,
                "message" : {
                    "role" : "assistant",
                    "content" : null,
                    "tool_calls" : [
                        {
                            "id" : "call_r1-_abcdefghijklmnopqrst_0_0",
                            "type" : "function",
                            "function" : {"name" : "f", "arguments" : "{\"c\":\"Paris\"}"},
                            "thought_signature" : "sig"
                        },
                        {
                            "id" : "call_r1-_abcdefghijklmnopqrst_0_1",
                            "type" : "function",
                            "function" : {"name" : "g", "arguments" : "{}"}
                        },
                        {"id" : "fc-3", "type" : "function", "function" : {"name" : "h", "arguments" : "{}"}}
                    ]
                },
                "finish_reason" : "tool_calls"
            } ]
        }));
}

static void choices_and_log_probabilities_are_read(void **state) {
    (void)state;
    wire_check_reply(
        &ask, &wire_gemini, J({
            "candidates" : [
                {
                    "content" : {"parts" : [ {"text" : "A"} ]},
                    "finishReason" : "MAX_TOKENS",
                    "logprobsResult" : {
                        "chosenCandidates" :
                            [ {"token" : "A", "tokenId" : 3, "logProbability" : -0.5}, {"token" : "no number"} ],
                        "topCandidates" :
                            [ {"candidates" : [ {"token" : "A", "logProbability" : -0.5}, {"wrong" : 1} ]} ]
                    }
                },
                {"content" : {"parts" : [ {"functionCall" : {"name" : "f"}} ]}, "finishReason" : "STOP", "index" : 1}
            ],
            "responseId" : "r1"
        }),
        J({
            "id" : "r1",
            "object" : "chat.completion",
            "model" : "gemini-2.5-flash",
            "choices" : [
                {
                    "index" : 0,
                    "message" : {"role" : "assistant", "content" : "A"},
                    "finish_reason" : "length",
                    "logprobs" : {
                        "content" : [ {
                            "token" : "A",
                            "logprob" : -0.5,
                            "bytes" : null,
                            "top_logprobs" :
                                [ {"token" : "A", "logprob" : -0.5, "bytes" : null} ]
                        } ]
                    }
                },
                {
                    "index" : 1,
                    "message" : {
                        "role" : "assistant",
                        "content" : null,
                        "tool_calls" : [
                            {"id" : "call_r1_1_0", "type" : "function", "function" : {"name" : "f", "arguments" : "{}"}}
                        ]
                    },
                    "finish_reason" : "tool_calls"
                }
            ]
        }));
}

static void every_finish_reason_has_a_word_of_openais(void **state) {
    (void)state;
    static const char *const words[][2] = {
        {"STOP", "stop"},
        {"MAX_TOKENS", "length"},
        {"SAFETY", "content_filter"},
        {"RECITATION", "content_filter"},
        {"BLOCKLIST", "content_filter"},
        {"PROHIBITED_CONTENT", "content_filter"},
        {"SPII", "content_filter"},
        {"IMAGE_SAFETY", "content_filter"},
        {"LANGUAGE", "stop"},
        {"OTHER", "stop"},
        {"MALFORMED_FUNCTION_CALL", "stop"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        wire_check_finish(&ask, &wire_gemini, json_pack("{s:[{s:s}]}", "candidates", "finishReason", words[i][0]),
                          words[i][1]);
}

static void a_filtered_reply_says_why(void **state) {
    (void)state;
    wire_check_reply(&ask, &wire_gemini,
                     J({"candidates" : [ {"finishReason" : "PROHIBITED_CONTENT", "finishMessage" : "No."} ]}), J({
                         "object" : "chat.completion",
                         "model" : "gemini-2.5-flash",
                         "choices" : [ {
                             "index" : 0,
                             "message" : {"role" : "assistant", "content" : null, "refusal" : "No."},
                             "finish_reason" : "content_filter"
                         } ]
                     }));
}

static void what_is_no_reply_is_not_taken_for_one(void **state) {
    (void)state;
    fails(&ask, "{}", STENO_CORRUPT, "");
    fails(&ask, "[1]", STENO_CORRUPT, "");
    fails(&ask, "7", STENO_CORRUPT, "");
    fails(&ask, J({"candidates" : {}}), STENO_CORRUPT, "");
    fails(&ask, J({"candidates" : [ {"index" : -1} ]}), STENO_CORRUPT, "");
    fails(&ask, J({"candidates" : [ {"index" : 128} ]}), STENO_CORRUPT, "");
    fails(&ask, J({"error" : {"code" : 503, "message" : "busy", "status" : "UNAVAILABLE"}}), STENO_FAILED,
          "ServiceUnavailable");
    fails(&embedding, "{}", STENO_CORRUPT, "");
    fails(&embedding, J({"embeddings" : [7]}), STENO_CORRUPT, "");
    fails(&embedding, J({"embeddings" : [ {"values" : "x"} ]}), STENO_CORRUPT, "");
}

static void a_blocked_prompt_is_a_matter_of_policy(void **state) {
    (void)state;
    fails(&ask, J({"promptFeedback" : {"blockReason" : "SAFETY"}, "usageMetadata" : {"promptTokenCount" : 4}}),
          STENO_FAILED, "ContentPolicy");
    static const char *const records[] = {
        J({"promptFeedback" : {"blockReason" : "PROHIBITED_CONTENT"}, "usageMetadata" : {"promptTokenCount" : 4}}),
        NULL};
    wire_check_stream_fails(&ask, &wire_gemini, records, "ContentPolicy");
}

static void odd_parts_are_passed_over(void **state) {
    (void)state;
    wire_check_reply(
        &ask, &wire_gemini, J({
            "responseId" : 7,
            "modelVersion" : [],
            "usageMetadata" : "x",
            "promptFeedback" : 3,
            "candidates" : [
                7, {"content" : 7}, {"content" : {"parts" : {}}}, {
                    "finishReason" : {},
                    "logprobsResult" : [],
                    "content" : {
                        "parts" : [
                            1, null, {}, {"text" : 7}, {"functionCall" : 7}, {"functionCall" : {"name" : 7}},
                            {"functionCall" : {"name" : "f", "id" : 7, "args" : [1]}, "thoughtSignature" : 7},
                            {"inlineData" : 7}, {"inlineData" : {"data" : 7}}, {"thoughtSignature" : []}
                        ]
                    }
                }
            ]
        }),
        J({
            "object" : "chat.completion",
            "model" : "gemini-2.5-flash",
            "choices" : [
                {"index" : 0, "message" : {"role" : "assistant", "content" : null}, "finish_reason" : null},
                {"index" : 1, "message" : {"role" : "assistant", "content" : null}, "finish_reason" : null},
                {"index" : 2, "message" : {"role" : "assistant", "content" : null}, "finish_reason" : null}, {
                    "index" : 3,
                    "message" : {
                        "role" : "assistant",
                        "content" : null,
                        "tool_calls" : [
                            {"id" : "call_3_0", "type" : "function", "function" : {"name" : "f", "arguments" : "{}"}}
                        ]
                    },
                    "finish_reason" : null
                }
            ]
        }));
}

/* ---- vectors and usage ---- */

static void vectors_are_read(void **state) {
    (void)state;
    wire_check_reply(
        &embedding, &wire_gemini,
        J({"embeddings" : [ {"values" : [ 0.5, -1 ]}, {"values" : []} ], "usageMetadata" : {"promptTokenCount" : 3}}),
        J({
            "object" : "list",
            "model" : "gemini-embedding-001",
            "data" : [
                {"object" : "embedding", "index" : 0, "embedding" : [ 0.5, -1 ]},
                {"object" : "embedding", "index" : 1, "embedding" : []}
            ]
        }));
}

static void usage_counts_thoughts_into_the_completion(void **state) {
    (void)state;
    wire_check_usage(usage_from_gemini, J({
                         "promptTokenCount" : 100,
                         "cachedContentTokenCount" : 60,
                         "candidatesTokenCount" : 20,
                         "thoughtsTokenCount" : 30,
                         "toolUsePromptTokenCount" : 5,
                         "totalTokenCount" : 155,
                         "promptTokensDetails" : [ {"modality" : "TEXT", "tokenCount" : 100} ]
                     }),
                     (const int64_t[]){105, 50, 155, 60, -1, -1, 30});
    wire_check_usage(usage_from_gemini, J({"promptTokenCount" : 4}), (const int64_t[]){4, -1, -1, -1, -1, -1, -1});
    wire_check_usage(usage_from_gemini, "7", (const int64_t[]){-1, -1, -1, -1, -1, -1, -1});
}

#define GROUNDED                                                            \
    J({                                                                     \
        "modelVersion" : "m",                                               \
        "responseId" : "i",                                                 \
        "candidates" : [ {                                                  \
            "content" : {"role" : "model", "parts" : [ {"text" : "Hi"} ]},  \
            "groundingMetadata" : {"webSearchQueries" : [ "a", "b", "c" ]}, \
            "finishReason" : "STOP"                                         \
        } ]                                                                 \
    })

/* Up to Gemini 2 by the reply, from Gemini 3 on by the search. */
static void searches_are_counted_as_they_are_billed(void **state) {
    (void)state;
    const wire_ask *const asks[] = {&ask, &third};
    for (int i = 0; i < 2; i++) {
        json_t *native = json_loads(GROUNDED, 0, NULL);
        const json_t *raw;
        json_t *reply = wire_gemini.reply(asks[i], native, &raw, NULL);
        steno_usage usage = usage_unknown;
        usage_take_reply(&usage, reply);
        assert_int_equal(usage.web_searches, i ? 3 : 1);
        json_decref(reply);
        json_decref(native);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_read),
        cmocka_unit_test(calls_get_ids_where_they_have_none),
        cmocka_unit_test(choices_and_log_probabilities_are_read),
        cmocka_unit_test(every_finish_reason_has_a_word_of_openais),
        cmocka_unit_test(a_filtered_reply_says_why),
        cmocka_unit_test(what_is_no_reply_is_not_taken_for_one),
        cmocka_unit_test(a_blocked_prompt_is_a_matter_of_policy),
        cmocka_unit_test(odd_parts_are_passed_over),
        cmocka_unit_test(vectors_are_read),
        cmocka_unit_test(usage_counts_thoughts_into_the_completion),
        cmocka_unit_test(searches_are_counted_as_they_are_billed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
