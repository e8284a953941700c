/* Tests of client/cost.c and client/price_lookup.c: the cases of cost_cases.json, which were computed by hand, and the table built in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "client/prices.h"
#include "client/usage.h"

#define CASES STENO_SOURCE_DIR "/tests/unit/cost_cases.json"
/* Fewer are a file that was cut. */
#define CASES_MIN 120

static json_t *load(const char *path) {
    json_error_t detail;
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &detail);
    if (!json) fail_msg("%s, line %d: %s", path, detail.line, detail.text);
    return json;
}

static const char *text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static price_table *table_of(const json_t *prices) {
    char *text = json_dumps(prices, 0);
    price_table *table = NULL;
    steno_error error;
    if (price_table_parse("a case", text, strlen(text), NULL, &table, &error)) fail_msg("%s", error.message);
    free(text);
    return table;
}

static steno_usage usage_of(const json_t *a_case) {
    static const struct {
        const char *family;
        steno_usage (*normalise)(const json_t *raw);
    } families[] = {{"openai", usage_from_openai},       {"responses", usage_from_responses},
                    {"anthropic", usage_from_anthropic}, {"gemini", usage_from_gemini},
                    {"bedrock", usage_from_bedrock},     {"ollama", usage_from_ollama},
                    {"cohere", usage_from_cohere}};
    const char *family = text_of(a_case, "family");
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (strcmp(family, families[i].family)) continue;
        steno_usage usage = families[i].normalise(json_object_get(a_case, "usage"));
        usage_take_reply(&usage, json_object_get(a_case, "reply"));
        return usage;
    }
    fail_msg("%s: no such family: %s", text_of(a_case, "case"), family);
    return usage_unknown;
}

/* Nano-dollars, at most three decimals, as pico-dollars. */
static int64_t pico(const char *text) {
    char *end;
    int64_t whole = strtoll(text, &end, 10), part = 0;
    int64_t unit = 100;
    if (*end == '.')
        for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10) part += (*end - '0') * unit;
    if (*end) fail_msg("no number: %s", text);
    return whole * 1000 + part;
}

static bool is_named(const json_t *array, const char *name) {
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!strcmp(json_string_value(json_array_get(array, i)), name)) return true;
    return false;
}

static int wrong(const json_t *a_case, const char *what, const char *got) {
    print_error("%s: %s: %s\n", text_of(a_case, "case"), what, got);
    return 1;
}

static int check_items(const json_t *a_case, const steno_cost *cost) {
    const json_t *substituted = json_object_get(a_case, "substituted");
    int64_t sum = 0;
    size_t found = 0;
    for (size_t i = 0; i < cost->items_count; i++) {
        const steno_cost_item *item = &cost->items[i];
        sum += item->pico_dollars;
        if (item->pico_dollars != item->quantity * item->pico_dollars_each)
            return wrong(a_case, "product", item->component);
        if (item->substituted != is_named(substituted, item->component))
            return wrong(a_case, "parent's price", item->component);
        found += item->substituted;
    }
    if (found != json_array_size(substituted)) return wrong(a_case, "parents' prices", "not as many");
    return sum == cost->pico_dollars ? 0 : wrong(a_case, "sum", "not that of the items");
}

static int check_cost(const json_t *a_case, const steno_cost *cost) {
    char got[64];
    const char *tier = text_of(a_case, "tier"), *entry = text_of(a_case, "entry");
    int64_t above = json_integer_value(json_object_get(a_case, "above"));
    snprintf(got, sizeof got, "%lld pico-dollars", (long long)cost->pico_dollars);
    if (cost->pico_dollars != pico(text_of(a_case, "nano_dollars"))) return wrong(a_case, "cost", got);
    if (strcmp(cost->price_model, entry)) return wrong(a_case, "entry", cost->price_model);
    if (strcmp(price_tier_name(cost->tier), tier ? tier : "standard"))
        return wrong(a_case, "tier", price_tier_name(cost->tier));
    snprintf(got, sizeof got, "%lld", (long long)cost->above);
    if (cost->above != above) return wrong(a_case, "above", got);
    return check_items(a_case, cost);
}

