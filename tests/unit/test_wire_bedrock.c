/* Tests of client/providers/bedrock*.c: Converse's bodies, replies, streams and failures, Titan's embeddings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/providers/bedrock.h"
#include "client/usage.h"
#include "tests/unit/wire_check.h"

#define CLAUDE "anthropic.claude-sonnet-4-5-20250929-v1:0"
static const wire_ask chat = {.kind = CALL_CHAT, .model = CLAUDE};
static const wire_ask dropping = {.kind = CALL_CHAT, .model = CLAUDE, .drop = true};

static void expect_body(const char *params, const char *body) { wire_check_body(&chat, &wire_bedrock, params, body); }
static void expect_refused(const char *params, const char *word) {
    wire_check_refused(&chat, &wire_bedrock, params, word);
}
static void expect_dropped(const char *params, const char *body) {
    wire_check_body(&dropping, &wire_bedrock, params, body);
}

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define SAID_HI "\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]}]"

/* ---- where ---- */

static void expect_path(call_kind kind, bool stream, const char *model, const char *path) {
    const wire_ask ask = {.kind = kind, .stream = stream, .model = model};
    char got[WIRE_PATH_BYTES];
    assert_true(wire_bedrock.path(&ask, "https://bedrock-runtime.us-east-1.amazonaws.com", got));
    assert_string_equal(got, path);
}

static void the_path_has_the_model_as_one_segment(void **state) {
    (void)state;
    expect_path(CALL_CHAT, false, "amazon.nova-lite-v1:0", "/model/amazon.nova-lite-v1%3A0/converse");
    expect_path(CALL_CHAT, true, "arn:aws:bedrock:us-east-1:1:inference-profile/us.x",
                "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x/converse-stream");
    expect_path(CALL_EMBEDDING, false, "a?b#c%\xC3\xA9", "/model/a%3Fb%23c%25%C3%A9/invoke");
    char longest[WIRE_PATH_BYTES + 1], got[WIRE_PATH_BYTES];
    memset(longest, ':', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (size_t size = 330; size < WIRE_PATH_BYTES; size++) {
        const wire_ask ask = {.model = longest + sizeof longest - 1 - size};
        assert_int_equal(wire_bedrock.path(&ask, "", got), 3 * size + strlen("/model//converse") < WIRE_PATH_BYTES);
    }
}

/* ---- messages ---- */

static void system_prompts_stand_apart(void **state) {
    (void)state;
    expect_body("{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"Hi\"},"
                "{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"And kind.\","
                "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}},{\"type\":\"text\",\"text\":\"\"}]}]}",
                "{\"system\":[{\"text\":\"Be brief.\"},{\"text\":\"And kind.\"},"
                "{\"cachePoint\":{\"type\":\"default\",\"ttl\":\"1h\"}}]," SAID_HI "}");
    const char *image = "{\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
                        "{\"url\":\"data:image/png;base64,AAAA\"}}]},{\"role\":\"user\",\"content\":\"Hi\"}]}";
    expect_refused(image, "system prompts");
    expect_dropped(image, "{" SAID_HI "}");
}

static void parts_become_blocks(void **state) {
    (void)state;
    expect_body(
        "{\"messages\":[{\"role\":\"user\",\"content\":["
        "{\"type\":\"text\",\"text\":\"Look:\",\"cache_control\":{\"type\":\"ephemeral\"}},"
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBOR\"}},"
        "{\"type\":\"image_url\",\"image_url\":\"data:image/jpg;base64,AAAA\"},"
        "{\"type\":\"file\",\"file\":{\"filename\":\"Q3_report (final).v2.pdf\","
        "\"file_data\":\"data:application/pdf;base64,JVBER\"}},"
        "{\"type\":\"file\",\"file\":{\"file_data\":\"data:text/plain;base64,aGk=\"}},"
        "{\"type\":\"file\",\"file\":{\"filename\":\"...\",\"file_data\":\"data:text/csv;base64,aGk=\"}}]}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Look:\"},"
        "{\"cachePoint\":{\"type\":\"default\"}},"
        "{\"image\":{\"format\":\"png\",\"source\":{\"bytes\":\"iVBOR\"}}},"
        "{\"image\":{\"format\":\"jpeg\",\"source\":{\"bytes\":\"AAAA\"}}},"
        "{\"document\":{\"format\":\"pdf\",\"name\":\"Q3 report (final) v2\",\"source\":{\"bytes\":\"JVBER\"}}},"
        "{\"document\":{\"format\":\"txt\",\"name\":\"document 2\",\"source\":{\"bytes\":\"aGk=\"}}},"
        "{\"document\":{\"format\":\"csv\",\"name\":\"document 3\",\"source\":{\"bytes\":\"aGk=\"}}}]}]}");
}

static void parts_without_a_counterpart_are_refused_or_dropped(void **state) {
    (void)state;
    static const struct {
        const char *part, *word;
    } cases[] = {
        {"{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x.example/a.png\"}}", "images by URL"},
        {"{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/tiff;base64,AAAA\"}}", "images of that type"},
        {"{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"wav\"}}", "audio"},
        {"{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}", "files by URL or id"},
        {"{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/zip;base64,AA\"}}", "files of that type"},
        {"{\"type\":\"video_url\",\"video_url\":{}}", "parts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char params[512];
        snprintf(params, sizeof params,
                 "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"},%s]}]}",
                 cases[i].part);
        expect_refused(params, cases[i].word);
        expect_dropped(params, "{" SAID_HI "}");
    }
    expect_refused("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}", "part 0");
    expect_refused("{\"messages\":[{\"role\":\"narrator\",\"content\":\"x\"}]}", "narrator");
    expect_refused("{\"messages\":[7]}", "message 0");
}

