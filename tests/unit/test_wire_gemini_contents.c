/* Tests of client/providers/gemini_contents.c: the messages that Gemini is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/wire_check.h"

static const wire_ask ask = {.kind = CALL_CHAT, .model = "gemini-2.5-flash"};
static const wire_ask third = {.kind = CALL_CHAT, .model = "gemini-3-pro-preview"};

static void sends(const char *params, const char *body) { wire_check_body(&ask, &wire_gemini, params, body); }
static void refuses(const char *params, const char *word) { wire_check_refused(&ask, &wire_gemini, params, word); }

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_prompts_go_to_the_top_and_turns_alternate),
        cmocka_unit_test(media_become_parts),
        cmocka_unit_test(tool_results_name_their_function),
        cmocka_unit_test(the_nearest_call_with_an_id_is_the_one_answered),
        cmocka_unit_test(signatures_go_back_where_they_came_from),
        cmocka_unit_test(wrong_messages_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