/* Returns 1 if the case does not come out as it should. */
static int check(const json_t *a_case) {
    const char *unknown = text_of(a_case, "unknown"), *reported = text_of(a_case, "reported_nano_dollars");
    prices_view view = {.tables = {[PRICES_BUILT_IN] = table_of(json_object_get(a_case, "prices"))}};
    if (json_object_get(a_case, "own")) view.tables[PRICES_LAYER_OWN] = table_of(json_object_get(a_case, "own"));
    steno_cost_ask ask = STENO_COST_ASK_INIT;
    ask.provider = text_of(a_case, "provider");
    ask.model = text_of(a_case, "model");
    ask.answered_model = text_of(a_case, "answered");
    ask.region = text_of(a_case, "region");
    ask.search_context = text_of(a_case, "search_context_size");
    ask.usage = usage_of(a_case);
    steno_cost cost;
    steno_error error = {0};
    steno_status status = prices_cost(&view, &ask, &cost, &error);
    prices_release(&view);
    if (reported && ask.usage.reported_pico_dollars != pico(reported))
        return wrong(a_case, "reported", "another figure");
    if (!unknown) return status ? wrong(a_case, "no cost", error.message) : check_cost(a_case, &cost);
    if (!status) return wrong(a_case, "a cost where there is none", cost.price_model);
    steno_status expected = strcmp(unknown, "usage") ? STENO_NOT_FOUND : STENO_INVALID;
    return status == expected ? 0 : wrong(a_case, "unknown for another reason", error.message);
}

static void every_case_comes_out_as_by_hand(void **state) {
    (void)state;
    json_t *cases = load(CASES);
    int failed = 0;
    assert_true(json_array_size(cases) >= CASES_MIN);
    for (size_t i = 0; i < json_array_size(cases); i++) failed += check(json_array_get(cases, i));
    json_decref(cases);
    if (failed) fail_msg("%d cases", failed);
}

static steno_status built_in_cost(const char *provider, const char *model, steno_usage usage, steno_cost *cost) {
    steno_cost_ask ask = STENO_COST_ASK_INIT;
    ask.provider = provider;
    ask.model = model;
    ask.usage = usage;
    return steno_cost_of(NULL, &ask, cost, NULL);
}

static steno_usage tokens(int64_t prompt, int64_t completion, int64_t cached) {
    steno_usage usage = STENO_USAGE_UNKNOWN;
    usage.prompt_tokens = prompt;
    usage.completion_tokens = completion;
    usage.cached_tokens = cached;
    return usage;
}

/* Every row of the file can be priced, at a sane rate, and cached tokens are never dearer than others. */
static void every_entry_of_the_table_is_sane(void **state) {
    (void)state;
    json_t *table = load(STENO_SOURCE_DIR "/client/prices.json");
    const char *model;
    json_t *row;
    assert_true(json_object_size(table) > 80);
    json_object_foreach(table, model, row) {
        const char *provider = text_of(row, "litellm_provider");
        steno_cost whole, input, read;
        if (text_of(row, "base_model")) continue;
        if (built_in_cost(provider, model, tokens(1000, json_object_get(row, "output_cost_per_token") ? 1000 : 0, 0),
                          &whole) ||
            built_in_cost(provider, model, tokens(1000, 0, 0), &input) ||
            built_in_cost(provider, model, tokens(1000, 0, 1000), &read))
            fail_msg("%s has no price", model);
        char qualified[256];
        snprintf(qualified, sizeof qualified, "%s/%s", provider, model);
        if (strcmp(whole.price_model, model) && strcmp(whole.price_model, qualified))
            fail_msg("%s is priced as %s", model, whole.price_model);
        if (strlen(whole.price_date) != 10) fail_msg("%s: when was that true?", model);
        if (whole.pico_dollars < 0 || whole.pico_dollars > INT64_C(1000000000000) ||
            read.pico_dollars > input.pico_dollars)
            fail_msg("%s: %lld", model, (long long)whole.pico_dollars);
    }
    json_decref(table);
}

static double price_at(const json_t *row, const char *key) {
    const json_t *value = json_object_get(row, key);
    return value ? json_number_value(value) : -1;
}

/* The price of `key` is at least `least` and at most `most` times that of `other`, where the entry has both. */
static void expect_between(const char *model, const json_t *row, const char *key, const char *other, double least,
                           double most) {
    const double price = price_at(row, key), to = price_at(row, other);
    if (price < 0 || to <= 0) return;
    if (price < least * to * 0.999 || price > most * to * 1.001)
        fail_msg("%s: %s is %g, beside %s of %g", model, key, price, other, to);
}