static void roles_take_turns_and_thoughts_and_calls_go_back(void **state) {
    (void)state;
    expect_body(
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"},"
        "{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"hm\",\"thinking_blocks\":["
        "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"sig\"},"
        "{\"type\":\"redacted_thinking\",\"data\":\"cmVk\"},{\"type\":\"thinking\",\"thinking\":\"not signed\"}],"
        "\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
        "\"{\\\"x\\\":1}\"}},{\"id\":\"t2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"content\":\"one\"},"
        "{\"role\":\"tool\",\"tool_call_id\":\"t2\",\"content\":[{\"type\":\"text\",\"text\":\"two\","
        "\"cache_control\":{\"type\":\"ephemeral\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":"
        "\"data:image/gif;base64,R0\"}}]},{\"role\":\"user\",\"content\":\"and?\"},"
        "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[]},"
        "{\"role\":\"assistant\",\"content\":null,\"refusal\":\"No.\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\"},{\"text\":\"b\"}]},"
        "{\"role\":\"assistant\",\"content\":["
        "{\"reasoningContent\":{\"reasoningText\":{\"text\":\"hm\",\"signature\":\"sig\"}}},"
        "{\"reasoningContent\":{\"redactedContent\":\"cmVk\"}},"
        "{\"toolUse\":{\"toolUseId\":\"t1\",\"name\":\"f\",\"input\":{\"x\":1}}},"
        "{\"toolUse\":{\"toolUseId\":\"t2\",\"name\":\"g\",\"input\":{}}}]},"
        "{\"role\":\"user\",\"content\":[{\"toolResult\":{\"toolUseId\":\"t1\",\"content\":[{\"text\":\"one\"}]}},"
        "{\"toolResult\":{\"toolUseId\":\"t2\",\"content\":[{\"text\":\"two\"},{\"image\":{\"format\":\"gif\","
        "\"source\":{\"bytes\":\"R0\"}}}]}},{\"cachePoint\":{\"type\":\"default\"}},{\"text\":\"and?\"}]},"
        "{\"role\":\"assistant\",\"content\":[{\"text\":\"No.\"}]}]}");
}

/* ---- parameters ---- */

