/* Messages in the shape of the GenAI conventions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "subscribers/otlp_content.h"
#include "tests/unit/otlp_check.h"

static int clear(void **state) {
    (void)state;
    otlp_check_clear();
    return 0;
}

static void gives(json_t *(*what)(const steno_event *), const char *event, const char *expected) {
    json_t *json = what(otlp_check_event(1, event));
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    if (expected) {
        assert_non_null(text);
        assert_string_equal(text, expected);
    } else {
        assert_null(text);
    }
    free(text);
    json_decref(json);
}

#define EVENT(fields) "{\"event\":\"success\",\"call_id\":\"a\"," fields "}"
#define SAYS(parts) "[{\"role\":\"user\",\"parts\":[" parts "]}]"
#define ASKED(content) EVENT("\"messages\":[{\"role\":\"user\",\"content\":" content "}]")

static void texts_and_parts(void **state) {
    (void)state;
    gives(otlp_input_messages, ASKED("\"hi\""), SAYS("{\"type\":\"text\",\"content\":\"hi\"}"));
    gives(otlp_input_messages, ASKED("[{\"type\":\"input_text\",\"text\":\"hi\"},\"there\"]"),
          SAYS("{\"type\":\"text\",\"content\":\"hi\"},{\"type\":\"text\",\"content\":\"there\"}"));
    gives(otlp_input_messages,
          ASKED("[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"QQ==\",\"format\":\"wav\"}}]"),
          SAYS("{\"type\":\"blob\",\"modality\":\"audio\",\"mime_type\":\"audio/wav\",\"content\":\"QQ==\"}"));
    gives(otlp_input_messages, ASKED("[{\"type\":\"file\",\"file\":{\"file_id\":\"f1\"}}]"),
          SAYS("{\"type\":\"file\",\"modality\":\"document\",\"file_id\":\"f1\"}"));
    gives(otlp_input_messages, ASKED("[{\"type\":\"input_file\",\"file_data\":\"data:application/pdf;base64,QQ==\"}]"),
          SAYS("{\"type\":\"blob\",\"modality\":\"document\",\"mime_type\":\"application/pdf\",\"content\":\"QQ==\"}"));
    gives(otlp_input_messages, ASKED("[{\"type\":\"input_image\",\"image_url\":\"https://x/a.png\"}]"),
          SAYS("{\"type\":\"uri\",\"modality\":\"image\",\"uri\":\"https://x/a.png\"}"));
    gives(otlp_input_messages, ASKED("[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,plain\"}}]"),
          SAYS("{\"type\":\"uri\",\"modality\":\"image\",\"uri\":\"data:,plain\"}"));
    gives(otlp_input_messages, ASKED("[{\"type\":\"video\",\"clip\":7}]"),
          SAYS("{\"type\":\"generic\",\"clip\":7,\"generic_type\":\"video\"}"));
    gives(otlp_input_messages, ASKED("[7]"), SAYS("{\"content\":7,\"type\":\"generic\"}"));
}

static void tools_called_and_answered(void **state) {
    (void)state;
    gives(otlp_input_messages,
          EVENT("\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\",\"type\":"
                "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"not json\"}},"
                "{\"type\":\"custom\",\"custom\":{\"name\":\"g\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"1\","
                "\"content\":[{\"a\":1}]},"
                "{\"role\":\"assistant\",\"function_call\":{\"name\":\"old\",\"arguments\":\"{}\"}}]"),
          "[{\"role\":\"assistant\",\"parts\":[{\"type\":\"tool_call\",\"id\":\"1\",\"name\":\"f\",\"arguments\":\"not "
          "json\"},"
          "{\"type\":\"generic\",\"custom\":{\"name\":\"g\"},\"generic_type\":\"custom\"}]},"
          "{\"role\":\"tool\",\"parts\":[{\"type\":\"tool_call_response\",\"id\":\"1\",\"response\":[{\"a\":1}]}]},"
          "{\"role\":\"assistant\",\"parts\":[{\"type\":\"tool_call\",\"name\":\"old\",\"arguments\":{}}]}]");
}

static void input_of_responses_and_prompts(void **state) {
    (void)state;
    gives(otlp_input_messages, EVENT("\"input\":\"hi\""), SAYS("{\"type\":\"text\",\"content\":\"hi\"}"));
    gives(otlp_input_messages,
          EVENT("\"input\":[{\"role\":\"user\",\"content\":\"hi\"},{\"type\":\"function_call\",\"call_id\":\"1\","
                "\"name\":\"f\",\"arguments\":\"{}\"},"
                "{\"type\":\"function_call_output\",\"call_id\":\"1\",\"output\":\"done\"},{\"type\":\"reasoning\","
                "\"summary\":[]}]"),
          "[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"hi\"}]},"
          "{\"role\":\"assistant\",\"parts\":[{\"type\":\"tool_call\",\"id\":\"1\",\"name\":\"f\",\"arguments\":{}}]},"
          "{\"role\":\"tool\",\"parts\":[{\"type\":\"tool_call_response\",\"id\":\"1\",\"response\":\"done\"}]},"
          "{\"role\":\"assistant\",\"parts\":[{\"type\":\"generic\",\"summary\":[],\"generic_type\":\"reasoning\"}]}]");
    gives(otlp_input_messages, EVENT("\"prompt\":[\"a\",\"b\"]"),
          "[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"a\"}]},{\"role\":\"user\",\"parts\":[{"
          "\"type\":\"text\",\"content\":\"b\"}]}]");
    gives(otlp_input_messages, EVENT("\"input\":\"embed me\",\"call_type\":\"aembedding\""), NULL);
    gives(otlp_input_messages, EVENT("\"redacted\":[\"messages\"]"), NULL);
}

static void choices_with_their_ends(void **state) {
    (void)state;
    gives(otlp_output_messages,
          EVENT("\"response\":{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"length\"},{"
                "\"message\":{\"refusal\":\"no\"}},{\"text\":\"plain\",\"finish_reason\":\"function_call\"}]}"),
          "[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"a\"}],\"finish_reason\":\"length\"},"
          "{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"no\"}],\"finish_reason\":\"stop\"},"
          "{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"plain\"}],\"finish_reason\":\"tool_"
          "call\"}]");
    /* A cut stream. */
    gives(
        otlp_output_messages,
        "{\"event\":\"failure\",\"call_id\":\"a\",\"response\":{\"choices\":[{\"message\":{\"role\":\"assistant\","
        "\"content\":\"half\"}}]}}",
        "[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"half\"}],\"finish_reason\":\"error\"}]");
    gives(otlp_output_messages, EVENT("\"response\":null"), NULL);
}

static void instructions_and_tools(void **state) {
    (void)state;
    gives(otlp_system_instructions, EVENT("\"optional_params\":{\"instructions\":\"Be brief.\"}"),
          "[{\"type\":\"text\",\"content\":\"Be brief.\"}]");
    gives(otlp_system_instructions, EVENT("\"optional_params\":{}"), NULL);
    gives(otlp_tool_definitions,
          EVENT("\"optional_params\":{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}},{\"type\":\"web_"
                "search\"},7]}"),
          "[{\"name\":\"f\",\"type\":\"function\"},{\"type\":\"web_search\"}]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(texts_and_parts, clear),
        cmocka_unit_test_teardown(tools_called_and_answered, clear),
        cmocka_unit_test_teardown(input_of_responses_and_prompts, clear),
        cmocka_unit_test_teardown(choices_with_their_ends, clear),
        cmocka_unit_test_teardown(instructions_and_tools, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
