/* Tests of client/providers/gemini.c: the path, the parameters and the texts to embed that Gemini is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/wire_check.h"

static const wire_ask ask = {.kind = CALL_CHAT, .model = "gemini-2.5-flash"};
static const wire_ask drop = {.kind = CALL_CHAT, .model = "gemini-2.5-flash", .drop = true};
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_part_of_the_path),
        cmocka_unit_test(a_model_that_is_too_long_has_no_path),
        cmocka_unit_test(parameters_get_their_names_there),
        cmocka_unit_test(what_gemini_cannot_do_is_refused_by_name),
        cmocka_unit_test(what_has_no_place_is_left_out_on_request),
        cmocka_unit_test(tools_are_declared_and_chosen),
        cmocka_unit_test(a_format_is_a_mime_type_and_a_schema),
        cmocka_unit_test(effort_is_a_budget_or_a_level),
        cmocka_unit_test(each_text_to_embed_is_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