static void parameters_have_their_places(void **state) {
    (void)state;
    expect_body("{" HI ",\"max_tokens\":100,\"temperature\":0.5,\"top_p\":0.9,\"stop\":\"END\",\"user\":\"u\","
                "\"n\":1,\"service_tier\":\"priority\",\"top_k\":20,\"anthropic_beta\":[\"x\"],"
                "\"guardrailConfig\":{\"guardrailIdentifier\":\"g\"},\"inferenceConfig\":{\"maxTokens\":101},"
                "\"additionalModelRequestFields\":{\"a\":1},\"requestMetadata\":{\"k\":\"v\"}}",
                "{" SAID_HI ",\"inferenceConfig\":{\"maxTokens\":101,\"temperature\":0.5,\"topP\":0.9,"
                "\"stopSequences\":[\"END\"]},\"serviceTier\":{\"type\":\"priority\"},"
                "\"guardrailConfig\":{\"guardrailIdentifier\":\"g\"},\"requestMetadata\":{\"k\":\"v\"},"
                "\"additionalModelRequestFields\":{\"a\":1,\"top_k\":20,\"anthropic_beta\":[\"x\"]}}");
    expect_body("{" HI ",\"max_completion_tokens\":5,\"stop\":[\"a\",\"b\"],\"service_tier\":\"auto\","
                "\"response_format\":{\"type\":\"text\"}}",
                "{" SAID_HI ",\"inferenceConfig\":{\"maxTokens\":5,\"stopSequences\":[\"a\",\"b\"]}}");
}

static void parameters_without_a_counterpart_are_refused_or_dropped(void **state) {
    (void)state;
    static const struct {
        const char *parameter, *word;
    } cases[] = {
        {"\"seed\":1", "`seed`"},
        {"\"n\":2", "`n`"},
        {"\"logprobs\":true", "`logprobs`"},
        {"\"presence_penalty\":0.5", "`presence_penalty`"},
        {"\"logit_bias\":{\"1\":2}", "`logit_bias`"},
        {"\"response_format\":{\"type\":\"json_object\"}", "json_object"},
        {"\"response_format\":{\"type\":\"json_schema\"}", "schema"},
        {"\"response_format\":7", "`response_format`"},
        {"\"reasoning_effort\":\"huge\"", "huge"},
        {"\"service_tier\":1", "`service_tier`"},
        {"\"tool_choice\":\"perhaps\"", "`tool_choice`"},
        {"\"tool_choice\":{\"type\":\"function\"}", "`tool_choice`"},
        {"\"tools\":[{\"type\":\"web_search\"}]", "web_search"},
        {"\"tools\":[7]", "no tool"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char params[256];
        snprintf(params, sizeof params, "{" HI ",%s}", cases[i].parameter);
        expect_refused(params, cases[i].word);
        expect_dropped(params, "{" SAID_HI "}");
    }
}

static void a_schema_travels_as_text(void **state) {
    (void)state;
    expect_body("{" HI
                ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"city\",\"strict\":true,"
                "\"schema\":{\"type\":\"object\"}}}}",
                "{" SAID_HI ",\"outputConfig\":{\"textFormat\":{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":"
                "{\"name\":\"city\",\"schema\":\"{\\\"type\\\":\\\"object\\\"}\"}}}}}");
}

#define TOOL                                                                                                    \
    "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"strict\":true,\"parameters\":" \
    "{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"}}}}}"
#define TOOL_SPEC                                                                                    \
    "{\"toolSpec\":{\"name\":\"f\",\"description\":\"d\",\"strict\":true,\"inputSchema\":{\"json\":" \
    "{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"}}}}}}"

static void tools_become_specifications(void **state) {
    (void)state;
    expect_body("{" HI ",\"tools\":[" TOOL ",{\"type\":\"function\",\"function\":{\"name\":\"g\",\"description\":\"\"},"
                "\"cache_control\":{\"type\":\"ephemeral\"}},{\"systemTool\":{\"name\":\"nova_grounding\"}}]}",
                "{" SAID_HI ",\"toolConfig\":{\"tools\":[" TOOL_SPEC ",{\"toolSpec\":{\"name\":\"g\",\"inputSchema\":"
                "{\"json\":{\"type\":\"object\",\"properties\":{}}}}},{\"cachePoint\":{\"type\":\"default\"}},"
                "{\"systemTool\":{\"name\":\"nova_grounding\"}}]}}");
    static const char *const choices[][2] = {
        {"\"auto\"", "{\"auto\":{}}"},
        {"\"required\"", "{\"any\":{}}"},
        {"{\"type\":\"function\",\"function\":{\"name\":\"f\"}}", "{\"tool\":{\"name\":\"f\"}}"}};
    for (size_t i = 0; i < 3; i++) {
        char params[512], body[512];
        snprintf(params, sizeof params, "{" HI ",\"tools\":[" TOOL "],\"tool_choice\":%s}", choices[i][0]);
        snprintf(body, sizeof body, "{" SAID_HI ",\"toolConfig\":{\"tools\":[" TOOL_SPEC "],\"toolChoice\":%s}}",
                 choices[i][1]);
        expect_body(params, body);
    }
}