/* A price per thousand or million, of another kind or with a digit too few stands out beside its neighbours. */
static void prices_of_an_entry_are_in_proportion(void **state) {
    (void)state;
    static const struct {
        const char *kind, *beside;
        double least, most;
    } kinds[] = {{"output_cost_per_token", "input_cost_per_token", 0.5, 20},
                 {"cache_read_input_token_cost", "input_cost_per_token", 0.005, 1},
                 {"cache_creation_input_token_cost", "input_cost_per_token", 1, 1.5},
                 {"cache_creation_input_token_cost_above_1hr", "input_cost_per_token", 1.5, 2.5}};
    static const struct {
        const char *suffix;
        double least, most;
    } variants[] = {{"_flex", 0.4, 0.7},
                    {"_batches", 0.4, 0.7},
                    {"_priority", 1, 2.6},
                    {"_above_100k_tokens", 1.2, 5},
                    {"_above_128k_tokens", 1.2, 2.1},
                    {"_above_200k_tokens", 1.2, 2.1},
                    {"_above_272k_tokens", 1.2, 2.1}};
    json_t *table = load(STENO_SOURCE_DIR "/client/prices.json"), *row;
    const char *model;
    json_object_foreach(table, model, row) {
        const bool embedding = !strcmp(text_of(row, "mode"), "embedding");
        for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
            char key[128], beside[128];
            if (kind || !embedding)
                expect_between(model, row, kinds[kind].kind, kinds[kind].beside, kinds[kind].least, kinds[kind].most);
            for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
                snprintf(key, sizeof key, "%s%s", kinds[kind].kind, variants[i].suffix);
                expect_between(model, row, key, kinds[kind].kind, variants[i].least, variants[i].most);
                snprintf(beside, sizeof beside, "%s%s", kinds[kind].beside, variants[i].suffix);
                if (kind || !embedding) expect_between(model, row, key, beside, kinds[kind].least, kinds[kind].most);
            }
        }
        if (embedding && price_at(row, "output_cost_per_token") > 0) fail_msg("%s: what does it complete?", model);
        if (embedding && !strstr(model, "embed") && !strstr(model, "ada") && !strstr(model, "bge"))
            fail_msg("%s: an embedding?", model);
    }
    json_decref(table);
}

/* Whether `dated` is `name` with the date of a snapshot, or -latest. */
static bool is_snapshot(const char *dated, const char *name) {
    const size_t size = strlen(name);
    if (strncmp(dated, name, size) != 0) return false;
    char form[16] = "";
    for (size_t i = 0; dated[size + i] && i + 1 < sizeof form; i++)
        form[i] = dated[size + i] >= '0' && dated[size + i] <= '9' ? 'd' : dated[size + i];
    return !strcmp(form, "-latest") || !strcmp(form, "-dddddddd") || !strcmp(form, "@dddddddd") ||
           !strcmp(form, "-dddd-dd-dd");
}

/* The same model at the same price is so in every tier, and for long prompts. */
static void a_snapshot_at_its_familys_price_has_all_of_its_prices(void **state) {
    (void)state;
    json_t *table = load(STENO_SOURCE_DIR "/client/prices.json"), *row, *other, *value;
    const char *model, *name, *key;
    json_object_foreach(table, model, row) {
        json_object_foreach(table, name, other) {
            if (!is_snapshot(model, name) ||
                strcmp(text_of(row, "litellm_provider"), text_of(other, "litellm_provider")) ||
                price_at(row, "input_cost_per_token") != price_at(other, "input_cost_per_token") ||
                price_at(row, "output_cost_per_token") != price_at(other, "output_cost_per_token"))
                continue;
            for (int back = 0; back < 2; back++) json_object_foreach(back ? other : row, key, value) {
                    if (json_is_number(value) && price_at(back ? row : other, key) != json_number_value(value))
                        fail_msg("%s and %s have not the same %s", model, name, key);
                }
        }
    }
    json_decref(table);
}

