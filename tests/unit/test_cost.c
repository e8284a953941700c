/* Tests of client/cost.c: figures computed by hand, from the prices in client/prices.json, in pico-dollars. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "client/cost.h"

#define NO STENO_UNKNOWN
#define UNKNOWN (-1) /* no price */
#define WRONG (-2)   /* usage that can't be priced */

static const struct {
    const char *what, *provider, *model;
    int64_t prompt, completion, cached, written, written_1h, reasoning;
    int64_t expected;
} cases[] = {
    /* gpt-4o-mini: 0.15 in, 0.60 out, 0.075 cached, dollars a million = 150000, 600000, 75000 pico-dollars a token */
    {"input and output", "openai", "gpt-4o-mini", 1000, 500, NO, NO, NO, NO, 1000 * 150000 + 500 * 600000},
    {"one token", "openai", "gpt-4o-mini", 1, 0, NO, NO, NO, NO, 150000},
    {"nothing at all", "openai", "gpt-4o-mini", 0, 0, NO, NO, NO, NO, 0},
    {"no provider given", NULL, "gpt-4o-mini", 1, 1, NO, NO, NO, NO, 750000},
    {"cached is part of the prompt", "openai", "gpt-4o-mini", 1000, 0, 600, NO, NO, NO, 400 * 150000 + 600 * 75000},
    {"all cached", "openai", "gpt-4o-mini", 1000, 0, 1000, NO, NO, NO, 1000 * 75000},
    {"zero cached is known", "openai", "gpt-4o-mini", 10, 0, 0, 0, 0, 0, 10 * 150000},
    {"reasoning is part of the completion", "openai", "o4-mini", 100, 50, NO, NO, NO, 40,
     100 * INT64_C(1100000) + 50 * INT64_C(4400000)},
    {"a dated snapshot", "openai", "gpt-4o-mini-2024-07-18", 10, 0, NO, NO, NO, NO, 1500000},
    {"a snapshot with its own price", "openai", "gpt-4o-2024-05-13", 10, 0, NO, NO, NO, NO, 10 * INT64_C(5000000)},
    {"its family", "openai", "gpt-4o-2024-11-20", 10, 0, NO, NO, NO, NO, 10 * INT64_C(2500000)},
    {"the provider's prefix", "openai", "openai/gpt-4o-mini", 10, 0, NO, NO, NO, NO, 1500000},
    {"prefix and snapshot", NULL, "openai/gpt-4o-mini-2024-07-18", 10, 0, NO, NO, NO, NO, 1500000},
    {"gpt-4.1", "openai", "gpt-4.1", 1000, 100, NO, NO, NO, NO, 1000 * INT64_C(2000000) + 100 * INT64_C(8000000)},
    {"gpt-5", "openai", "gpt-5", 1000, 100, NO, NO, NO, NO, 1000 * INT64_C(1250000) + 100 * INT64_C(10000000)},
    {"written by gpt-5.6 costs 1.25 times", "openai", "gpt-5.6", 100, 0, 0, 100, NO, NO, 100 * INT64_C(6250000)},
    {"272k tier: at the threshold the base holds", "openai", "gpt-5.6", 272000, 1, NO, NO, NO, NO,
     272000 * INT64_C(5000000) + INT64_C(30000000)},
    {"272k tier: one token above re-prices all", "openai", "gpt-5.6", 272001, 1, NO, NO, NO, NO,
     272001 * INT64_C(10000000) + INT64_C(45000000)},
    {"the tier counts cached tokens", "openai", "gpt-5.6", 300000, 0, 300000, NO, NO, NO, 300000 * INT64_C(1000000)},
    /* claude-sonnet-4-5: 3 in, 15 out, 0.30 read, 3.75 and 6 written */
    {"Claude", "anthropic", "claude-sonnet-4-5", 1000, 100, NO, NO, NO, NO,
     1000 * INT64_C(3000000) + 100 * INT64_C(15000000)},
    {"Claude's snapshot", "anthropic", "claude-sonnet-4-5-20250929", 1, 0, NO, NO, NO, NO, 3000000},
    {"Claude's cache, each part at its price", "anthropic", "claude-sonnet-4-5", 1000, 10, 500, 300, 100, NO,
     200 * INT64_C(3000000) + 500 * INT64_C(300000) + 200 * INT64_C(3750000) + 100 * INT64_C(6000000) +
         10 * INT64_C(15000000)},
    {"all of it written for an hour", "anthropic", "claude-opus-5", 100, 0, 0, 100, 100, NO, 100 * INT64_C(10000000)},
    {"Claude's 200k tier", "anthropic", "claude-sonnet-4-5", 200001, 1, NO, NO, NO, NO,
     200001 * INT64_C(6000000) + INT64_C(22500000)},
    {"the 1-hour price of the tier", "anthropic", "claude-sonnet-4-5", 200001, 0, 0, 200001, 200001, NO,
     200001 * INT64_C(12000000)},
    {"Haiku 5.5 below 100k", "anthropic", "claude-haiku-5-5", 100000, 0, NO, NO, NO, NO, 100000 * INT64_C(100000)},
    {"Haiku 5.5 above 100k", "anthropic", "claude-haiku-5-5", 100001, 0, NO, NO, NO, NO, 100001 * INT64_C(500000)},
    {"a price below one nano-dollar", "anthropic", "claude-haiku-5-5", 1, 0, 1, NO, NO, NO, 10000},
    /* gemini-2.5-pro: 1.25 in, 10 out, 0.125 read; doubled above 200k, output 15 */
    {"Gemini", "gemini", "gemini-2.5-pro", 100, 10, NO, NO, NO, NO, 100 * INT64_C(1250000) + 10 * INT64_C(10000000)},
    {"Gemini at 200k", "gemini", "gemini-2.5-pro", 200000, 0, NO, NO, NO, NO, 200000 * INT64_C(1250000)},
    {"Gemini above 200k", "gemini", "gemini-2.5-pro", 200001, 10, 1, NO, NO, NO,
     200000 * INT64_C(2500000) + 250000 + 10 * INT64_C(15000000)},
    {"written without a price of its own costs as input", "gemini", "gemini-2.5-pro", 100, 0, 0, 40, 40, NO,
     100 * INT64_C(1250000)},
    {"cached without a price of its own costs as input", "openai", "gpt-4", 100, 0, 100, NO, NO, NO,
     100 * INT64_C(30000000)},
    {"an embedding needs no completion", "openai", "text-embedding-3-small", 1000, NO, NO, NO, NO, NO, 1000 * 20000},
    {"a large embedding", "openai", "text-embedding-3-large", 7, 0, NO, NO, NO, NO, 7 * 130000},
    {"unknown model", "openai", "gpt-99", 10, 10, NO, NO, NO, NO, UNKNOWN},
    {"no fuzzy guess by prefix", "openai", "gpt-4o-mini-turbo", 10, 10, NO, NO, NO, NO, UNKNOWN},
    {"no fuzzy guess by case", "openai", "GPT-4o-mini", 10, 10, NO, NO, NO, NO, UNKNOWN},
    {"half a date is none", "openai", "gpt-4o-mini-2024-07", 10, 10, NO, NO, NO, NO, UNKNOWN},
    {"nothing but a date", "openai", "-2024-07-18", 10, 10, NO, NO, NO, NO, UNKNOWN},
    {"the same name at another provider", "openrouter", "gpt-4o-mini", 10, 10, NO, NO, NO, NO, UNKNOWN},
    {"another provider's prefix", "groq", "openai/gpt-4o-mini", 10, 10, NO, NO, NO, NO, UNKNOWN},
    {"empty model", "openai", "", 10, 10, NO, NO, NO, NO, UNKNOWN},
    {"no prompt tokens", "openai", "gpt-4o-mini", NO, 10, NO, NO, NO, NO, WRONG},
    {"no completion tokens", "openai", "gpt-4o-mini", 10, NO, NO, NO, NO, NO, WRONG},
    {"more cached than prompt", "openai", "gpt-4o-mini", 10, 0, 11, NO, NO, NO, WRONG},
    {"cached and written are more than the prompt", "openai", "gpt-5.6", 10, 0, 6, 5, NO, NO, WRONG},
    {"more written for an hour than written", "anthropic", "claude-opus-5", 10, 0, 0, 4, 5, NO, WRONG},
    {"more reasoning than completion", "openai", "o3", 10, 5, NO, NO, NO, 6, WRONG},
    {"negative counts", "openai", "gpt-4o-mini", 10, -7, NO, NO, NO, NO, WRONG},
    {"more than 64 bits hold", "openai", "o3", INT64_MAX / 2, 0, NO, NO, NO, NO, WRONG},
    {"a sum of more than 64 bits", "openai", "gpt-4o-mini", INT64_C(50000000000000), INT64_C(10000000000000), NO, NO,
     NO, NO, WRONG},
};

