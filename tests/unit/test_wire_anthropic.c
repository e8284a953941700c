/* Tests of client/providers/anthropic*.c: what Claude is sent, and what its replies and streams become. */
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

/* ---- messages ---- */

static void system_prompts_go_to_the_top_and_turns_alternate(void **state) {
    (void)state;
    sends(J({
              "messages" : [
                  {"role" : "system", "content" : "Be brief."}, {"role" : "user", "content" : "Hi"},
                  {"role" : "developer", "content" : [ {"type" : "text", "text" : "Be kind."} ]},
                  {"role" : "user", "content" : "there"}, {"role" : "assistant", "content" : "Hello"},
                  {"role" : "assistant", "content" : "again"}, {"role" : "user", "content" : "Bye"}
              ]
          }),
          J({
              "model" : "claude-sonnet-4-5",
              "max_tokens" : 4096,
              "system" : [ {"type" : "text", "text" : "Be brief."}, {"type" : "text", "text" : "Be kind."} ],
              "messages" : [
                  {
                      "role" : "user",
                      "content" : [ {"type" : "text", "text" : "Hi"}, {"type" : "text", "text" : "there"} ]
                  },
                  {
                      "role" : "assistant",
                      "content" : [ {"type" : "text", "text" : "Hello"}, {"type" : "text", "text" : "again"} ]
                  },
                  {"role" : "user", "content" : [ {"type" : "text", "text" : "Bye"} ]}
              ]
          }));
}

static void native_system_joins_the_others(void **state) {
    (void)state;
    sends(J({
              "system" : "First.",
              "messages" : [ {"role" : "system", "content" : "Second."}, {"role" : "user", "content" : "Hi"} ]
          }),
          J({
              "model" : "claude-sonnet-4-5",
              "max_tokens" : 4096,
              "system" : [ {"type" : "text", "text" : "First."}, {"type" : "text", "text" : "Second."} ],
              "messages" : [ {"role" : "user", "content" : [ {"type" : "text", "text" : "Hi"} ]} ]
          }));
}

static void cache_control_stays_where_it_was_put(void **state) {
    (void)state;
    sends(
        J({
            "messages" : [
                {
                    "role" : "system",
                    "content" :
                        [ {"type" : "text", "text" : "Long.", "cache_control" : {"type" : "ephemeral", "ttl" : "1h"}} ]
                },
                {"role" : "user", "content" : "Hi", "cache_control" : {"type" : "ephemeral"}}
            ],
            "tools" : [ {
                "type" : "function",
                "function" : {"name" : "f", "parameters" : {"type" : "object", "properties" : {}}},
                "cache_control" : {"type" : "ephemeral"}
            } ]
        }),
        J({
            "model" : "claude-sonnet-4-5",
            "max_tokens" : 4096,
            "system" : [ {"type" : "text", "text" : "Long.", "cache_control" : {"type" : "ephemeral", "ttl" : "1h"}} ],
            "messages" : [ {
                "role" : "user",
                "content" : [ {"type" : "text", "text" : "Hi", "cache_control" : {"type" : "ephemeral"}} ]
            } ],
            "tools" : [ {
                "name" : "f",
                "input_schema" : {"type" : "object", "properties" : {}},
                "cache_control" : {"type" : "ephemeral"}
            } ]
        }));
}

static void images_and_files_become_blocks(void **state) {
    (void)state;
    sends(
        J({
            "messages" : [ {
                "role" : "user",
                "content" : [
                    {"type" : "text", "text" : "See"},
                    {"type" : "image_url", "image_url" : {"url" : "https://example.com/a.png", "detail" : "low"}},
                    {"type" : "image_url", "image_url" : {"url" : "data:image/jpeg;base64,QUJD"}}, {
                        "type" : "file",
                        "file" : {"filename" : "a.pdf", "file_data" : "data:application/pdf;base64,UERG"}
                    },
                    {"type" : "file", "file" : {"file_id" : "file_123"}},
                    {"type" : "document", "source" : {"type" : "text", "media_type" : "text/plain", "data" : "x"}}
                ]
            } ]
        }),
        J({
            "model" : "claude-sonnet-4-5",
            "max_tokens" : 4096,
            "messages" : [ {
                "role" : "user",
                "content" : [
                    {"type" : "text", "text" : "See"},
                    {"type" : "image", "source" : {"type" : "url", "url" : "https://example.com/a.png"}},
                    {"type" : "image", "source" : {"type" : "base64", "media_type" : "image/jpeg", "data" : "QUJD"}}, {
                        "type" : "document",
                        "title" : "a.pdf",
                        "source" : {"type" : "base64", "media_type" : "application/pdf", "data" : "UERG"}
                    },
                    {"type" : "document", "source" : {"type" : "file", "file_id" : "file_123"}},
                    {"type" : "document", "source" : {"type" : "text", "media_type" : "text/plain", "data" : "x"}}
                ]
            } ]
        }));
}

