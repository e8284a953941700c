/* Tests of client/providers/anthropic.c: the path and the parameters that Claude is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/wire_check.h"

static const wire_ask ask = {.kind = CALL_CHAT, .model = "claude-sonnet-4-5"};
static const wire_ask drop = {.kind = CALL_CHAT, .model = "claude-sonnet-4-5", .drop = true};
static const wire_ask adaptive = {.kind = CALL_CHAT, .model = "claude-opus-4-7"};

static void sends(const char *params, const char *body) { wire_check_body(&ask, &wire_anthropic, params, body); }
static void refuses(const char *params, const char *word) { wire_check_refused(&ask, &wire_anthropic, params, word); }

/* ---- the path ---- */

static void the_version_is_said_once(void **state) {
    (void)state;
    char path[WIRE_PATH_BYTES];
    assert_true(wire_anthropic.path(&ask, "https://api.anthropic.com", path));
    assert_string_equal(path, "/v1/messages");
    assert_true(wire_anthropic.path(&ask, "https://api.anthropic.com/v1", path));
    assert_string_equal(path, "/messages");
    assert_true(wire_anthropic.path(&ask, "https://example.com/anthropic", path));
    assert_string_equal(path, "/v1/messages");
}

/* ---- parameters ---- */

static void parameters_get_their_names_there(void **state) {
    (void)state;
    wire_ask streamed = ask;
    streamed.stream = true;
    wire_check_body(&streamed, &wire_anthropic, J({
        "messages" : [ {"role" : "user", "content" : "Hi"} ],
        "max_completion_tokens" : 100,
        "temperature" : 0.5,
        "top_p" : 0.9,
        "top_k" : 40,
        "stop" : "END",
        "user" : "u1",
        "n" : 1,
        "seed" : null,
        "logprobs" : false,
        "frequency_penalty" : 0,
        "response_format" : {"type" : "text"},
        "service_tier" : "default",
        "metadata" : {"job" : "7"},
        "stream_options" : {"include_usage" : true}
    }),
                    J({
                        "model" : "claude-sonnet-4-5",
                        "messages" : [ {"role" : "user", "content" : [ {"type" : "text", "text" : "Hi"} ]} ],
                        "max_tokens" : 100,
                        "temperature" : 0.5,
                        "top_p" : 0.9,
                        "top_k" : 40,
                        "stop_sequences" : ["END"],
                        "metadata" : {"user_id" : "u1"},
                        "service_tier" : "standard_only",
                        "stream" : true
                    }));
}

static void what_claude_cannot_do_is_refused_by_name(void **state) {
    (void)state;
    refuses(J({"messages" : [], "seed" : 7}), "`seed`");
    refuses(J({"messages" : [], "n" : 2}), "`n`");
    refuses(J({"messages" : [], "logprobs" : true}), "`logprobs`");
    refuses(J({"messages" : [], "frequency_penalty" : 0.5}), "`frequency_penalty`");
    refuses(J({"messages" : [], "response_format" : {"type" : "json_object"}}), "`response_format`");
    refuses(J({"messages" : [], "service_tier" : "flex"}), "`service_tier`");
    refuses(J({"messages" : [], "reasoning_effort" : "furious"}), "`reasoning_effort`");
    refuses(J({"messages" : [], "tool_choice" : {"type" : "allowed_tools"}}), "`tool_choice`");
    refuses(J({"messages" : [], "web_search_options" : {}}), "`web_search_options`");
    refuses(J({"messages" : [], "tools" : [ {"type" : "custom", "custom" : {"name" : "x"}} ]}), "tool 0");
    refuses(J({
                "messages" : [ {
                    "role" : "user",
                    "content" : [ {"type" : "input_audio", "input_audio" : {"data" : "QQ", "format" : "wav"}} ]
                } ]
            }),
            "audio");
    refuses(J({"messages" : [ {"role" : "user", "content" : [ {"type" : "video_url"} ]} ]}), "video_url");
    refuses(J({
                "messages" : [ {
                    "role" : "user",
                    "content" : [ {"type" : "file", "file" : {"file_data" : "data:text/csv;base64,QQ"}} ]
                } ]
            }),
            "PDF");
}

