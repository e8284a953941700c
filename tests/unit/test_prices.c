/* Tests of client/prices.c and client/price_table.c: the files of a folder, and what happens when they change or are damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/prices.h"

static char folder[64];

static int set_up(void **state) {
    (void)state;
    char path[128];
    strcpy(folder, "/tmp/steno-prices-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/prices", folder);
    return mkdir(path, 0700);
}

static int clean_up(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) != 0;
}

/* Another file in place of the old one, as an editor or an import puts it there. */
static void put(const char *name, const char *text) {
    char path[128], ready[140];
    snprintf(path, sizeof path, "%s/prices/%s", folder, name);
    snprintf(ready, sizeof ready, "%s.new", path);
    FILE *file = fopen(ready, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(ready, path), 0);
}

static steno_prices *open_prices(void) {
    steno_prices *prices;
    steno_error error;
    if (steno_prices_open(folder, &prices, &error)) fail_msg("%s", error.message);
    return prices;
}

/* The cost of one token of input, in pico-dollars, and whose price it is; -1: unknown. */
static int64_t price_of(steno_prices *prices, const char *model, steno_cost *cost) {
    steno_cost_ask ask = STENO_COST_ASK_INIT;
    ask.provider = "openai";
    ask.model = model;
    ask.usage.prompt_tokens = 1;
    ask.usage.completion_tokens = 0;
    return steno_cost_of(prices, &ask, cost, NULL) ? -1 : cost->pico_dollars;
}

/* Waits until the files are looked at again. */
static void wait_for_look(steno_prices *prices) {
    for (int i = 0; i < 500 && !steno_prices_refresh(prices); i++) usleep(10000);
}

static void the_users_own_come_before_imported_ones_and_those_before_built_in_ones(void **state) {
    (void)state;
    steno_cost cost;
    steno_prices *prices = open_prices();
    assert_int_equal(price_of(prices, "gpt-4o-mini", &cost), 150000);
    assert_string_equal(cost.price_source, "built-in");
    steno_prices_free(prices);
    put("imported.json", "{\"_import\":{\"source\":\"x\",\"imported\":\"2026-10-01T10:00:00Z\"},"
                         "\"gpt-4o-mini\":{\"litellm_provider\":\"openai\",\"input_cost_per_token\":1e-6},"
                         "\"gpt-4o-mini-2024-07-18\":{\"litellm_provider\":\"openai\",\"input_cost_per_token\":2e-6}}");
    prices = open_prices();
    assert_int_equal(price_of(prices, "gpt-4o-mini", &cost), 1000000);
    assert_string_equal(cost.price_source, "imported");
    assert_string_equal(cost.price_date, "2026-10-01");
    assert_int_equal(price_of(prices, "gpt-4o-mini-2024-07-18", &cost), 2000000);
    steno_prices_free(prices);
    /* Under every name that the model may go by. */
    put("own.json", "{\"gpt-4o-mini\":{\"input_cost_per_token\":5e-6}}");
    prices = open_prices();
    assert_int_equal(price_of(prices, "gpt-4o-mini-2024-07-18", &cost), 5000000);
    assert_string_equal(cost.price_source, "own");
    steno_prices_free(prices);
}

static void a_change_is_noticed_and_damage_leaves_what_was_there(void **state) {
    (void)state;
    steno_cost cost;
    steno_error error;
    put("own.json", "{\"mine\":{\"input_cost_per_token\":1e-6}}");
    steno_prices *prices = open_prices();
    assert_int_equal(price_of(prices, "mine", &cost), 1000000);
    put("own.json", "{\"mine\":{\"input_cost_per_token\":2e-6}}");
    wait_for_look(prices);
    assert_int_equal(price_of(prices, "mine", &cost), 2000000);
    put("own.json", "{\"mine\":{\"input_cost");
    for (int i = 0; i < 500 && !steno_prices_problem(prices, &error); i++) {
        usleep(10000);
        steno_prices_refresh(prices);
    }
    assert_true(steno_prices_problem(prices, &error));
    assert_non_null(strstr(error.message, "own.json, line 1"));
    assert_int_equal(price_of(prices, "mine", &cost), 2000000);
    put("own.json", "{\"mine\":{\"input_cost_per_token\":3e-6}}");
    wait_for_look(prices);
    assert_false(steno_prices_problem(prices, NULL));
    assert_int_equal(price_of(prices, "mine", &cost), 3000000);
    steno_prices_free(prices);
}

/* What a listener heard. */
typedef struct heard {
    char text[512];
} heard;

static void on_ignored(const char *model, const char *key, void *ctx) {
    heard *self = ctx;
    size_t size = strlen(self->text);
    snprintf(self->text + size, sizeof self->text - size, "%s ignores %s; ", model, key);
}

static void on_invalid(const char *model, const char *why, void *ctx) {
    heard *self = ctx;
    size_t size = strlen(self->text);
    snprintf(self->text + size, sizeof self->text - size, "%s: %s; ", model, why);
}

static void what_is_not_understood_is_told(void **state) {
    (void)state;
    heard ear = {""};
    const price_listener listener = {on_ignored, on_invalid, &ear};
    static const char text[] =
        "{\"sample_spec\":{\"input_cost_per_token\":\"a number\"},"
        "\"a\":{\"input_cost_per_token\":1e-6,\"input_cost_per_pixel\":1,\"max_tokens\":9,"
        "\"input_cost_per_token_above_x\":1},"
        "\"b\":{\"input_cost_per_token\":-1},\"c\":7,\"d\":{},\"e\":{\"input_cost_per_token\":null},"
        "\"f\":{\"input_cost_per_token\":0}}";
    price_table *table;
    assert_int_equal(price_table_parse("t", text, strlen(text), &listener, &table, NULL), STENO_OK);
    assert_string_equal(ear.text, "a ignores input_cost_per_pixel; a ignores input_cost_per_token_above_x; b: "
                                  "`input_cost_per_token` is not a price "
                                  "from 0 to 1000 dollars: -1; c: it is not a JSON object; d: it has no price that is "
                                  "understood; e: it has no price "
                                  "that is understood; ");
    assert_int_equal(table->count, 2);
    price_table_release(table);
}