static void tool_calls_and_their_results_go_back(void **state) {
    (void)state;
    sends(J({
              "messages" : [
                  {"role" : "user", "content" : "Weather?"}, {
                      "role" : "assistant",
                      "content" : null,
                      "tool_calls" : [
                          {
                              "id" : "toolu_1",
                              "type" : "function",
                              "function" : {"name" : "w", "arguments" : "{\"c\":\"Paris\"}"}
                          },
                          {"id" : "toolu_2", "type" : "function", "function" : {"name" : "w", "arguments" : ""}}
                      ]
                  },
                  {"role" : "tool", "tool_call_id" : "toolu_1", "content" : "sunny"}, {
                      "role" : "tool",
                      "tool_call_id" : "toolu_2",
                      "content" : [ {"type" : "image_url", "image_url" : {"url" : "data:image/png;base64,QUJD"}} ]
                  },
                  {"role" : "user", "content" : "Well?"}
              ]
          }),
          J({
              "model" : "claude-sonnet-4-5",
              "max_tokens" : 4096,
              "messages" : [
                  {"role" : "user", "content" : [ {"type" : "text", "text" : "Weather?"} ]}, {
                      "role" : "assistant",
                      "content" : [
                          {"type" : "tool_use", "id" : "toolu_1", "name" : "w", "input" : {"c" : "Paris"}},
                          {"type" : "tool_use", "id" : "toolu_2", "name" : "w", "input" : {}}
                      ]
                  },
                  {
                      "role" : "user",
                      "content" : [
                          {
                              "type" : "tool_result",
                              "tool_use_id" : "toolu_1",
                              "content" : [ {"type" : "text", "text" : "sunny"} ]
                          },
                          {
                              "type" : "tool_result",
                              "tool_use_id" : "toolu_2",
                              "content" : [ {
                                  "type" : "image",
                                  "source" : {"type" : "base64", "media_type" : "image/png", "data" : "QUJD"}
                              } ]
                          },
                          {"type" : "text", "text" : "Well?"}
                      ]
                  }
              ]
          }));
}

static void thoughts_go_back_first_and_foreign_ones_do_not(void **state) {
    (void)state;
    sends(J({
              "messages" : [
                  {"role" : "user", "content" : "Hi"}, {
                      "role" : "assistant",
                      "content" : "Hello",
                      "reasoning_content" : "Hm.",
                      "thinking_blocks" : [
                          {"type" : "thinking", "thinking" : "Hm.", "signature" : "sig"},
                          {"type" : "redacted_thinking", "data" : "opaque"},
                          {"type" : "thinking", "signature" : "of nothing"},
                          {"type" : "thinking", "thinking" : "unsigned"},
                          {"type" : "thought_signature", "signature" : "of another provider"}
                      ]
                  },
                  {"role" : "user", "content" : "Bye"}
              ]
          }),
          J({
              "model" : "claude-sonnet-4-5",
              "max_tokens" : 4096,
              "messages" : [
                  {"role" : "user", "content" : [ {"type" : "text", "text" : "Hi"} ]}, {
                      "role" : "assistant",
                      "content" : [
                          {"type" : "thinking", "thinking" : "Hm.", "signature" : "sig"},
                          {"type" : "redacted_thinking", "data" : "opaque"},
                          {"type" : "thinking", "thinking" : "", "signature" : "of nothing"},
                          {"type" : "text", "text" : "Hello"}
                      ]
                  },
                  {"role" : "user", "content" : [ {"type" : "text", "text" : "Bye"} ]}
              ]
          }));
}