static void what_has_no_place_is_left_out_on_request(void **state) {
    (void)state;
    wire_check_body(&drop, &wire_anthropic, J({
        "messages" : [ {
            "role" : "user",
            "content" : [
                {"type" : "input_audio", "input_audio" : {"data" : "QQ", "format" : "wav"}}, {"type" : "video_url"},
                {"type" : "text", "text" : "Hi"}
            ]
        } ],
        "seed" : 7,
        "n" : 3,
        "response_format" : {"type" : "json_object"},
        "service_tier" : "flex",
        "web_search_options" : {},
        "tools" : [ {"type" : "custom", "custom" : {"name" : "x"}} ]
    }),
                    J({
                        "model" : "claude-sonnet-4-5",
                        "max_tokens" : 4096,
                        "messages" : [ {"role" : "user", "content" : [ {"type" : "text", "text" : "Hi"} ]} ]
                    }));
}

static void tools_and_choices_are_mapped(void **state) {
    (void)state;
    sends(
        J({
            "messages" : [],
            "tools" : [
                {
                    "type" : "function",
                    "function" : {
                        "name" : "f",
                        "description" : "does f",
                        "strict" : true,
                        "parameters" :
                            {"type" : "object", "properties" : {"x" : {"type" : "string"}}, "required" : ["x"]}
                    }
                },
                {"type" : "function", "function" : {"name" : "g"}},
                {"type" : "web_search_20250305", "name" : "web_search", "max_uses" : 2}
            ],
            "tool_choice" : "required",
            "parallel_tool_calls" : false
        }),
        J({
            "model" : "claude-sonnet-4-5",
            "max_tokens" : 4096,
            "messages" : [],
            "tools" : [
                {
                    "name" : "f",
                    "description" : "does f",
                    "strict" : true,
                    "input_schema" : {"type" : "object", "properties" : {"x" : {"type" : "string"}}, "required" : ["x"]}
                },
                {"name" : "g", "input_schema" : {"type" : "object", "properties" : {}}},
                {"type" : "web_search_20250305", "name" : "web_search", "max_uses" : 2}
            ],
            "tool_choice" : {"type" : "any", "disable_parallel_tool_use" : true}
        }));
}

/* The tool_choice that `choice` becomes. */
static void chooses(const char *choice, const char *expected) {
    char params[512], body[512];
    snprintf(params, sizeof params, "{\"messages\":[],\"tools\":[{\"name\":\"f\",\"input_schema\":{}}]%s}", choice);
    snprintf(body, sizeof body,
             "{\"model\":\"claude-sonnet-4-5\",\"max_tokens\":4096,\"messages\":[],"
             "\"tools\":[{\"name\":\"f\",\"input_schema\":{}}]%s}",
             expected);
    sends(params, body);
}

static void each_tool_choice_has_its_word(void **state) {
    (void)state;
    chooses(",\"tool_choice\":\"auto\"", ",\"tool_choice\":{\"type\":\"auto\"}");
    chooses(",\"tool_choice\":\"none\"", ",\"tool_choice\":{\"type\":\"none\"}");
    chooses(",\"tool_choice\":\"required\"", ",\"tool_choice\":{\"type\":\"any\"}");
    chooses(",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}",
            ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}");
    chooses(",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}",
            ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}");
    chooses(",\"parallel_tool_calls\":false",
            ",\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}");
    chooses(",\"tool_choice\":\"none\",\"parallel_tool_calls\":false", ",\"tool_choice\":{\"type\":\"none\"}");
    chooses(",\"parallel_tool_calls\":true", "");
}

static void a_schema_becomes_the_output_format(void **state) {
    (void)state;
    sends(J({
              "messages" : [],
              "response_format" : {
                  "type" : "json_schema",
                  "json_schema" : {"name" : "n", "strict" : true, "schema" : {"type" : "object", "properties" : {}}}
              }
          }),
          J({
              "model" : "claude-sonnet-4-5",
              "max_tokens" : 4096,
              "messages" : [],
              "output_config" : {"format" : {"type" : "json_schema", "schema" : {"type" : "object", "properties" : {}}}}
          }));
}

