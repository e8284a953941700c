/* Tests of client/usage.c: the rule table, a row a family, with the numbers in the shape in which each provider really sends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/usage.h"
#include "tests/unit/wire_check.h"

/* prompt, completion, total, cached, cache_write, cache_write_1h, reasoning; -1: unknown */

static const struct {
    steno_usage (*normalise)(const json_t *raw);
    const char *raw;
    int64_t expected[7];
} rows[] = {
    /* OpenAI: cached is inside of prompt, reasoning inside of completion */
    {usage_from_openai,
     "{\"prompt_tokens\":2006,\"completion_tokens\":300,\"total_tokens\":2306,\"prompt_tokens_details\":{\"cached_"
     "tokens\":1920,\"audio_tokens\":0},"
     "\"completion_tokens_details\":{\"reasoning_tokens\":256,\"accepted_prediction_tokens\":0}}",
     {2006, 300, 2306, 1920, -1, -1, 256}},
    {usage_from_openai, "{\"prompt_tokens\":7,\"completion_tokens\":3}", {7, 3, 10, -1, -1, -1, -1}},
    /* DeepSeek names what its cache gave, and what it did not */
    {usage_from_openai,
     "{\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120,\"prompt_cache_hit_tokens\":64,\"prompt_"
     "cache_miss_tokens\":36}",
     {100, 20, 120, 64, -1, -1, -1}},
    /* xAI counts reasoning beside the completion */
    {usage_from_openai,
     "{\"prompt_tokens\":32,\"completion_tokens\":9,\"total_tokens\":141,\"completion_tokens_details\":{\"reasoning_"
     "tokens\":100}}",
     {32, 109, 141, -1, -1, -1, 100}},
    {usage_from_responses,
     "{\"input_tokens\":1500,\"input_tokens_details\":{\"cached_tokens\":1024,\"cache_write_tokens\":300},\"output_"
     "tokens\":80,"
     "\"output_tokens_details\":{\"reasoning_tokens\":64},\"total_tokens\":1580}",
     {1500, 80, 1580, 1024, 300, -1, 64}},
    /* Anthropic: input_tokens leaves out the cache */
    {usage_from_anthropic,
     "{\"input_tokens\":21,\"cache_creation_input_tokens\":188,\"cache_read_input_tokens\":2000,\"cache_creation\":{"
     "\"ephemeral_5m_input_tokens\":88,"
     "\"ephemeral_1h_input_tokens\":100},\"output_tokens\":393,\"service_tier\":\"standard\"}",
     {2209, 393, 2602, 2000, 188, 100, -1}},
    {usage_from_anthropic, "{\"input_tokens\":10,\"output_tokens\":2}", {10, 2, 12, -1, -1, -1, -1}},
    /* Gemini: thoughts are not among the candidates' */
    {usage_from_gemini,
     "{\"promptTokenCount\":50,\"cachedContentTokenCount\":30,\"candidatesTokenCount\":10,\"thoughtsTokenCount\":200,"
     "\"toolUsePromptTokenCount\":5,"
     "\"totalTokenCount\":265}",
     {55, 210, 265, 30, -1, -1, 200}},
    {usage_from_gemini,
     "{\"promptTokenCount\":5,\"thoughtsTokenCount\":40,\"totalTokenCount\":45}",
     {5, 40, 45, -1, -1, -1, 40}},
    {usage_from_bedrock,
     "{\"inputTokens\":100,\"outputTokens\":50,\"totalTokens\":1750,\"cacheReadInputTokens\":1000,"
     "\"cacheWriteInputTokens\":600,"
     "\"cacheDetails\":[{\"ttl\":\"5m\",\"inputTokens\":200},{\"ttl\":\"1h\",\"inputTokens\":400}]}",
     {1700, 50, 1750, 1000, 600, 400, -1}},
    {usage_from_bedrock,
     "{\"inputTokens\":1,\"outputTokens\":2,\"totalTokens\":7,\"cacheReadInputTokenCount\":4}",
     {5, 2, 7, 4, -1, -1, -1}},
    {usage_from_ollama,
     "{\"prompt_eval_count\":26,\"eval_count\":298,\"eval_duration\":4709213000}",
     {26, 298, 324, -1, -1, -1, -1}},
    {usage_from_ollama, "{\"eval_count\":298}", {-1, 298, -1, -1, -1, -1, -1}}, /* the prompt was in its cache */
    /* Cohere: what is billed, not what was counted */
    {usage_from_cohere,
     "{\"billed_units\":{\"input_tokens\":17,\"output_tokens\":12},\"tokens\":{\"input_tokens\":215,\"output_tokens\":"
     "15},\"cached_tokens\":16}",
     {17, 12, 29, 16, -1, -1, -1}},
    /* nonsense is unknown, never zero */
    {usage_from_openai,
     "{\"prompt_tokens\":-3,\"completion_tokens\":\"7\",\"total_tokens\":1e30}",
     {-1, -1, -1, -1, -1, -1, -1}},
    {usage_from_gemini, "[]", {-1, -1, -1, -1, -1, -1, -1}},
    {usage_from_openai, "null", {-1, -1, -1, -1, -1, -1, -1}},
    {usage_from_openai, "{\"prompt_tokens\":9,\"total_tokens\":9}", {9, -1, 9, -1, -1, -1, -1}},
    {usage_from_openai,
     "{\"prompt_tokens\":10,\"completion_tokens\":0,\"prompt_tokens_details\":{\"cached_tokens\":0}}",
     {10, 0, 10, 0, -1, -1, -1}},
};

