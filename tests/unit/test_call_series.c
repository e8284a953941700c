/* Tests of subscribers/call_series*.c: what an event counts as, that the table is bounded, and that a state gives back what was saved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "schema/clean.h"
#include "schema/json.h"
#include "subscribers/call_series.h"

#define LIMIT 3

static call_series table;
static char path[] = "/tmp/steno-series-XXXXXX";

static int begin(void **state) {
    (void)state;
    strcpy(path, "/tmp/steno-series-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 || close(fd) || !call_series_begin(&table, LIMIT);
}

static int end(void **state) {
    (void)state;
    call_series_free(&table);
    unlink(path);
    return 0;
}

/* Counts an event given as JSON. */
static void add(const char *json) {
    steno_draft *draft = steno_draft_new();
    json_t *parsed = json_parse(json, strlen(json), NULL);
    assert_non_null(parsed);
    const char *key;
    json_t *value;
    steno_draft_start(draft);
    json_object_foreach(parsed, key, value) draft_json(draft, key, value);
    const void *body;
    size_t size;
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    steno_event *event;
    assert_int_equal(steno_event_decode(body, size, &event, NULL), STENO_OK);
    call_series_add(&table, event, NULL);
    steno_event_free(event);
    steno_draft_free(draft);
    json_decref(parsed);
}

#define CALL "\"call_id\": \"1\", \"provider\": \"openai\", \"model\": \"gpt-4o-mini\""

static series *first(void) {
    assert_int_equal(table.count, 2);
    return &table.list[1];
}

static void a_success_is_counted_with_all_it_says(void **state) {
    (void)state;
    add("{\"event\": \"success\", " CALL ", \"call_type\": \"acompletion\", \"start_time\": 1000, \"end_time\": 1002.5,"
        " \"completion_start_time\": 1000.5, \"attempts\": 3, \"usage\": {\"prompt_tokens\": 1000, \"cached_tokens\": "
        "200,"
        " \"cache_write_tokens\": 7, \"completion_tokens\": 50, \"reasoning_tokens\": 20}}");
    const series *one = first();
    assert_int_equal(one->calls[1][0], 1);
    assert_int_equal(one->counts[COUNT_ATTEMPTS], 3);
    assert_int_equal(one->counts[COUNT_RETRIES], 2);
    assert_int_equal(one->counts[COUNT_PROMPT], 1000);
    assert_int_equal(one->counts[COUNT_CACHED], 200);
    assert_int_equal(one->counts[COUNT_CACHE_WRITE], 7);
    assert_int_equal(one->counts[COUNT_COMPLETION], 50);
    assert_int_equal(one->counts[COUNT_REASONING], 20);
    assert_int_equal(one->counts[COUNT_UNPRICED], 0);
    assert_true(one->amounts[AMOUNT_COST] > 0.0001 && one->amounts[AMOUNT_COST] < 0.001);
    assert_int_equal(metric_observed(&one->duration[0]), 1);
    assert_float_equal(one->duration[0].sum, 2.5, 1e-9);
    assert_float_equal(one->first_token.sum, 0.5, 1e-9);
}

static void a_failure_is_counted_by_what_it_failed_of(void **state) {
    (void)state;
    add("{\"event\": \"failure\", " CALL
        ", \"error\": {\"type\": \"RateLimit\"}, \"attempts\": 1, \"start_time\": 1, \"end_time\": 2}");
    add("{\"event\": \"failure\", " CALL ", \"error\": {\"type\": \"SomethingNew\"}}");
    add("{\"event\": \"failure\", " CALL ", \"error\": 7}");
    add("{\"event\": \"failure\", " CALL ", \"completion_start_time\": 5}");
    const series *one = first();
    assert_int_equal(one->calls[CALL_SERIES_TYPES - 1][1], 4);
    assert_int_equal(one->errors[6], 1);
    assert_int_equal(one->errors[CALL_SERIES_ERRORS - 1], 3);
    assert_int_equal(one->counts[COUNT_UNPRICED], 1); /* the one of which something had come */
    assert_int_equal(metric_observed(&one->duration[1]), 1);
    assert_int_equal(metric_observed(&one->duration[0]), 0);
}

static void a_cache_hit_is_free_and_its_time_is_none(void **state) {
    (void)state;
    add("{\"event\": \"success\", " CALL ", \"cache_hit\": true, \"attempts\": 0, \"start_time\": 1, \"end_time\": 2,"
        " \"completion_start_time\": 1.5, \"usage\": {\"prompt_tokens\": 1000, \"completion_tokens\": 50}}");
    const series *one = first();
    assert_int_equal(one->counts[COUNT_CACHE_HITS], 1);
    assert_int_equal(one->counts[COUNT_ATTEMPTS], 0);
    assert_float_equal(one->amounts[AMOUNT_COST], 0, 0);
    assert_true(one->amounts[AMOUNT_SAVED] > 0.0001);
    assert_int_equal(metric_observed(&one->duration[0]) + metric_observed(&one->first_token), 0);
}