static void a_breakdown_names_prices_that_are_a_parents(void **state) {
    (void)state;
    static const char prices[] =
        "{\"m\":{\"input_cost_per_token\":2e-6,\"output_cost_per_token\":\"8e-6\",\"input_cost_per_token_flex\":1e-6}}";
    prices_view view = {0};
    assert_int_equal(price_table_parse("prices", prices, strlen(prices), NULL, &view.tables[PRICES_BUILT_IN], NULL),
                     STENO_OK);
    steno_cost_ask ask = STENO_COST_ASK_INIT;
    steno_cost cost;
    ask.model = "m";
    ask.usage = tokens(100, 7, 60);
    ask.usage.service_tier = STENO_TIER_FLEX;
    assert_int_equal(prices_cost(&view, &ask, &cost, NULL), STENO_OK);
    char *text = steno_cost_breakdown(&cost);
    assert_string_equal(text, "{\"input\":[40,1000000],\"cache_read\":[60,1000000,\"input_cost_per_token_flex\"],"
                              "\"output\":[7,8000000]}");
    free(text);
    prices_release(&view);
}

static void names_of_providers_are_compared_without_regard_to_case(void **state) {
    (void)state;
    static const struct {
        const char *provider, *model, *entry;
    } cases[] = {{"OpenAI", "GPT-4o", "gpt-4o"},
                 {NULL, "OpenAI/gpt-4o", "gpt-4o"},
                 {"Azure", "gpt-4o", "azure/gpt-4o"},
                 {"Vertex_AI", "gemini-2.5-pro", "vertex_ai/gemini-2.5-pro"},
                 {"Together", "Qwen/Qwen3-235B-A22B-fp8-tput", "together_ai/Qwen/Qwen3-235B-A22B-fp8-tput"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        steno_cost cost;
        if (built_in_cost(cases[i].provider, cases[i].model, tokens(1, 1, 0), &cost))
            fail_msg("%s has no price", cases[i].model);
        assert_string_equal(cost.price_model, cases[i].entry);
    }
}

static void digits_that_are_no_date_make_no_snapshot(void **state) {
    (void)state;
    static const char *const others[] = {"gpt-4o-99999999", "gpt-4o-2024-13-01", "gpt-4o@20241200", "gpt-4o-10240101"};
    steno_cost cost;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (built_in_cost("openai", others[i], tokens(1, 1, 0), &cost) != STENO_NOT_FOUND)
            fail_msg("%s is priced as %s", others[i], cost.price_model);
    assert_int_equal(built_in_cost("openai", "gpt-4o-2026-12-31", tokens(1, 1, 0), &cost), STENO_OK);
}

static void more_than_64_bits_hold_is_no_cost(void **state) {
    (void)state;
    steno_cost cost;
    assert_int_equal(built_in_cost("openai", "gpt-4o-mini", tokens(INT64_MAX / 2, 0, 0), &cost), STENO_INVALID);
    assert_int_equal(
        built_in_cost("openai", "gpt-4o-mini", tokens(INT64_C(50000000000000), INT64_C(10000000000000), 0), &cost),
        STENO_INVALID);
    assert_int_equal(built_in_cost("openai", "gpt-4o-mini", tokens(10, -7, 0), &cost), STENO_INVALID);
}

static void regions_are_read_from_hosts(void **state) {
    (void)state;
    char region[32];
    assert_true(
        prices_region("bedrock", "https://bedrock-runtime.eu-central-1.amazonaws.com/model/x/converse", region));
    assert_string_equal(region, "eu-central-1");
    assert_true(prices_region("openai", "https://eu.api.openai.com/v1/chat/completions", region));
    assert_string_equal(region, "eu");
    assert_false(prices_region("openai", "https://api.openai.com/v1", region));
    assert_false(prices_region("groq", "https://eu.api.openai.com/v1", region));
    assert_false(prices_region("bedrock", "https://bedrock-runtime.evil.example/.amazonaws.com", region));
    assert_false(prices_region(NULL, NULL, region));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_comes_out_as_by_hand),
        cmocka_unit_test(every_entry_of_the_table_is_sane),
        cmocka_unit_test(prices_of_an_entry_are_in_proportion),
        cmocka_unit_test(a_snapshot_at_its_familys_price_has_all_of_its_prices),
        cmocka_unit_test(a_breakdown_names_prices_that_are_a_parents),
        cmocka_unit_test(names_of_providers_are_compared_without_regard_to_case),
        cmocka_unit_test(digits_that_are_no_date_make_no_snapshot),
        cmocka_unit_test(more_than_64_bits_hold_is_no_cost),
        cmocka_unit_test(regions_are_read_from_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