static void empty_texts_and_messages_are_left_out(void **state) {
    (void)state;
    sends(J({
              "messages" : [
                  {"role" : "system", "content" : ""},
                  {"role" : "user", "content" : [ {"type" : "text", "text" : ""}, {"type" : "text", "text" : "Hi"} ]},
                  {"role" : "assistant", "content" : ""}, {"role" : "user", "content" : "you"}
              ]
          }),
          J({
              "model" : "claude-sonnet-4-5",
              "max_tokens" : 4096,
              "messages" : [
                  {"role" : "user", "content" : [ {"type" : "text", "text" : "Hi"}, {"type" : "text", "text" : "you"} ]}
              ]
          }));
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

static void wrong_messages_are_refused(void **state) {
    (void)state;
    refuses(J({}), "`messages`");
    refuses(J({"messages" : "Hi"}), "`messages`");
    refuses(J({"messages" : [7]}), "role");
    refuses(J({"messages" : [ {"role" : "function", "content" : "x"} ]}), "function");
    refuses(J({"messages" : [ {"role" : "tool", "content" : "x"} ]}), "tool_call_id");
    refuses(J({"messages" : [ {"role" : "assistant", "tool_calls" : [ {"function" : {}} ]} ]}), "tool call 0");
    refuses(J({"messages" : [ {"role" : "user", "content" : [ {"type" : "text"} ]} ]}), "part 0");
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
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        json_t *native = json_pack("{s:[],s:s}", "content", "stop_reason", words[i][0]);
        const json_t *usage;
        steno_error error;
        json_t *response = wire_anthropic.reply(&ask, native, &usage, &error);
        json_t *choice = json_array_get(json_object_get(response, "choices"), 0);
        assert_string_equal(json_string_value(json_object_get(choice, "finish_reason")), words[i][1]);
        json_decref(response);
        json_decref(native);
    }
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

/* Reads `native` as a reply, which fails so. */
static void fails(const char *native, steno_status status, const char *type) {
    json_t *json = json_loads(native, JSON_DECODE_ANY, NULL);
    const json_t *usage;
    steno_error error = {0};
    assert_non_null(json);
    assert_null(wire_anthropic.reply(&ask, json, &usage, &error));
    assert_int_equal(error.status, status);
    assert_string_equal(error.type, type);
    json_decref(json);
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
    wire_stream stream = {.ask = &ask, .on_chunk = ignore};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *record = json_loads(cases[i].record, JSON_DECODE_ANY, NULL);
        steno_error error = {0};
        assert_non_null(record);
        if (wire_anthropic.record(&stream, "", record, &error) != cases[i].status) fail_msg("%s", cases[i].record);
        json_decref(record);
    }
    wire_stream_free(&stream);
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
        cmocka_unit_test(the_version_is_said_once),
        cmocka_unit_test(system_prompts_go_to_the_top_and_turns_alternate),
        cmocka_unit_test(native_system_joins_the_others),
        cmocka_unit_test(cache_control_stays_where_it_was_put),
        cmocka_unit_test(images_and_files_become_blocks),
        cmocka_unit_test(tool_calls_and_their_results_go_back),
        cmocka_unit_test(thoughts_go_back_first_and_foreign_ones_do_not),
        cmocka_unit_test(empty_texts_and_messages_are_left_out),
        cmocka_unit_test(parameters_get_their_names_there),
        cmocka_unit_test(what_claude_cannot_do_is_refused_by_name),
        cmocka_unit_test(what_has_no_place_is_left_out_on_request),
        cmocka_unit_test(wrong_messages_are_refused),
        cmocka_unit_test(tools_and_choices_are_mapped),
        cmocka_unit_test(each_tool_choice_has_its_word),
        cmocka_unit_test(a_schema_becomes_the_output_format),
        cmocka_unit_test(effort_is_a_budget_that_leaves_room_for_the_answer),
        cmocka_unit_test(thinking_said_natively_counts),
        cmocka_unit_test(newer_models_take_the_effort_itself),
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
