/* Tests of client/providers/ollama.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/wire_check.h"

static const wire_ask chat = {.kind = CALL_CHAT, .model = "llama3.2"}, text = {.kind = CALL_TEXT, .model = "llama3.2"},
                      embed = {.kind = CALL_EMBEDDING, .model = "nomic-embed-text"};

static void parameters_go_where_ollama_has_them(void **state) {
    (void)state;
    wire_check_body(&chat, &wire_ollama,
                    "{\"messages\":[{\"role\":\"developer\",\"content\":\"Be "
                    "brief.\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What is "
                    "it?\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"
                    "png;base64,iVBOR\"}}]}],\"max_tokens\":9,\"temperature\":0.5,"
                    "\"top_p\":0.9,\"seed\":7,\"stop\":\"END\",\"num_ctx\":4096,\"keep_alive\":\"5m\",\"reasoning_"
                    "effort\":\"low\",\"n\":1,\"user\":\"u\","
                    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":{"
                    "\"type\":\"object\"}}}}",
                    "{\"model\":\"llama3.2\",\"messages\":[{\"role\":\"system\",\"content\":\"Be "
                    "brief.\"},{\"role\":\"user\",\"content\":\"What is it?\","
                    "\"images\":[\"iVBOR\"]}],\"options\":{\"num_predict\":9,\"temperature\":0.5,\"top_p\":0.9,"
                    "\"seed\":7,\"stop\":[\"END\"],\"num_ctx\":4096},"
                    "\"keep_alive\":\"5m\",\"think\":\"low\",\"format\":{\"type\":\"object\"},\"stream\":false}");
    wire_check_body(&chat, &wire_ollama,
                    "{\"messages\":[],\"reasoning_effort\":\"none\",\"response_format\":{\"type\":\"json_object\"}}",
                    "{\"model\":\"llama3.2\",\"messages\":[],\"think\":false,\"format\":\"json\",\"stream\":false}");
}

static void a_tools_result_goes_by_the_tools_name(void **state) {
    (void)state;
    wire_check_body(&chat, &wire_ollama,
                    "{\"messages\":[{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"hm\",\"tool_"
                    "calls\":[{\"id\":\"c1\",\"type\":\"function\","
                    "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":\"tool\",\"tool_call_"
                    "id\":\"c1\",\"content\":\"21\"}]}",
                    "{\"model\":\"llama3.2\",\"messages\":[{\"role\":\"assistant\",\"content\":\"\",\"thinking\":"
                    "\"hm\",\"tool_calls\":[{\"function\":{"
                    "\"name\":\"f\",\"arguments\":{\"a\":1}}}]},{\"role\":\"tool\",\"content\":\"21\",\"tool_name\":"
                    "\"f\"}],\"stream\":false}");
}

/* Ids of older turns may be the same. */
static void a_result_belongs_to_the_nearest_call_before_it(void **state) {
    (void)state;
#define CALL(name)                                                                                          \
    "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"" name \
    "\",\"arguments\":\"{}\"}}]}"
#define SENT(name)                                                                                                     \
    "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"" name "\",\"arguments\":{}}}" \
    "]}"
#define RESULT "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"x\"}"
    wire_check_body(
        &chat, &wire_ollama, "{\"messages\":[" CALL("f") "," RESULT "," CALL("g") "," RESULT "]}",
        "{\"model\":\"llama3.2\",\"stream\":false,\"messages\":[" SENT(
            "f") ",{\"role\":\"tool\",\"content\":\"x\",\"tool_name\":\"f\"}," SENT("g") ",{\"role\":\"tool\","
                                                                                         "\"content\":\"x\",\"tool_"
                                                                                         "name\":\"g\"}]}");
}

static void without_tools_it_calls_none(void **state) {
    (void)state;
    wire_check_body(
        &chat, &wire_ollama,
        "{\"messages\":[],\"tools\":[{\"type\":\"function\"}],\"tool_choice\":\"none\",\"reasoning_effort\":\"xhigh\"}",
        "{\"model\":\"llama3.2\",\"messages\":[],\"think\":\"max\",\"stream\":false}");
    wire_check_refused(&chat, &wire_ollama, "{\"messages\":[],\"tool_choice\":\"required\"}", "tool_choice");
}

static void what_it_lacks_is_refused_by_name_or_dropped(void **state) {
    (void)state;
    wire_check_refused(&chat, &wire_ollama, "{\"messages\":[],\"logit_bias\":{\"1\":2}}", "logit_bias");
    wire_check_refused(&chat, &wire_ollama,
                       "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
                       "\"https://x/y.png\"}}]}]}",
                       "address");
    wire_check_refused(&chat, &wire_ollama, "{\"messages\":[{\"content\":\"x\"}]}", "role");
    wire_ask drop = chat;
    drop.drop = true;
    wire_check_refused(&drop, &wire_ollama, "{\"messages\":[{\"content\":\"x\"}]}",
                       "role"); /* what is asked is never dropped */
    wire_check_body(&drop, &wire_ollama, "{\"messages\":[],\"logit_bias\":{\"1\":2}}",
                    "{\"model\":\"llama3.2\",\"messages\":[],\"stream\":false}");
}