static void with_no_tool_wanted_tools_are_left_out_unless_the_messages_need_them(void **state) {
    (void)state;
    expect_body("{" HI ",\"tools\":[" TOOL "],\"tool_choice\":\"none\"}", "{" SAID_HI "}");
    expect_body("{\"tool_choice\":\"none\"," HI "}", "{" SAID_HI "}");
    const char *history = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"tool\",\"tool_call_id\":"
                          "\"t\",\"content\":\"x\"}],\"tools\":[" TOOL "],\"tool_choice\":\"none\"}";
    expect_refused(history, "`tool_choice`");
    expect_dropped(history,
                   "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"},{\"toolResult\":"
                   "{\"toolUseId\":\"t\",\"content\":[{\"text\":\"x\"}]}}]}],\"toolConfig\":{\"tools\":[" TOOL_SPEC
                   "]}}");
}

static void effort_is_said_in_the_models_own_way(void **state) {
    (void)state;
    static const struct {
        const char *model, *effort, *fields;
    } cases[] = {
        {CLAUDE, "low", "{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}}"},
        {"us.anthropic.claude-3-7-sonnet-20250219-v1:0", "high",
         "{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":4096}}"},
        {"anthropic.claude-opus-4-20250514-v1:0", "medium",
         "{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}}"},
        {"anthropic.claude-opus-4-6-v1", "medium",
         "{\"thinking\":{\"type\":\"adaptive\",\"display\":\"summarized\"},\"output_config\":{\"effort\":\"medium\"}}"},
        {"amazon.nova-2-lite-v1:0", "minimal",
         "{\"reasoningConfig\":{\"type\":\"enabled\",\"maxReasoningEffort\":\"low\"}}"},
        {"openai.gpt-oss-120b-1:0", "high", "{\"reasoning_effort\":\"high\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const wire_ask ask = {.kind = CALL_CHAT, .model = cases[i].model};
        char params[256], body[512];
        snprintf(params, sizeof params, "{" HI ",\"reasoning_effort\":\"%s\"}", cases[i].effort);
        snprintf(body, sizeof body, "{" SAID_HI ",\"additionalModelRequestFields\":%s}", cases[i].fields);
        wire_check_body(&ask, &wire_bedrock, params, body);
    }
    const wire_ask other = {.kind = CALL_CHAT, .model = "meta.llama3-1-8b-instruct-v1:0"};
    wire_check_refused(&other, &wire_bedrock, "{" HI ",\"reasoning_effort\":\"low\"}", "`reasoning_effort`");
    wire_check_body(&other, &wire_bedrock, "{" HI ",\"reasoning_effort\":\"none\"}", "{" SAID_HI "}");
}

static void thinking_leaves_room_for_an_answer(void **state) {
    (void)state;
    expect_body("{" HI ",\"reasoning_effort\":\"low\",\"max_tokens\":1000}",
                "{" SAID_HI ",\"inferenceConfig\":{\"maxTokens\":2024},\"additionalModelRequestFields\":{\"thinking\":"
                "{\"type\":\"enabled\",\"budget_tokens\":1024}}}");
    expect_body("{" HI ",\"reasoning_effort\":\"low\",\"max_tokens\":1025}",
                "{" SAID_HI ",\"inferenceConfig\":{\"maxTokens\":1025},\"additionalModelRequestFields\":{\"thinking\":"
                "{\"type\":\"enabled\",\"budget_tokens\":1024}}}");
    /* said natively it stays as it is */
    expect_body("{" HI ",\"reasoning_effort\":\"low\",\"max_tokens\":10,\"thinking\":{\"type\":\"enabled\","
                "\"budget_tokens\":2000}}",
                "{" SAID_HI ",\"inferenceConfig\":{\"maxTokens\":10},\"additionalModelRequestFields\":{\"thinking\":"
                "{\"type\":\"enabled\",\"budget_tokens\":2000}}}");
}