static void each_family_follows_its_rule(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        wire_check_usage(rows[i].normalise, rows[i].raw, rows[i].expected);
}

/* What a price is computed from: parts are never more than the whole. */
static void parts_are_within_their_whole(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int64_t *n = rows[i].expected;
        int64_t cache = (n[3] > 0 ? n[3] : 0) + (n[4] > 0 ? n[4] : 0);
        assert_true(n[0] < 0 || cache <= n[0]);
        assert_true(n[5] <= n[4] || n[5] < 0);
        assert_true(n[1] < 0 || n[6] <= n[1]);
    }
}

static void openai_shaped_again_it_says_the_same(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *raw = json_loads(rows[i].raw, 0, NULL);
        steno_usage usage = rows[i].normalise(raw);
        json_t *shaped = usage_to_openai(&usage);
        steno_usage again = usage_from_openai(shaped);
        assert_memory_equal(&usage, &again, sizeof usage);
        json_decref(shaped);
        json_decref(raw);
    }
}

/* What costs depend on beside the counts of every reply: raw, and the same in OpenAI's shape; tier, context, fast, in the US, reported. */
static const struct {
    steno_usage (*normalise)(const json_t *raw);
    const char *raw, *shaped;
    steno_service_tier tier;
    steno_search_context context;
    bool fast, in_us;
    int64_t reported;
} details[] = {
    {usage_from_gemini,
     "{\"promptTokenCount\":100,\"cachedContentTokenCount\":40,\"promptTokensDetails\":[{\"modality\":\"TEXT\","
     "\"tokenCount\":60},{\"modality\":\"AUDIO\",\"tokenCount\":30},{\"modality\":\"IMAGE\",\"tokenCount\":10}],"
     "\"cacheTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":20}],\"candidatesTokenCount\":9,"
     "\"candidatesTokensDetails\":[{\"modality\":\"IMAGE\",\"tokenCount\":4},{\"modality\":\"IMAGE\","
     "\"tokenCount\":3}],\"trafficType\":\"ON_DEMAND_FLEX\"}",
     "{\"prompt_tokens\":100,\"completion_tokens\":9,\"total_tokens\":109,\"prompt_tokens_details\":{"
     "\"cached_tokens\":40,\"cached_audio_tokens\":20,\"audio_tokens\":30,\"image_tokens\":10},"
     "\"completion_tokens_details\":{\"image_tokens\":7}}",
     STENO_TIER_FLEX, STENO_SEARCH_UNKNOWN, false, false, -1},
    {usage_from_anthropic,
     "{\"input_tokens\":1,\"output_tokens\":2,\"server_tool_use\":{\"web_search_requests\":3},\"service_tier\":"
     "\"batch\",\"speed\":\"fast\",\"inference_geo\":\"us\"}",
     "{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3,\"server_tool_use\":{\"web_search_requests\":"
     "3}}",
     STENO_TIER_BATCH, STENO_SEARCH_UNKNOWN, true, true, -1},
    /* compacting is billed beside the reply's own numbers */
    {usage_from_anthropic,
     "{\"input_tokens\":10,\"output_tokens\":5,\"service_tier\":\"standard\",\"iterations\":[{\"type\":"
     "\"compaction\",\"input_tokens\":1000,\"output_tokens\":100},{\"type\":\"message\",\"input_tokens\":10,"
     "\"output_tokens\":5}]}",
     "{\"prompt_tokens\":1010,\"completion_tokens\":105,\"total_tokens\":1115}", STENO_TIER_STANDARD,
     STENO_SEARCH_UNKNOWN, false, false, -1},
    /* OpenRouter's dollars, and what one's own key pays beside them */
    {usage_from_openai,
     "{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3,\"cost\":0.000012,\"is_byok\":true,"
     "\"cost_details\":{\"upstream_inference_cost\":0.00024}}",
     "{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}", STENO_TIER_STANDARD, STENO_SEARCH_UNKNOWN,
     false, false, 252000000},
    /* xAI's ticks */
    {usage_from_openai,
     "{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3,\"cost_in_usd_ticks\":37756000}",
     "{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}", STENO_TIER_STANDARD, STENO_SEARCH_UNKNOWN,
     false, false, INT64_C(3775600000)},
    /* Perplexity: a request has searched, at its context's price */
    {usage_from_openai,
     "{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3,\"search_context_size\":\"low\",\"cost\":{"
     "\"total_cost\":0.005}}",
     "{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3,\"server_tool_use\":{\"web_search_requests\":"
     "1}}",
     STENO_TIER_STANDARD, STENO_SEARCH_LOW, false, false, INT64_C(5000000000)},
};