static void a_whole_reply_is_openais(void **state) {
    (void)state;
    wire_check_reply(
        &chat, &wire_ollama,
        "{\"model\":\"llama3.2\",\"created_at\":\"2026-11-01T07:08:09Z\",\"message\":{\"role\":\"assistant\","
        "\"content\":\"Hi\",\"thinking\":"
        "\"hm\",\"tool_calls\":[{\"function\":{"
        "\"name\":\"f\",\"arguments\":{\"a\":1}}}]},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_"
        "count\":2,\"eval_count\":3}",
        "{\"object\":\"chat.completion\",\"model\":\"llama3.2\",\"choices\":[{\"index\":0,\"message\":{"
        "\"role\":\"assistant\",\"content\":\"Hi\","
        "\"reasoning_content\":\"hm\",\"tool_calls\":[{\"id\":\"call_20261101070809_0\",\"type\":\"function\","
        "\"function\":{\"name\":\"f\",\"arguments\":"
        "\"{\\\"a\\\":1}\"}}]},\"finish_reason\":\"tool_calls\"}]}");
    wire_check_reply(&text, &wire_ollama, "{\"response\":\"and so on\",\"done\":true,\"done_reason\":\"length\"}",
                     "{\"object\":\"text_completion\",\"model\":\"llama3.2\",\"choices\":[{\"index\":0,\"text\":\"and "
                     "so on\",\"finish_reason\":\"length\"}]}");
    wire_check_reply(&embed, &wire_ollama, "{\"embeddings\":[[1,2],[3,4]],\"prompt_eval_count\":4}",
                     "{\"object\":\"list\",\"model\":\"nomic-embed-text\",\"data\":[{\"object\":\"embedding\","
                     "\"index\":0,\"embedding\":[1,2]},{\"object\":"
                     "\"embedding\",\"index\":1,\"embedding\":[3,4]}]}");
}

static void lines_become_chunks(void **state) {
    (void)state;
    static const char *const records[] = {
        "{\"model\":\"llama3.2\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"h\"},\"done\":"
        "false}",
        "{\"model\":\"llama3.2\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"m\"},\"done\":"
        "false}",
        "{\"model\":\"llama3.2\",\"message\":{\"role\":\"assistant\",\"content\":\"Hel\"},\"done\":false}",
        "{\"model\":\"llama3.2\",\"message\":{\"role\":\"assistant\",\"content\":\"lo\"},\"done\":false}",
        "{\"model\":\"llama3.2\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{"
        "\"name\":\"f\",\"arguments\":{}}},"
        "{\"function\":{\"name\":\"g\",\"arguments\":{}}}]},\"done\":false}",
        "{\"model\":\"llama3.2\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":"
        "\"stop\",\"prompt_eval_count\":5,"
        "\"eval_count\":6}",
        NULL};
    wire_check_stream(&chat, &wire_ollama, records,
                      "{\"id\":\"\",\"object\":\"chat.completion\",\"model\":\"llama3.2\",\"choices\":[{\"index\":0,"
                      "\"message\":{\"role\":\"assistant\","
                      "\"content\":\"Hello\",\"reasoning_content\":\"hm\",\"tool_calls\":[{\"id\":\"call_0\",\"type\":"
                      "\"function\",\"function\":{\"name\":\"f\","
                      "\"arguments\":\"{}\"}},{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"g\","
                      "\"arguments\":\"{}\"}}]},"
                      "\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":6,"
                      "\"total_tokens\":11}}");
}

static void an_error_in_mid_stream_fails(void **state) {
    (void)state;
    static const char *const records[] = {"{\"message\":{\"content\":\"H\"},\"done\":false}",
                                          "{\"error\":\"out of memory\"}", NULL};
    wire_check_stream_fails(&chat, &wire_ollama, records, "InternalServer");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_go_where_ollama_has_them),
        cmocka_unit_test(a_tools_result_goes_by_the_tools_name),
        cmocka_unit_test(what_it_lacks_is_refused_by_name_or_dropped),
        cmocka_unit_test(a_result_belongs_to_the_nearest_call_before_it),
        cmocka_unit_test(without_tools_it_calls_none),
        cmocka_unit_test(a_whole_reply_is_openais),
        cmocka_unit_test(lines_become_chunks),
        cmocka_unit_test(an_error_in_mid_stream_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