/* ---- replies ---- */

#define RESPONSE(message, reason)                                                                             \
    "{\"object\":\"chat.completion\",\"model\":\"" CLAUDE "\",\"choices\":[{\"index\":0,\"message\":" message \
    ",\"finish_reason\":\"" reason "\"}]}"

static void a_reply_becomes_a_message(void **state) {
    (void)state;
    wire_check_reply(
        &chat, &wire_bedrock,
        "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"Hel\"},{\"text\":\"lo\"},"
        "{\"citationsContent\":{\"content\":[{\"text\":\"!\"}],\"citations\":[]}}]}},"
        "\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":1},\"metrics\":{\"latencyMs\":1}}",
        RESPONSE("{\"role\":\"assistant\",\"content\":\"Hello!\"}", "stop"));
    wire_check_reply(
        &chat, &wire_bedrock,
        "{\"output\":{\"message\":{\"content\":["
        "{\"reasoningContent\":{\"reasoningText\":{\"text\":\"hm\",\"signature\":\"sig\"}}},"
        "{\"reasoningContent\":{\"redactedContent\":\"cmVk\"}},{\"reasoningContent\":{\"reasoningText\":{\"text\":"
        "\" no\"}}},{\"toolUse\":{\"toolUseId\":\"t1\",\"name\":\"f\",\"input\":{\"x\":[1]}}},"
        "{\"toolUse\":{\"toolUseId\":\"t2\",\"name\":\"g\",\"input\":null}},"
        "{\"toolUse\":{\"toolUseId\":\"t3\",\"name\":\"nova_grounding\",\"type\":\"server_tool_use\",\"input\":{}}}]}},"
        "\"stopReason\":\"tool_use\",\"serviceTier\":{\"type\":\"flex\"}}",
        "{\"object\":\"chat.completion\",\"model\":\"" CLAUDE "\",\"service_tier\":\"flex\",\"choices\":[{\"index\":0,"
        "\"message\":{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"hm no\",\"thinking_blocks\":["
        "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"sig\"},{\"type\":\"redacted_thinking\",\"data\":"
        "\"cmVk\"},{\"type\":\"thinking\",\"thinking\":\" no\"}],\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":[1]}\"}},{\"id\":\"t2\",\"type\":\"function\","
        "\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}");
    static const char *const reasons[][2] = {{"stop_sequence", "stop"},
                                             {"max_tokens", "length"},
                                             {"model_context_window_exceeded", "length"},
                                             {"guardrail_intervened", "content_filter"},
                                             {"content_filtered", "content_filter"},
                                             {"malformed_tool_use", "malformed_tool_use"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        char native[256], expected[512];
        snprintf(native, sizeof native, "{\"output\":{\"message\":{\"content\":[]}},\"stopReason\":\"%s\"}",
                 reasons[i][0]);
        snprintf(expected, sizeof expected, RESPONSE("{\"role\":\"assistant\",\"content\":null}", "%s"), reasons[i][1]);
        wire_check_reply(&chat, &wire_bedrock, native, expected);
    }
}

static void what_is_no_reply_is_corrupt(void **state) {
    (void)state;
    static const char *const natives[] = {"[]",
                                          "7",
                                          "null",
                                          "{}",
                                          "{\"output\":7}",
                                          "{\"output\":{\"message\":{\"content\":\"x\"}}}",
                                          "{\"embedding\":7}"};
    for (size_t i = 0; i < sizeof natives / sizeof *natives; i++) {
        json_t *json = json_loads(natives[i], JSON_DECODE_ANY, NULL);
        const wire_ask embedding = {.kind = CALL_EMBEDDING, .model = "m"};
        const json_t *usage;
        steno_error error;
        assert_null(wire_bedrock.reply(&chat, json, &usage, &error));
        assert_int_equal(error.status, STENO_CORRUPT);
        assert_null(wire_bedrock.reply(&embedding, json, &usage, &error));
        assert_int_equal(error.status, STENO_CORRUPT);
        json_decref(json);
    }
}

