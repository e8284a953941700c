/* Tests of client/providers/anthropic_messages.c: the messages that Claude is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/wire_check.h"

static const wire_ask ask = {.kind = CALL_CHAT, .model = "claude-sonnet-4-5"};

static void sends(const char *params, const char *body) { wire_check_body(&ask, &wire_anthropic, params, body); }
static void refuses(const char *params, const char *word) { wire_check_refused(&ask, &wire_anthropic, params, word); }

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_prompts_go_to_the_top_and_turns_alternate),
        cmocka_unit_test(native_system_joins_the_others),
        cmocka_unit_test(cache_control_stays_where_it_was_put),
        cmocka_unit_test(images_and_files_become_blocks),
        cmocka_unit_test(tool_calls_and_their_results_go_back),
        cmocka_unit_test(thoughts_go_back_first_and_foreign_ones_do_not),
        cmocka_unit_test(empty_texts_and_messages_are_left_out),
        cmocka_unit_test(wrong_messages_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
