/* Tests of client/providers/gemini*.c: what Gemini is sent, and what its replies, streams and embeddings become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/usage.h"
#include "tests/unit/wire_check.h"

/* JSON without the backslashes. */
#define J(...) #__VA_ARGS__

static const wire_ask ask = {.kind = CALL_CHAT, .model = "gemini-2.5-flash"};
static const wire_ask drop = {.kind = CALL_CHAT, .model = "gemini-2.5-flash", .drop = true};
static const wire_ask third = {.kind = CALL_CHAT, .model = "gemini-3-pro-preview"};
static const wire_ask embedding = {.kind = CALL_EMBEDDING, .model = "gemini-embedding-001"};

static void sends(const char *params, const char *body) { wire_check_body(&ask, &wire_gemini, params, body); }
static void refuses(const char *params, const char *word) { wire_check_refused(&ask, &wire_gemini, params, word); }

/* ---- the path ---- */

static void a_model_is_part_of_the_path(void **state) {
    (void)state;
    static const struct {
        const char *model, *base, *path;
        call_kind kind;
        bool stream;
    } cases[] = {
        {"gemini-2.5-flash", "https://x.test", "/v1beta/models/gemini-2.5-flash:generateContent", CALL_CHAT, false},
        {"gemini-2.5-flash", "https://x.test", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
         CALL_CHAT, true},
        {"e-1", "https://x.test", "/v1beta/models/e-1:batchEmbedContents", CALL_EMBEDDING, false},
        {"models/m", "https://x.test/v1beta", "/models/m:generateContent", CALL_CHAT, false},
        {"tunedModels/my one", "https://x.test/v1", "/tunedModels/my%20one:generateContent", CALL_CHAT, false},
        {"../a?b#c/\xc3\xa9", "https://x.test", "/v1beta/models/..%2Fa%3Fb%23c%2F%C3%A9:generateContent", CALL_CHAT,
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[WIRE_PATH_BYTES];
        wire_ask with = {.kind = cases[i].kind, .model = cases[i].model, .stream = cases[i].stream};
        assert_true(wire_gemini.path(&with, cases[i].base, path));
        assert_string_equal(path, cases[i].path);
    }
}

static void a_model_that_is_too_long_has_no_path(void **state) {
    (void)state;
    char path[WIRE_PATH_BYTES], model[WIRE_PATH_BYTES + 1];
    for (size_t size = WIRE_PATH_BYTES - 60; size <= WIRE_PATH_BYTES; size++) {
        memset(model, 'm', size);
        model[size] = '\0';
        wire_ask with = {.kind = CALL_CHAT, .model = model, .stream = true};
        bool fits = size + strlen("/v1beta/models/:streamGenerateContent?alt=sse") < WIRE_PATH_BYTES;
        assert_int_equal(wire_gemini.path(&with, "https://x.test", path), fits);
    }
    memset(model, '/', WIRE_PATH_BYTES / 3);
    model[WIRE_PATH_BYTES / 3] = '\0';
    assert_false(wire_gemini.path(&(wire_ask){.model = model}, "https://x.test", path));
}

/* ---- messages ---- */

static void system_prompts_go_to_the_top_and_turns_alternate(void **state) {
    (void)state;
    sends(J({
              "messages" : [
                  {"role" : "system", "content" : "Be brief."}, {"role" : "user", "content" : "Hi"},
                  {"role" : "developer", "content" : [ {"type" : "text", "text" : "Be kind."} ]},
                  {"role" : "user", "content" : "there"}, {"role" : "assistant", "content" : "Hello"},
                  {"role" : "assistant", "content" : ""},
                  {"role" : "assistant", "content" : [ {"type" : "refusal", "refusal" : "No."} ]},
                  {"role" : "user", "content" : "Bye"}
              ]
          }),
          J({
              "systemInstruction" : {"parts" : [ {"text" : "Be brief."}, {"text" : "Be kind."} ]},
              "contents" : [
                  {"role" : "user", "parts" : [ {"text" : "Hi"}, {"text" : "there"} ]},
                  {"role" : "model", "parts" : [ {"text" : "Hello"}, {"text" : "No."} ]},
                  {"role" : "user", "parts" : [ {"text" : "Bye"} ]}
              ]
          }));
}

static void media_become_parts(void **state) {
    (void)state;
    sends(J({
              "messages" : [ {
                  "role" : "user",
                  "content" : [
                      {"type" : "text", "text" : "See"},
                      {"type" : "image_url", "image_url" : {"url" : "https://example.com/a.b/c.JPG?x=.png"}},
                      {"type" : "image_url", "image_url" : {"url" : "https://example.com/image"}},
                      {"type" : "image_url", "image_url" : {"url" : "data:image/png;base64,QUJD"}},
                      {"type" : "input_audio", "input_audio" : {"data" : "QUJD", "format" : "mp3"}},
                      {"type" : "file", "file" : {"file_data" : "data:application/pdf;base64,UERG"}}, {
                          "type" : "file",
                          "file" : {"file_id" : "https://generativelanguage.googleapis.com/v1beta/files/abc"}
                      }
                  ]
              } ]
          }),
          J({
              "contents" : [ {
                  "role" : "user",
                  "parts" : [
                      {"text" : "See"},
                      {"fileData" : {"mimeType" : "image/jpeg", "fileUri" : "https://example.com/a.b/c.JPG?x=.png"}},
                      {"fileData" : {"fileUri" : "https://example.com/image"}},
                      {"inlineData" : {"mimeType" : "image/png", "data" : "QUJD"}},
                      {"inlineData" : {"mimeType" : "audio/mpeg", "data" : "QUJD"}},
                      {"inlineData" : {"mimeType" : "application/pdf", "data" : "UERG"}},
                      {"fileData" : {"fileUri" : "https://generativelanguage.googleapis.com/v1beta/files/abc"}}
                  ]
              } ]
          }));
}

static void tool_results_name_their_function(void **state) {
    (void)state;
    sends(J({
              "messages" : [
                  {"role" : "user", "content" : "Weather?"}, {
                      "role" : "assistant",
                      "content" : null,
                      "tool_calls" : [
                          {
                              "id" : "call_x_0_0",
                              "type" : "function",
                              "function" : {"name" : "weather", "arguments" : "{\"c\":\"Paris\"}"}
                          },
                          {"id" : "fc-2", "type" : "function", "function" : {"name" : "now", "arguments" : ""}}
                      ]
                  },
                  {"role" : "tool", "tool_call_id" : "fc-2", "content" : [ {"type" : "text", "text" : "noon"} ]},
                  {"role" : "tool", "tool_call_id" : "call_x_0_0", "content" : "{\"sky\":\"blue\"}"},
                  {"role" : "tool", "tool_call_id" : "of another", "name" : "given", "content" : null}
              ]
          }),
          J({
              "contents" : [
                  {"role" : "user", "parts" : [ {"text" : "Weather?"} ]}, {
                      "role" : "model",
                      "parts" : [
                          {"functionCall" : {"name" : "weather", "args" : {"c" : "Paris"}}},
                          {"functionCall" : {"name" : "now", "args" : {}, "id" : "fc-2"}}
                      ]
                  },
                  {
                      "role" : "user",
                      "parts" : [
                          {"functionResponse" : {"name" : "now", "response" : {"result" : "noon"}, "id" : "fc-2"}},
                          {"functionResponse" : {"name" : "weather", "response" : {"sky" : "blue"}}},
                          {"functionResponse" : {"name" : "given", "response" : {"result" : ""}, "id" : "of another"}}
                      ]
                  }
              ]
          }));
}

static void the_nearest_call_with_an_id_is_the_one_answered(void **state) {
    (void)state;
    sends(J({
              "messages" : [
                  {"role" : "assistant", "tool_calls" : [ {"id" : "call_0", "function" : {"name" : "first"}} ]},
                  {"role" : "tool", "tool_call_id" : "call_0", "content" : "1"},
                  {"role" : "assistant", "tool_calls" : [ {"id" : "call_0", "function" : {"name" : "second"}} ]},
                  {"role" : "tool", "tool_call_id" : "call_0", "content" : "2"}
              ]
          }),
          J({
              "contents" : [
                  {"role" : "model", "parts" : [ {"functionCall" : {"name" : "first", "args" : {}}} ]}, {
                      "role" : "user",
                      "parts" : [ {"functionResponse" : {"name" : "first", "response" : {"result" : "1"}}} ]
                  },
                  {"role" : "model", "parts" : [ {"functionCall" : {"name" : "second", "args" : {}}} ]}, {
                      "role" : "user",
                      "parts" : [ {"functionResponse" : {"name" : "second", "response" : {"result" : "2"}}} ]
                  }
              ]
          }));
}

static void signatures_go_back_where_they_came_from(void **state) {
    (void)state;
    wire_check_body(
        &third, &wire_gemini, J({
            "messages" : [
                {
                    "role" : "assistant",
                    "content" : "Hello",
                    "reasoning_content" : "Hm.",
                    "thinking_blocks" : [
                        {"type" : "thinking", "thinking" : "of Claude", "signature" : "x"},
                        {"type" : "thought_signature", "signature" : "s1"},
                        {"type" : "thought_signature", "signature" : "s2"}
                    ],
                    "tool_calls" : [
                        {"id" : "call_1", "function" : {"name" : "f"}, "thought_signature" : "s3"},
                        {"id" : "call_2", "function" : {"name" : "g"}}
                    ]
                },
                {"role" : "user", "content" : "Go on"}, {
                    "role" : "assistant",
                    "tool_calls" : [ {
                        "id" : "call_3",
                        "function" : {"name" : "f"},
                        "extra_content" : {"google" : {"thought_signature" : "s4"}}
                    } ]
                },
                {"role" : "user", "content" : "Go on"},
                {"role" : "assistant", "tool_calls" : [ {"id" : "toolu_4", "function" : {"name" : "f"}} ]}
            ]
        }),
        J({
            "contents" : [
                {
                    "role" : "model",
                    "parts" : [
                        {"text" : "Hello", "thoughtSignature" : "s1"}, {"text" : "", "thoughtSignature" : "s2"},
                        {"functionCall" : {"name" : "f", "args" : {}}, "thoughtSignature" : "s3"},
                        {"functionCall" : {"name" : "g", "args" : {}}}
                    ]
                },
                {"role" : "user", "parts" : [ {"text" : "Go on"} ]}, {
                    "role" : "model",
                    "parts" : [ {"functionCall" : {"name" : "f", "args" : {}}, "thoughtSignature" : "s4"} ]
                },
                {"role" : "user", "parts" : [ {"text" : "Go on"} ]}, {
                    "role" : "model",
                    "parts" : [ {
                        "functionCall" : {"name" : "f", "args" : {}, "id" : "toolu_4"},
                        "thoughtSignature" : "skip_thought_signature_validator"
                    } ]
                }
            ]
        }));
}

/* ---- parameters ---- */

static void parameters_get_their_names_there(void **state) {
    (void)state;
    sends(J({
              "messages" : [],
              "max_completion_tokens" : 100,
              "temperature" : 0.5,
              "top_p" : 0.9,
              "top_k" : 40,
              "n" : 2,
              "seed" : 7,
              "frequency_penalty" : 0.1,
              "presence_penalty" : 0.2,
              "logprobs" : true,
              "top_logprobs" : 3,
              "stop" : [ "A", "B" ],
              "modalities" : [ "text", "image" ],
              "service_tier" : "default",
              "user" : "u1",
              "metadata" : {"job" : "7"},
              "parallel_tool_calls" : true,
              "stream_options" : {"include_usage" : true},
              "safetySettings" : [ {"category" : "c", "threshold" : "BLOCK_NONE"} ],
              "generationConfig" : {"mediaResolution" : "MEDIA_RESOLUTION_LOW"}
          }),
          J({
              "contents" : [],
              "generationConfig" : {
                  "maxOutputTokens" : 100,
                  "temperature" : 0.5,
                  "topP" : 0.9,
                  "topK" : 40,
                  "candidateCount" : 2,
                  "seed" : 7,
                  "frequencyPenalty" : 0.1,
                  "presencePenalty" : 0.2,
                  "responseLogprobs" : true,
                  "logprobs" : 3,
                  "stopSequences" : [ "A", "B" ],
                  "responseModalities" : [ "TEXT", "IMAGE" ],
                  "mediaResolution" : "MEDIA_RESOLUTION_LOW"
              },
              "serviceTier" : "standard",
              "safetySettings" : [ {"category" : "c", "threshold" : "BLOCK_NONE"} ]
          }));
}

static void what_gemini_cannot_do_is_refused_by_name(void **state) {
    (void)state;
    refuses(J({"messages" : [], "logit_bias" : {"7" : 1}}), "`logit_bias`");
    refuses(J({"messages" : [], "prediction" : {"type" : "content"}}), "`prediction`");
    refuses(J({"messages" : [], "parallel_tool_calls" : false}), "`parallel_tool_calls`");
    refuses(J({"messages" : [], "service_tier" : "scale"}), "`service_tier`");
    refuses(J({"messages" : [], "response_format" : {"type" : "grammar"}}), "`response_format`");
    refuses(J({"messages" : [], "response_format" : {"type" : "json_schema"}}), "`response_format`");
    refuses(J({"messages" : [], "reasoning_effort" : "furious"}), "`reasoning_effort`");
    refuses(J({"messages" : [], "tool_choice" : "perhaps"}), "`tool_choice`");
    refuses(J({"messages" : [], "tools" : [ {"type" : "custom", "custom" : {"name" : "x"}} ]}), "tool 0");
    refuses(J({"messages" : [ {"role" : "user", "content" : [ {"type" : "video_url"} ]} ]}), "video_url");
    refuses(J({
                "messages" : [
                    {"role" : "assistant", "tool_calls" : [ {"id" : "a", "function" : {"name" : "f"}} ]},
                    {"role" : "tool", "tool_call_id" : "a", "content" : [ {"type" : "image_url"} ]}
                ]
            }),
            "image_url");
}

static void what_has_no_place_is_left_out_on_request(void **state) {
    (void)state;
    wire_check_body(&drop, &wire_gemini, J({
        "messages" : [ {"role" : "user", "content" : [ {"type" : "video_url"}, {"type" : "text", "text" : "Hi"} ]} ],
        "logit_bias" : {"7" : 1},
        "parallel_tool_calls" : false,
        "service_tier" : "scale",
        "tools" : [ {"type" : "custom", "custom" : {"name" : "x"}} ]
    }),
                    J({"contents" : [ {"role" : "user", "parts" : [ {"text" : "Hi"} ]} ]}));
}

static void wrong_messages_are_refused(void **state) {
    (void)state;
    refuses(J({}), "`messages`");
    refuses(J({"messages" : {}}), "`messages`");
    refuses(J({"messages" : [7]}), "role");
    refuses(J({"messages" : [ {"role" : "function", "content" : "x"} ]}), "function");
    refuses(J({"messages" : [ {"role" : "tool", "tool_call_id" : "lost", "content" : "x"} ]}), "lost");
    refuses(J({"messages" : [ {"role" : "assistant", "tool_calls" : [ {"function" : {}} ]} ]}), "tool call 0");
    refuses(J({"messages" : [ {"role" : "user", "content" : [ {"type" : "text"} ]} ]}), "part 0");
}

static void tools_are_declared_and_chosen(void **state) {
    (void)state;
    sends(J({
              "messages" : [],
              "tools" : [
                  {
                      "type" : "function",
                      "function" : {
                          "name" : "f",
                          "description" : "does f",
                          "strict" : true,
                          "parameters" : {"type" : "object", "properties" : {"x" : {"type" : "string"}}}
                      }
                  },
                  {"codeExecution" : {}}, {"type" : "function", "function" : {"name" : "g"}}
              ],
              "tool_choice" : {"type" : "function", "function" : {"name" : "f"}},
              "web_search_options" : {}
          }),
          J({
              "contents" : [],
              "tools" : [
                  {"codeExecution" : {}}, {
                      "functionDeclarations" : [
                          {
                              "name" : "f",
                              "description" : "does f",
                              "parametersJsonSchema" : {"type" : "object", "properties" : {"x" : {"type" : "string"}}}
                          },
                          {"name" : "g"}
                      ]
                  },
                  {"googleSearch" : {}}
              ],
              "toolConfig" : {"functionCallingConfig" : {"mode" : "ANY", "allowedFunctionNames" : ["f"]}}
          }));
    sends(J({"messages" : [], "tool_choice" : "auto"}),
          J({"contents" : [], "toolConfig" : {"functionCallingConfig" : {"mode" : "AUTO"}}}));
    sends(J({"messages" : [], "tool_choice" : "none"}),
          J({"contents" : [], "toolConfig" : {"functionCallingConfig" : {"mode" : "NONE"}}}));
    sends(J({"messages" : [], "tool_choice" : "required"}),
          J({"contents" : [], "toolConfig" : {"functionCallingConfig" : {"mode" : "ANY"}}}));
}

static void a_format_is_a_mime_type_and_a_schema(void **state) {
    (void)state;
    sends(J({"messages" : [], "response_format" : {"type" : "json_object"}}),
          J({"contents" : [], "generationConfig" : {"responseMimeType" : "application/json"}}));
    sends(J({"messages" : [], "response_format" : {"type" : "text"}}), J({"contents" : []}));
    sends(J({
              "messages" : [],
              "response_format" : {
                  "type" : "json_schema",
                  "json_schema" : {"name" : "n", "schema" : {"type" : "object", "additionalProperties" : false}}
              }
          }),
          J({
              "contents" : [],
              "generationConfig" : {
                  "responseMimeType" : "application/json",
                  "responseJsonSchema" : {"type" : "object", "additionalProperties" : false}
              }
          }));
}

/* What reasoning_effort becomes for a model. */
static void thinks(const char *model, const char *effort, const char *config) {
    char params[128], body[256];
    wire_ask with = {.kind = CALL_CHAT, .model = model};
    snprintf(params, sizeof params, "{\"messages\":[],\"reasoning_effort\":\"%s\"}", effort);
    snprintf(body, sizeof body, "{\"contents\":[],\"generationConfig\":{\"thinkingConfig\":%s}}", config);
    wire_check_body(&with, &wire_gemini, params, body);
}

static void effort_is_a_budget_or_a_level(void **state) {
    (void)state;
    thinks("gemini-2.5-flash", "none", J({"includeThoughts" : false, "thinkingBudget" : 0}));
    thinks("gemini-2.5-flash", "minimal", J({"includeThoughts" : true, "thinkingBudget" : 1024}));
    thinks("gemini-2.5-flash", "low", J({"includeThoughts" : true, "thinkingBudget" : 1024}));
    thinks("models/gemini-2.5-pro", "medium", J({"includeThoughts" : true, "thinkingBudget" : 8192}));
    thinks("gemini-2.5-pro", "high", J({"includeThoughts" : true, "thinkingBudget" : 24576}));
    thinks("gemini-3-pro-preview", "none", J({"includeThoughts" : false, "thinkingLevel" : "low"}));
    thinks("gemini-3.5-flash", "medium", J({"includeThoughts" : true, "thinkingLevel" : "medium"}));
    thinks("gemini-flash-latest", "high", J({"includeThoughts" : true, "thinkingLevel" : "high"}));
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
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        json_t *native = json_pack("{s:[{s:s}]}", "candidates", "finishReason", words[i][0]);
        const json_t *usage;
        steno_error error;
        json_t *response = wire_gemini.reply(&ask, native, &usage, &error);
        json_t *choice = json_array_get(json_object_get(response, "choices"), 0);
        assert_string_equal(json_string_value(json_object_get(choice, "finish_reason")), words[i][1]);
        json_decref(response);
        json_decref(native);
    }
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

/* Reads `native` as a reply, which fails so. */
static void fails(const wire_ask *with, const char *native, steno_status status, const char *type) {
    json_t *json = json_loads(native, JSON_DECODE_ANY, NULL);
    const json_t *usage;
    steno_error error = {0};
    assert_non_null(json);
    if (wire_gemini.reply(with, json, &usage, &error)) fail_msg("it is taken for a reply: %s", native);
    assert_int_equal(error.status, status);
    assert_string_equal(error.type, type);
    json_decref(json);
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

static steno_status ignore(json_t *chunk, void *ctx) {
    (void)chunk;
    (void)ctx;
    return STENO_OK;
}

static void hostile_records_do_no_harm(void **state) {
    (void)state;
    static const struct {
        const char *record;
        steno_status status;
    } cases[] = {
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
    wire_stream stream = {.ask = &ask, .on_chunk = ignore};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *record = json_loads(cases[i].record, JSON_DECODE_ANY, NULL);
        steno_error error = {0};
        assert_non_null(record);
        if (wire_gemini.record(&stream, "", record, &error) != cases[i].status) fail_msg("%s", cases[i].record);
        json_decref(record);
    }
    wire_stream_free(&stream);
}

/* ---- embeddings and usage ---- */

static void each_text_to_embed_is_a_request(void **state) {
    (void)state;
    wire_check_body(
        &embedding, &wire_gemini,
        J({"input" : [ "a", "" ], "dimensions" : 8, "encoding_format" : "float", "taskType" : "CLUSTERING"}), J({
            "requests" : [
                {
                    "model" : "models/gemini-embedding-001",
                    "content" : {"parts" : [ {"text" : "a"} ]},
                    "outputDimensionality" : 8,
                    "taskType" : "CLUSTERING"
                },
                {
                    "model" : "models/gemini-embedding-001",
                    "content" : {"parts" : [ {"text" : ""} ]},
                    "outputDimensionality" : 8,
                    "taskType" : "CLUSTERING"
                }
            ]
        }));
    wire_check_body(
        &embedding, &wire_gemini, J({"input" : "a"}),
        J({"requests" : [ {"model" : "models/gemini-embedding-001", "content" : {"parts" : [ {"text" : "a"} ]}} ]}));
    wire_check_refused(&embedding, &wire_gemini, J({"input" : [ 1, 2 ]}), "tokens");
    wire_check_refused(&embedding, &wire_gemini, J({}), "`input`");
    wire_check_refused(&embedding, &wire_gemini, J({"input" : "a", "encoding_format" : "base64"}), "`encoding_format`");
}

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
        cmocka_unit_test(searches_are_counted_as_they_are_billed),
        cmocka_unit_test(a_model_is_part_of_the_path),
        cmocka_unit_test(a_model_that_is_too_long_has_no_path),
        cmocka_unit_test(system_prompts_go_to_the_top_and_turns_alternate),
        cmocka_unit_test(media_become_parts),
        cmocka_unit_test(tool_results_name_their_function),
        cmocka_unit_test(the_nearest_call_with_an_id_is_the_one_answered),
        cmocka_unit_test(signatures_go_back_where_they_came_from),
        cmocka_unit_test(parameters_get_their_names_there),
        cmocka_unit_test(what_gemini_cannot_do_is_refused_by_name),
        cmocka_unit_test(what_has_no_place_is_left_out_on_request),
        cmocka_unit_test(wrong_messages_are_refused),
        cmocka_unit_test(tools_are_declared_and_chosen),
        cmocka_unit_test(a_format_is_a_mime_type_and_a_schema),
        cmocka_unit_test(effort_is_a_budget_or_a_level),
        cmocka_unit_test(a_reply_is_read),
        cmocka_unit_test(calls_get_ids_where_they_have_none),
        cmocka_unit_test(choices_and_log_probabilities_are_read),
        cmocka_unit_test(every_finish_reason_has_a_word_of_openais),
        cmocka_unit_test(a_filtered_reply_says_why),
        cmocka_unit_test(what_is_no_reply_is_not_taken_for_one),
        cmocka_unit_test(a_blocked_prompt_is_a_matter_of_policy),
        cmocka_unit_test(odd_parts_are_passed_over),
        cmocka_unit_test(a_stream_is_put_together),
        cmocka_unit_test(candidates_of_a_stream_stay_apart),
        cmocka_unit_test(an_error_within_a_stream_is_typed),
        cmocka_unit_test(hostile_records_do_no_harm),
        cmocka_unit_test(each_text_to_embed_is_a_request),
        cmocka_unit_test(vectors_are_read),
        cmocka_unit_test(usage_counts_thoughts_into_the_completion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