static void blocks_of_any_shape_do_no_harm(void **state) {
    (void)state;
    wire_check_reply(
        &chat, &wire_bedrock,
        "{\"output\":{\"message\":{\"content\":[7,null,[],{},{\"text\":7},{\"toolUse\":[]},"
        "{\"toolUse\":{\"name\":7,\"input\":\"x\"}},{\"reasoningContent\":7},{\"reasoningContent\":"
        "{\"reasoningText\":[],\"redactedContent\":{}}},{\"citationsContent\":{\"content\":[7]}}]}},"
        "\"stopReason\":\"end_turn\",\"usage\":7}",
        RESPONSE("{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"\",\"type\":\"function\","
                 "\"function\":{\"name\":\"\",\"arguments\":\"{}\"}}]}",
                 "stop"));
}

/* ---- streams ---- */

static void a_stream_becomes_the_same_as_a_reply(void **state) {
    (void)state;
    static const char *const records[] = {
        "messageStart\n{\"role\":\"assistant\",\"p\":\"abc\"}",
        "contentBlockDelta\n{\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"text\":\"h\"}}}",
        "contentBlockDelta\n{\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"text\":\"m\"}}}",
        "contentBlockDelta\n{\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"signature\":\"sig\"}}}",
        "contentBlockStop\n{\"contentBlockIndex\":0}",
        "contentBlockDelta\n{\"contentBlockIndex\":1,\"delta\":{\"reasoningContent\":{\"redactedContent\":\"cmVk\"}}}",
        "contentBlockStop\n{\"contentBlockIndex\":1}",
        "contentBlockDelta\n{\"contentBlockIndex\":2,\"delta\":{\"text\":\"Hel\"}}",
        "contentBlockDelta\n{\"contentBlockIndex\":2,\"delta\":{\"text\":\"lo\"}}",
        "contentBlockStop\n{\"contentBlockIndex\":2}",
        "contentBlockStart\n{\"contentBlockIndex\":3,\"start\":{\"toolUse\":{\"toolUseId\":\"t1\",\"name\":\"f\"}}}",
        "contentBlockDelta\n{\"contentBlockIndex\":3,\"delta\":{\"toolUse\":{\"input\":\"\"}}}",
        "contentBlockDelta\n{\"contentBlockIndex\":3,\"delta\":{\"toolUse\":{\"input\":\"{\\\"x\\\":\"}}}",
        "contentBlockDelta\n{\"contentBlockIndex\":3,\"delta\":{\"toolUse\":{\"input\":\"1}\"}}}",
        "contentBlockStop\n{\"contentBlockIndex\":3}",
        "contentBlockStart\n{\"contentBlockIndex\":4,\"start\":{\"toolUse\":{\"toolUseId\":\"t2\",\"name\":\"g\"}}}",
        "contentBlockDelta\n{\"contentBlockIndex\":4,\"delta\":{\"toolUse\":{\"input\":\"\"}}}",
        "contentBlockStop\n{\"contentBlockIndex\":4}",
        "somethingNew\n{\"a\":1}",
        "messageStop\n{\"stopReason\":\"tool_use\"}",
        "metadata\n{\"usage\":{\"inputTokens\":10,\"outputTokens\":5,\"totalTokens\":18,\"cacheReadInputTokens\":2,"
        "\"cacheWriteInputTokens\":1},\"metrics\":{\"latencyMs\":9},\"serviceTier\":{\"type\":\"priority\"}}",
        NULL};
    wire_check_stream(
        &chat, &wire_bedrock, records,
        "{\"id\":\"\",\"object\":\"chat.completion\",\"model\":\"" CLAUDE "\",\"service_tier\":\"priority\","
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello\",\"reasoning_content\":"
        "\"hm\",\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"sig\"},"
        "{\"type\":\"redacted_thinking\",\"data\":\"cmVk\"}],\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}},{\"id\":\"t2\",\"type\":\"function\","
        "\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}],"
        "\"usage\":{\"prompt_tokens\":13,\"completion_tokens\":5,\"total_tokens\":18,\"prompt_tokens_details\":"
        "{\"cached_tokens\":2,\"cache_write_tokens\":1}}}");
}