static void effort_is_a_budget_that_leaves_room_for_the_answer(void **state) {
    (void)state;
    sends(J({"messages" : [], "reasoning_effort" : "high"}), J({
              "model" : "claude-sonnet-4-5",
              "max_tokens" : 8192,
              "messages" : [],
              "thinking" : {"type" : "enabled", "budget_tokens" : 4096}
          }));
    sends(J({"messages" : [], "reasoning_effort" : "medium", "max_tokens" : 500}), J({
              "model" : "claude-sonnet-4-5",
              "max_tokens" : 2548,
              "messages" : [],
              "thinking" : {"type" : "enabled", "budget_tokens" : 2048}
          }));
    sends(J({"messages" : [], "reasoning_effort" : "minimal", "max_tokens" : 2000}), J({
              "model" : "claude-sonnet-4-5",
              "max_tokens" : 2000,
              "messages" : [],
              "thinking" : {"type" : "enabled", "budget_tokens" : 1024}
          }));
    sends(J({"messages" : [], "reasoning_effort" : "none"}),
          J({"model" : "claude-sonnet-4-5", "max_tokens" : 4096, "messages" : []}));
}

static void thinking_said_natively_counts(void **state) {
    (void)state;
    sends(J({"messages" : [], "reasoning_effort" : "low", "thinking" : {"type" : "enabled", "budget_tokens" : 9000}}),
          J({
              "model" : "claude-sonnet-4-5",
              "max_tokens" : 13096,
              "messages" : [],
              "thinking" : {"type" : "enabled", "budget_tokens" : 9000}
          }));
    sends(J({"messages" : [], "max_tokens" : 2000, "thinking" : {"type" : "enabled", "budget_tokens" : 9000}}), J({
              "model" : "claude-sonnet-4-5",
              "max_tokens" : 2000,
              "messages" : [],
              "thinking" : {"type" : "enabled", "budget_tokens" : 9000}
          }));
}

static void newer_models_take_the_effort_itself(void **state) {
    (void)state;
    wire_check_body(&adaptive, &wire_anthropic, J({"messages" : [], "reasoning_effort" : "xhigh"}), J({
        "model" : "claude-opus-4-7",
        "max_tokens" : 4096,
        "messages" : [],
        "thinking" : {"type" : "adaptive", "display" : "summarized"},
        "output_config" : {"effort" : "xhigh"}
    }));
    static const struct {
        const char *model;
        bool adaptive;
    } models[] = {
        {"claude-3-7-sonnet-latest", false},
        {"claude-opus-4-20250514", false},
        {"claude-opus-4-5-20251101", false},
        {"claude-haiku-4-5", false},
        {"MiniMax-M2", false},
        {"claude-sonnet-4-6", true},
        {"claude-sonnet-5", true},
        {"claude-mythos-preview", true},
        {"claude-opus-4.6", true},
    };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        json_t *params = json_pack("{s:[],s:s}", "messages", "reasoning_effort", "low");
        wire_ask with = {.kind = CALL_CHAT, .model = models[i].model, .params = params};
        steno_error error = {0};
        json_t *body = wire_anthropic.body(&with, &error);
        const char *type = json_string_value(json_object_get(json_object_get(body, "thinking"), "type"));
        if (strcmp(type, models[i].adaptive ? "adaptive" : "enabled")) fail_msg("%s: %s", models[i].model, type);
        json_decref(body);
        json_decref(params);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_version_is_said_once),
        cmocka_unit_test(parameters_get_their_names_there),
        cmocka_unit_test(what_claude_cannot_do_is_refused_by_name),
        cmocka_unit_test(what_has_no_place_is_left_out_on_request),
        cmocka_unit_test(tools_and_choices_are_mapped),
        cmocka_unit_test(each_tool_choice_has_its_word),
        cmocka_unit_test(a_schema_becomes_the_output_format),
        cmocka_unit_test(effort_is_a_budget_that_leaves_room_for_the_answer),
        cmocka_unit_test(thinking_said_natively_counts),
        cmocka_unit_test(newer_models_take_the_effort_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