static void figures_are_exact(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const steno_usage usage = {.prompt_tokens = cases[i].prompt,
                                   .completion_tokens = cases[i].completion,
                                   .total_tokens = NO,
                                   .cached_tokens = cases[i].cached,
                                   .cache_write_tokens = cases[i].written,
                                   .cache_write_1h_tokens = cases[i].written_1h,
                                   .reasoning_tokens = cases[i].reasoning};
        int64_t got = 0;
        steno_error error = {0};
        steno_status status = steno_cost_of(cases[i].provider, cases[i].model, &usage, &got, &error);
        steno_status expected = cases[i].expected == UNKNOWN ? STENO_NOT_FOUND
                                : cases[i].expected == WRONG ? STENO_INVALID
                                                             : STENO_OK;
        if (status != expected) fail_msg("%s: status %d: %s", cases[i].what, status, error.message);
        if (!expected && got != cases[i].expected)
            fail_msg("%s: %lld instead of %lld", cases[i].what, (long long)got, (long long)cases[i].expected);
    }
}

static void the_entry_that_was_used_is_named(void **state) {
    (void)state;
    const steno_usage usage = {1, 1, NO, NO, NO, NO, NO};
    cost_figure figure;
    assert_int_equal(cost_compute("openai", "gpt-4o-mini-2024-07-18", &usage, &figure, NULL), STENO_OK);
    assert_string_equal(figure.price_model, "gpt-4o-mini");
    assert_int_equal(strlen(figure.price_date), 10);
}