static void records_of_any_shape_do_no_harm(void **state) {
    (void)state;
    static const char *const records[] = {
        "messageStart\n{}",
        "contentBlockStart\n{\"contentBlockIndex\":0,\"start\":7}",
        "contentBlockStart\n{\"contentBlockIndex\":1,\"start\":{\"toolUse\":{\"type\":\"server_tool_use\"}}}",
        "contentBlockDelta\n{\"contentBlockIndex\":1,\"delta\":{\"toolUse\":{\"input\":\"{}\"}}}",
        "contentBlockStop\n{\"contentBlockIndex\":1}",
        "contentBlockDelta\n{\"contentBlockIndex\":255,\"delta\":[]}",
        "contentBlockDelta\n{\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{}}}",
        "contentBlockDelta\n{\"contentBlockIndex\":0,\"delta\":{\"toolUse\":{\"input\":{}}}}",
        "contentBlockSomething\n{\"contentBlockIndex\":0}",
        "\n{}",
        "messageStop\n{\"stopReason\":7}",
        "metadata\n{\"usage\":7}",
        NULL};
    wire_check_stream(&chat, &wire_bedrock, records,
                      "{\"id\":\"\",\"object\":\"chat.completion\",\"model\":\"" CLAUDE "\",\"choices\":[{\"index\":0,"
                      "\"message\":{\"role\":\"assistant\",\"content\":null},\"finish_reason\":\"stop\"}]}");
}

static void records_that_are_none_are_corrupt(void **state) {
    (void)state;
    static const wire_case cases[] = {
        {"contentBlockDelta\n[]", STENO_CORRUPT},
        {"contentBlockDelta\n7", STENO_CORRUPT},
        {"contentBlockDelta\n{}", STENO_CORRUPT},
        {"contentBlockDelta\n{\"contentBlockIndex\":-1}", STENO_CORRUPT},
        {"contentBlockDelta\n{\"contentBlockIndex\":256}", STENO_CORRUPT},
        {"contentBlockDelta\n{\"contentBlockIndex\":4294967296}", STENO_CORRUPT},
        {"contentBlockDelta\n{\"contentBlockIndex\":\"0\"}", STENO_CORRUPT},
    };
    wire_check_records(&chat, &wire_bedrock, cases, sizeof cases / sizeof *cases);
}