static void a_price_as_a_text_is_a_number_of_json(void **state) {
    (void)state;
    static const char *const texts[] = {"0x10",  "inf",   "nan",   "1,5",   "1e-6x", "",
                                        " 1e-6", "1e-6 ", "-1e-6", "1e999", "[1]",   "true"};
    price_table *table;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[128];
        snprintf(text, sizeof text, "{\"a\":{\"input_cost_per_token\":\"%s\"}}", texts[i]);
        assert_int_equal(price_table_parse("t", text, strlen(text), NULL, &table, NULL), STENO_OK);
        if (table->count) fail_msg("\"%s\" is taken as %lld", texts[i], (long long)table->entries->rates->pico_dollars);
        price_table_release(table);
    }
    static const char good[] = "{\"a\":{\"input_cost_per_token\":\"3e-07\"}}";
    assert_int_equal(price_table_parse("t", good, strlen(good), NULL, &table, NULL), STENO_OK);
    assert_int_equal(table->entries->rates->pico_dollars, 300000);
    price_table_release(table);
}

/* An entry whose provider is no text would be everybody's. */
static void what_is_to_be_a_text_is_one(void **state) {
    (void)state;
    heard ear = {""};
    const price_listener listener = {NULL, on_invalid, &ear};
    static const char text[] = "{\"a\":{\"input_cost_per_token\":1e-6,\"litellm_provider\":5},"
                               "\"b\":{\"input_cost_per_token\":1e-6,\"base_model\":[\"c\"]}}";
    price_table *table;
    assert_int_equal(price_table_parse("t", text, strlen(text), &listener, &table, NULL), STENO_OK);
    assert_string_equal(ear.text, "a: `litellm_provider` is not a text; b: `base_model` is not a text; ");
    price_table_release(table);
}

static void the_usual_key_counts_before_an_old_one(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"a\":{\"input_cost_per_token_cache_hit\":1e-6,\"cache_read_input_token_cost\":2e-6}}",
        "{\"a\":{\"cache_read_input_token_cost\":2e-6,\"input_cost_per_token_cache_hit\":1e-6}}",
        "{\"a\":{\"input_cost_per_token_cache_hit\":2e-6}}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        price_table *table;
        assert_int_equal(price_table_parse("t", texts[i], strlen(texts[i]), NULL, &table, NULL), STENO_OK);
        const price_rate *rate = price_entry_rate(table->entries, PRICE_CACHE_READ, STENO_TIER_STANDARD, 1);
        assert_int_equal(rate->pico_dollars, 2000000);
        price_table_release(table);
    }
}

static void a_hostile_file_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "[]",
                                        "7",
                                        "{\"a\":{\"input_cost_per_token\":1},\"a\":{\"input_cost_per_token\":2}}",
                                        "{",
                                        "{\"a\":NaN}",
                                        "{\"a\":{\"input_cost_per_token\":1e999}}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        price_table *table;
        assert_int_equal(price_table_parse("t", texts[i], strlen(texts[i]), NULL, &table, NULL), STENO_CORRUPT);
        assert_null(table);
    }
    size_t deep = 100000;
    char *text = malloc(deep + 1);
    memset(text, '[', deep);
    text[deep] = '\0';
    price_table *table;
    assert_int_equal(price_table_parse("t", text, deep, NULL, &table, NULL), STENO_CORRUPT);
    free(text);
}

/* Threads price while the file changes, and children of theirs go on. */
static atomic_bool stop;
static atomic_int wrong;

static void *price_on(void *ctx) {
    steno_cost cost;
    while (!atomic_load(&stop)) {
        int64_t price = price_of(ctx, "mine", &cost);
        if (price != 1000000 && price != 2000000) atomic_fetch_add(&wrong, 1);
    }
    return NULL;
}

static void threads_and_children_price_while_the_file_changes(void **state) {
    (void)state;
    put("own.json", "{\"mine\":{\"input_cost_per_token\":1e-6}}");
    steno_prices *prices = open_prices();
    pthread_t threads[3];
    atomic_store(&stop, false);
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, price_on, prices);
    put("own.json", "{\"mine\":{\"input_cost_per_token\":2e-6}}");
    steno_cost cost;
    for (int i = 0; i < 500 && price_of(prices, "mine", &cost) != 2000000; i++) usleep(10000);
    assert_int_equal(price_of(prices, "mine", &cost), 2000000);
#ifndef __SANITIZE_ADDRESS__ /* whose malloc does not survive a fork beside busy threads */
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (!child) {
            alarm(30);
            _exit(price_of(prices, "mine", &cost) == 2000000 ? 0 : 1);
        }
        int ended;
        waitpid(child, &ended, 0);
        assert_int_equal(ended, 0);
    }
#endif
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&wrong), 0);
    steno_prices_free(prices);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(the_users_own_come_before_imported_ones_and_those_before_built_in_ones),
        TEST(a_change_is_noticed_and_damage_leaves_what_was_there),
        cmocka_unit_test(what_is_not_understood_is_told),
        cmocka_unit_test(a_price_as_a_text_is_a_number_of_json),
        cmocka_unit_test(what_is_to_be_a_text_is_one),
        cmocka_unit_test(the_usual_key_counts_before_an_old_one),
        cmocka_unit_test(a_hostile_file_is_refused),
        TEST(threads_and_children_price_while_the_file_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