static void what_costs_depend_on_is_kept(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof details / sizeof *details; i++) {
        json_t *raw = json_loads(details[i].raw, 0, NULL);
        assert_non_null(raw);
        steno_usage usage = details[i].normalise(raw);
        json_t *shaped = usage_to_openai(&usage);
        char *text = json_dumps(shaped, JSON_COMPACT);
        assert_string_equal(text, details[i].shaped);
        assert_int_equal(usage.service_tier, details[i].tier);
        assert_int_equal(usage.search_context, details[i].context);
        assert_true(usage.fast == details[i].fast && usage.in_us == details[i].in_us);
        assert_true(usage.reported_pico_dollars == details[i].reported);
        free(text);
        json_decref(shaped);
        json_decref(raw);
    }
}

static void an_event_keeps_all_of_it(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof details / sizeof *details; i++) {
        json_t *raw = json_loads(details[i].raw, 0, NULL);
        steno_usage usage = details[i].normalise(raw);
        steno_draft *draft = steno_draft_new();
        const void *body;
        size_t size;
        steno_event *event;
        steno_draft_start(draft);
        steno_draft_string(draft, "event", "test.usage");
        usage_write(draft, &usage, raw);
        assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
        assert_int_equal(steno_event_decode(body, size, &event, NULL), STENO_OK);
        steno_usage again = usage_from_event(steno_event_get(event, "usage"));
        assert_memory_equal(&usage, &again, sizeof usage);
        steno_event_free(event);
        steno_draft_free(draft);
        json_decref(raw);
    }
}

static void a_reply_says_its_tier_and_its_tools(void **state) {
    (void)state;
    json_t *reply = json_loads("{\"service_tier\":\"flex\",\"server_tool_use\":{\"web_search_requests\":2,"
                               "\"file_search_requests\":1,\"code_interpreter_sessions\":1}}",
                               0, NULL);
    steno_usage usage = usage_unknown;
    usage_take_reply(&usage, reply);
    assert_int_equal(usage.service_tier, STENO_TIER_FLEX);
    assert_int_equal(usage.web_searches, 2);
    assert_int_equal(usage.file_searches, 1);
    assert_int_equal(usage.code_sessions, 1);
    json_decref(reply);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_family_follows_its_rule),
        cmocka_unit_test(parts_are_within_their_whole),
        cmocka_unit_test(openai_shaped_again_it_says_the_same),
        cmocka_unit_test(what_costs_depend_on_is_kept),
        cmocka_unit_test(an_event_keeps_all_of_it),
        cmocka_unit_test(a_reply_says_its_tier_and_its_tools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