static void exceptions_are_failures_of_their_type(void **state) {
    (void)state;
    static const struct {
        const char *record, *type;
    } cases[] = {
        {"exception:throttlingException\n{\"message\":\"Too many requests\"}", "RateLimit"},
        {"exception:validationException\n{\"message\":\"bad\"}", "BadRequest"},
        {"exception:validationException\n{\"message\":\"Input is too long for requested model.\"}",
         "ContextWindowExceeded"},
        {"exception:internalServerException\n{\"message\":\"oh\"}", "InternalServer"},
        {"exception:modelStreamErrorException\n{\"message\":\"oh\",\"originalStatusCode\":500}", "InternalServer"},
        {"exception:serviceUnavailableException\n{}", "ServiceUnavailable"},
        {"exception:modelTimeoutException\n7", "Timeout"},
        {"exception:somethingNew\nnull", "InternalServer"},
        {"exception:\n[]", "InternalServer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const records[] = {"messageStart\n{\"role\":\"assistant\"}",
                                       "contentBlockDelta\n{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hel\"}}",
                                       cases[i].record, NULL};
        wire_check_stream_fails(&chat, &wire_bedrock, records, cases[i].type);
    }
}

/* ---- usage ---- */

static void usage_counts_the_cache_into_the_prompt(void **state) {
    (void)state;
    wire_check_usage(usage_from_bedrock,
                     "{\"inputTokens\":10,\"outputTokens\":5,\"totalTokens\":1045,\"cacheReadInputTokens\":1000,"
                     "\"cacheWriteInputTokens\":30,\"cacheDetails\":[{\"ttl\":\"5m\",\"inputTokens\":10},"
                     "{\"ttl\":\"1h\",\"inputTokens\":20}]}",
                     (int64_t[]){1040, 5, 1045, 1000, 30, 20, -1});
    wire_check_usage(usage_from_bedrock,
                     "{\"inputTokens\":1,\"outputTokens\":2,\"totalTokens\":3,\"cacheReadInputTokenCount\":0,"
                     "\"cacheWriteInputTokenCount\":0}",
                     (int64_t[]){1, 2, 3, 0, 0, -1, -1});
    wire_check_usage(usage_from_bedrock, "{\"inputTextTokenCount\":7}", (int64_t[]){7, -1, 7, -1, -1, -1, -1});
    wire_check_usage(usage_from_bedrock, "[]", (int64_t[]){-1, -1, -1, -1, -1, -1, -1});
}

/* ---- embeddings ---- */

static void titan_embeds_one_text(void **state) {
    (void)state;
    const wire_ask titan = {.kind = CALL_EMBEDDING, .model = "amazon.titan-embed-text-v2:0"};
    const wire_ask other = {.kind = CALL_EMBEDDING, .model = "cohere.embed-english-v3"};
    const wire_ask careless = {.kind = CALL_EMBEDDING, .model = "amazon.titan-embed-text-v2:0", .drop = true};
    wire_check_body(&titan, &wire_bedrock,
                    "{\"input\":\"a\",\"dimensions\":256,\"normalize\":true,\"encoding_format\":\"float\"}",
                    "{\"inputText\":\"a\",\"dimensions\":256,\"normalize\":true}");
    wire_check_body(&titan, &wire_bedrock, "{\"input\":[\"a\"]}", "{\"inputText\":\"a\"}");
    static const char *const wrong[] = {"{\"input\":[\"a\",\"b\"]}", "{\"input\":[]}", "{\"input\":[[1,2]]}",
                                        "{\"input\":7}", "{}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        wire_check_refused(&titan, &wire_bedrock, wrong[i], "one text");
        wire_check_refused(&careless, &wire_bedrock, wrong[i], "one text");
    }
    wire_check_refused(&other, &wire_bedrock, "{\"input\":\"a\"}", "titan");
    wire_check_refused(&titan, &wire_bedrock, "{\"input\":\"a\",\"encoding_format\":\"base64\"}", "encoding_format");

    json_t *native = json_loads("{\"embedding\":[0.5,1],\"inputTextTokenCount\":3}", 0, NULL);
    const json_t *usage = NULL;
    json_t *response = wire_bedrock.reply(&titan, native, &usage, NULL),
           *expected =
               json_loads("{\"object\":\"list\",\"model\":\"amazon.titan-embed-text-v2:0\",\"data\":[{\"object\":"
                          "\"embedding\",\"index\":0,\"embedding\":[0.5,1]}]}",
                          0, NULL);
    assert_true(json_equal(response, expected));
    assert_int_equal(json_object_size(usage), 1); /* without the vector */
    assert_int_equal(usage_from_bedrock(usage).prompt_tokens, 3);
    json_decref(response);
    json_decref(expected);
    json_decref(native);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_path_has_the_model_as_one_segment),
        cmocka_unit_test(system_prompts_stand_apart),
        cmocka_unit_test(parts_become_blocks),
        cmocka_unit_test(parts_without_a_counterpart_are_refused_or_dropped),
        cmocka_unit_test(roles_take_turns_and_thoughts_and_calls_go_back),
        cmocka_unit_test(parameters_have_their_places),
        cmocka_unit_test(parameters_without_a_counterpart_are_refused_or_dropped),
        cmocka_unit_test(a_schema_travels_as_text),
        cmocka_unit_test(tools_become_specifications),
        cmocka_unit_test(with_no_tool_wanted_tools_are_left_out_unless_the_messages_need_them),
        cmocka_unit_test(effort_is_said_in_the_models_own_way),
        cmocka_unit_test(thinking_leaves_room_for_an_answer),
        cmocka_unit_test(a_reply_becomes_a_message),
        cmocka_unit_test(what_is_no_reply_is_corrupt),
        cmocka_unit_test(blocks_of_any_shape_do_no_harm),
        cmocka_unit_test(a_stream_becomes_the_same_as_a_reply),
        cmocka_unit_test(records_of_any_shape_do_no_harm),
        cmocka_unit_test(records_that_are_none_are_corrupt),
        cmocka_unit_test(exceptions_are_failures_of_their_type),
        cmocka_unit_test(usage_counts_the_cache_into_the_prompt),
        cmocka_unit_test(titan_embeds_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