static void a_call_without_a_price_is_counted_as_such(void **state) {
    (void)state;
    add("{\"event\": \"success\", \"call_id\": \"1\", \"provider\": \"mine\", \"model\": \"unheard-of\", \"usage\": "
        "{\"prompt_tokens\": 1, \"completion_tokens\": 1}}");
    add("{\"event\": \"success\", \"call_id\": \"2\", \"provider\": \"mine\", \"model\": \"unheard-of\", "
        "\"response_cost\": 0.25}");
    assert_int_equal(first()->counts[COUNT_UNPRICED], 1);
    assert_float_equal(first()->amounts[AMOUNT_COST], 0.25, 1e-12);
}

static void nonsense_changes_no_counter_for_the_worse(void **state) {
    (void)state;
    add("{\"event\": \"success\", " CALL
        ", \"attempts\": -5, \"start_time\": 10, \"end_time\": 2, \"completion_start_time\": 1e300,"
        " \"usage\": {\"prompt_tokens\": -7, \"completion_tokens\": 4611686018427387904, \"cached_tokens\": "
        "\"many\"}}");
    add("{\"event\": \"success\", " CALL
        ", \"attempts\": 1000000, \"start_time\": \"now\", \"end_time\": 2, \"usage\": []}");
    const series *one = first();
    assert_int_equal(one->calls[CALL_SERIES_TYPES - 1][0], 2);
    for (size_t i = 0; i < CALL_COUNTS; i++)
        if (i != COUNT_UNPRICED && one->counts[i]) fail_msg("count %zu is %llu", i, (unsigned long long)one->counts[i]);
    assert_int_equal(metric_observed(&one->duration[0]) + metric_observed(&one->first_token), 0);
}

static void other_events_are_not_counted(void **state) {
    (void)state;
    add("{\"event\": \"pre_api_call\", " CALL "}");
    add("{\"event\": \"app.feedback\", " CALL "}");
    assert_int_equal(table.count, 1);
}

static void models_beyond_the_limit_are_counted_together(void **state) {
    (void)state;
    char json[256];
    for (int i = 0; i < 10; i++) {
        snprintf(json, sizeof json,
                 "{\"event\": \"success\", \"call_id\": \"x\", \"provider\": \"p\", \"model\": \"m%d\"}", i);
        add(json);
        add(json);
    }
    assert_int_equal(table.count, LIMIT + 1);
    assert_string_equal(table.list[0].model, "other");
    assert_int_equal(table.list[0].calls[CALL_SERIES_TYPES - 1][0], 14);
    for (size_t i = 1; i <= LIMIT; i++) assert_int_equal(table.list[i].calls[CALL_SERIES_TYPES - 1][0], 2);
}

static void a_long_name_is_cut_between_characters(void **state) {
    (void)state;
    char name[400];
    memset(name, 0, sizeof name);
    strcpy(name, "x");
    while (strlen(name) < 300) strcat(name, "é");
    const series *one = call_series_of(&table, NULL, name);
    assert_string_equal(one->provider, "unknown");
    assert_int_equal(strlen(one->model), 127); /* 1 + 63 × 2: the 64th would be halved */
    assert_ptr_equal(call_series_of(&table, "", name), one);
}

/* ---- the state ---- */

static void fill(void) {
    add("{\"event\": \"success\", " CALL
        ", \"call_type\": \"completion\", \"start_time\": 1, \"end_time\": 1.1, \"completion_start_time\": 1.01,"
        " \"attempts\": 2, \"usage\": {\"prompt_tokens\": 1000, \"completion_tokens\": 50}}");
    add("{\"event\": \"failure\", \"call_id\": \"2\", \"model\": \"q\\\"\\\\\\nü\", \"error\": {\"type\": "
        "\"Timeout\"}, \"start_time\": 1, \"end_time\": 400}");
    for (int i = 0; i < 5; i++)
        add("{\"event\": \"success\", \"call_id\": \"3\", \"provider\": \"p\", \"model\": \"m\", \"response_cost\": "
            "0.1}");
    char json[128];
    for (int i = 0; i < 5; i++) {
        snprintf(json, sizeof json,
                 "{\"event\": \"success\", \"call_id\": \"x\", \"provider\": \"p\", \"model\": \"m%d\"}", i);
        add(json);
    }
}