/* Every row of the file can be priced, at a sane rate, and cached tokens are never dearer than others. */
static void every_entry_of_the_table_is_sane(void **state) {
    (void)state;
    json_error_t detail;
    json_t *table = json_load_file(STENO_SOURCE_DIR "/client/prices.json", JSON_REJECT_DUPLICATES, &detail);
    if (!table) fail_msg("%s, line %d", detail.text, detail.line);
    assert_true(json_object_size(table) > 80);
    const char *model;
    json_t *row;
    json_object_foreach(table, model, row) {
        const steno_usage plain = {1000, 1000, NO, NO, NO, NO, NO}, embedding = {1000, 0, NO, NO, NO, NO, NO};
        const steno_usage cached = {1000, 0, NO, 1000, NO, NO, NO};
        const char *provider = json_string_value(json_object_get(row, "litellm_provider"));
        bool is_embedding = !strcmp(json_string_value(json_object_get(row, "mode")), "embedding");
        int64_t whole, input, read;
        steno_error error;
        if (steno_cost_of(provider, model, is_embedding ? &embedding : &plain, &whole, &error) ||
            steno_cost_of(provider, model, &embedding, &input, &error) ||
            steno_cost_of(provider, model, &cached, &read, &error))
            fail_msg("%s: %s", model, error.message);
        if (whole <= 0 || whole > INT64_C(1000000000000) || read > input) fail_msg("%s: %lld", model, (long long)whole);
    }
    json_decref(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_exact),
        cmocka_unit_test(the_entry_that_was_used_is_named),
        cmocka_unit_test(every_entry_of_the_table_is_sane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