static char *shown(const call_series *of) {
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    call_series_put(of, out);
    fclose(out);
    return text;
}

static void a_state_gives_back_every_series(void **state) {
    (void)state;
    fill();
    cleanup_free char *before = shown(&table);
    steno_error error;
    if (call_series_save(&table, 77, path, &error)) fail_msg("%s", error.message);
    call_series loaded;
    uint64_t offset;
    if (call_series_load(&loaded, LIMIT, &offset, path, &error)) fail_msg("%s", error.message);
    assert_int_equal(offset, 77);
    cleanup_free char *after = shown(&loaded);
    assert_string_equal(after, before);
    assert_int_equal(loaded.count, table.count);
    assert_memory_equal(loaded.list, table.list, table.count * sizeof *table.list); /* to the last bit of each sum */
    call_series_free(&loaded);
}

static void a_lower_limit_keeps_what_was_counted(void **state) {
    (void)state;
    fill();
    steno_error error;
    call_series loaded;
    uint64_t offset;
    assert_int_equal(call_series_save(&table, 1, path, &error), STENO_OK);
    assert_int_equal(call_series_load(&loaded, 1, &offset, path, &error), STENO_OK);
    assert_int_equal(loaded.count, LIMIT + 1);
    assert_int_equal(loaded.limit, 1);
    assert_ptr_equal(call_series_of(&loaded, "new", "new"), &loaded.list[0]);
    call_series_free(&loaded);
}

static void a_state_that_is_none_is_refused_and_leaves_an_empty_table(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "{",
                                        "[]",
                                        "{\"version\": 1}",
                                        "{\"version\": 2, \"offset\": 1, \"bounds\": [], \"series\": []}",
                                        "{\"version\": 1, \"offset\": 1, \"bounds\": [0.1], \"series\": []}"};
    steno_error error;
    call_series loaded;
    uint64_t offset;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        FILE *file = fopen(path, "w");
        fputs(wrong[i], file);
        fclose(file);
        assert_int_equal(call_series_load(&loaded, LIMIT, &offset, path, &error), STENO_CORRUPT);
        assert_non_null(strstr(error.message, path));
        assert_int_equal(loaded.count, 1);
        assert_int_equal(offset, 0);
        call_series_free(&loaded);
    }
    unlink(path);
    assert_int_equal(call_series_load(&loaded, LIMIT, &offset, path, &error), STENO_NOT_FOUND);
    assert_int_equal(loaded.count, 1);
    call_series_free(&loaded);
}

/* Each byte of a good state in turn becomes another: it is refused, or what it counts is still no less than nothing. */
static void a_damaged_state_does_no_harm(void **state) {
    (void)state;
    fill();
    steno_error error;
    assert_int_equal(call_series_save(&table, 77, path, &error), STENO_OK);
    char good[65536];
    FILE *file = fopen(path, "r");
    const size_t size = fread(good, 1, sizeof good, file);
    fclose(file);
    assert_true(size < sizeof good);
    static const char others[] = {'-', '9', '"', '}', '\0'};
    for (size_t at = 0; at < size; at += 7) {
        const char was = good[at];
        good[at] = others[at % sizeof others];
        file = fopen(path, "w");
        fwrite(good, 1, size, file);
        fclose(file);
        good[at] = was;
        call_series loaded;
        uint64_t offset;
        steno_status status = call_series_load(&loaded, LIMIT, &offset, path, &error);
        assert_true(status == STENO_OK || status == STENO_CORRUPT);
        for (size_t i = 0; i < loaded.count; i++) assert_true(loaded.list[i].amounts[0] >= 0);
        call_series_free(&loaded);
    }
}

static void a_folder_that_takes_no_file_is_told(void **state) {
    (void)state;
    steno_error error;
    assert_int_equal(call_series_save(&table, 1, "/dev/null/x.metrics", &error), STENO_SYSTEM);
    assert_non_null(strstr(error.message, "/dev/null/x.metrics"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_success_is_counted_with_all_it_says),
        TEST(a_failure_is_counted_by_what_it_failed_of),
        TEST(a_cache_hit_is_free_and_its_time_is_none),
        TEST(a_call_without_a_price_is_counted_as_such),
        TEST(nonsense_changes_no_counter_for_the_worse),
        TEST(other_events_are_not_counted),
        TEST(models_beyond_the_limit_are_counted_together),
        TEST(a_long_name_is_cut_between_characters),
        TEST(a_state_gives_back_every_series),
        TEST(a_lower_limit_keeps_what_was_counted),
        TEST(a_state_that_is_none_is_refused_and_leaves_an_empty_table),
        TEST(a_damaged_state_does_no_harm),
        TEST(a_folder_that_takes_no_file_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
