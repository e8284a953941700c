/* Metrics: each event once, in the right bucket and series; bounded; and the same after the file was written and read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/json.h"
#include "subscribers/otlp_json.h"
#include "subscribers/otlp_state.h"
#include "tests/unit/otlp_check.h"

#define START 1000
#define NOW 2000

static const otlp_resource_set NO_SET = {0};
static otlp_arena arena;
static otlp_sums sums;

static int begin(void **state) {
    (void)state;
    otlp_sums_begin(&sums, OTLP_SEMCONV_GENAI_0_1, &NO_SET, NULL, START);
    return 0;
}

static int end(void **state) {
    (void)state;
    otlp_sums_end(&sums);
    otlp_arena_clear(&arena);
    otlp_check_clear();
    return 0;
}

static void add(uint64_t offset, const char *fields) {
    char json[1024];
    snprintf(json, sizeof json,
             "{\"event\":\"success\",\"call_id\":\"call-%u\",\"model\":\"m\",\"provider\":\"openai\",\"start_time\":"
             "1000.0,%s}",
             (unsigned)offset, fields);
    otlp_sums_add(&sums, otlp_check_event(offset, json));
}

static const Otlp__MetricsRequest *request(int temporality) {
    return otlp_sums_request(&sums, &arena, temporality, NOW);
}

static const Otlp__Metric *metric_in(const Otlp__MetricsRequest *from, const char *name) {
    for (size_t i = 0; from && i < from->n_resource_metrics; i++) {
        const Otlp__ScopeMetrics *scope = from->resource_metrics[i]->scope_metrics[0];
        for (size_t m = 0; m < scope->n_metrics; m++)
            if (!strcmp(scope->metrics[m]->name, name)) return scope->metrics[m];
    }
    return NULL;
}

static const Otlp__HistogramPoint *duration(void) {
    const Otlp__Metric *metric = metric_in(request(OTLP_CUMULATIVE), "gen_ai.client.operation.duration");
    assert_non_null(metric);
    assert_int_equal(metric->data_case, OTLP__METRIC__DATA_HISTOGRAM);
    return metric->histogram->data_points[0];
}

static void bounds_are_inclusive(void **state) {
    (void)state;
    add(1, "\"end_time\":1000.01"); /* the first bound itself */
    add(2, "\"end_time\":1000.010001");
    add(3, "\"end_time\":1081.92"); /* the last */
    add(4, "\"end_time\":5000.0");
    const Otlp__HistogramPoint *point = duration();
    assert_int_equal(point->n_bucket_counts, point->n_explicit_bounds + 1);
    assert_int_equal(point->count, 4);
    assert_true(point->sum > 4081.9399 && point->sum < 4081.9401);
    assert_int_equal(point->bucket_counts[0], 1);
    assert_int_equal(point->bucket_counts[1], 1);
    assert_int_equal(point->bucket_counts[13], 1);
    assert_int_equal(point->bucket_counts[14], 1);
    assert_int_equal(point->start_time_unix_nano, START);
    assert_int_equal(point->time_unix_nano, NOW);
}

static void event_is_counted_once(void **state) {
    (void)state;
    add(5, "\"end_time\":1001.0");
    add(5, "\"end_time\":1001.0");
    add(3, "\"end_time\":1001.0");
    add(6, "\"end_time\":1001.0");
    assert_int_equal(duration()->count, 2);
    assert_int_equal(sums.offset, 6);
    assert_string_equal(sums.call_id, "call-6");
}

static void events_of_no_call_move_the_offset_alone(void **state) {
    (void)state;
    otlp_sums_add(&sums, otlp_check_event(9, "{\"event\":\"post_api_call\",\"call_id\":\"x\"}"));
    assert_null(request(OTLP_CUMULATIVE));
    assert_int_equal(sums.offset, 9);
}

static double total_of(const char *name) {
    const Otlp__Metric *metric = metric_in(request(OTLP_CUMULATIVE), name);
    double total = 0;
    if (metric && metric->data_case == OTLP__METRIC__DATA_HISTOGRAM)
        for (size_t i = 0; i < metric->histogram->n_data_points; i++) total += metric->histogram->data_points[i]->sum;
    if (metric && metric->data_case == OTLP__METRIC__DATA_SUM)
        for (size_t i = 0; i < metric->sum->n_data_points; i++) {
            const Otlp__NumberPoint *point = metric->sum->data_points[i];
            const bool whole = point->value_case == OTLP__NUMBER_POINT__VALUE_AS_INT;
            total += whole ? (double)point->as_int : point->as_double;
        }
    return total;
}

/* One such event would spoil a counter for ever. */
static void figures_that_nobody_means_are_not_added(void **state) {
    (void)state;
    add(1, "\"end_time\":1001.0,\"usage\":{\"prompt_tokens\":4611686018427387904,\"completion_tokens\":"
           "4611686018427387904},"
           "\"response_cost\":1e300");
    add(2, "\"end_time\":1700000000.0,\"usage\":{\"prompt_tokens\":4611686018427387904,\"completion_tokens\":1e300},"
           "\"response_cost\":-5.0");
    add(3, "\"end_time\":1002.0,\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":-3},\"response_cost\":0.5");
    assert_true(total_of("gen_ai.client.inference.usage.input_tokens") == 7);
    assert_true(total_of("gen_ai.client.inference.operation.input_tokens") == 7);
    assert_true(total_of("gen_ai.client.inference.usage.output_tokens") == 0);
    assert_true(total_of("gen_ai.client.inference.operation.output_tokens") == 0);
    assert_true(total_of("steno.cost") == 0.5);
    assert_true(total_of("gen_ai.client.operation.duration") == 3);
}

static const char *labels_of(const char *name) {
    const Otlp__Metric *metric = metric_in(request(OTLP_CUMULATIVE), name);
    if (!metric) return NULL;
    if (metric->data_case == OTLP__METRIC__DATA_HISTOGRAM)
        return otlp_check_attributes(metric->histogram->data_points[0]->attributes,
                                     metric->histogram->data_points[0]->n_attributes);
    return otlp_check_attributes(metric->sum->data_points[0]->attributes, metric->sum->data_points[0]->n_attributes);
}

static void series_have_the_labels_of_the_conventions(void **state) {
    (void)state;
    add(1, "\"end_time\":1001.0,\"api_base\":\"http://box:9/"
           "v1\",\"response\":{\"model\":\"m-1\"},\"user\":\"alice\",\"session_id\":\"s\",\"usage\":{\"prompt_tokens\":"
           "3},\"response_cost\":0.5");
#define LABELS                                                                                                        \
    "\"gen_ai.operation.name\":\"chat\",\"gen_ai.provider.name\":\"openai\",\"gen_ai.request.model\":\"m\",\"gen_ai." \
    "response.model\":\"m-1\","
    assert_string_equal(labels_of("gen_ai.client.operation.duration"),
                        "{" LABELS "\"server.address\":\"box\",\"server.port\":9}");
    assert_string_equal(labels_of("gen_ai.client.inference.usage.input_tokens"),
                        "{" LABELS
                        "\"gen_ai.token.modality\":\"unknown\",\"server.address\":\"box\",\"server.port\":9}");
    assert_string_equal(labels_of("steno.cost"), "{" LABELS "\"server.address\":\"box\",\"server.port\":9}");
    assert_null(labels_of("gen_ai.client.inference.usage.output_tokens")); /* not reported is not zero */
    assert_null(labels_of("gen_ai.client.operation.time_to_first_chunk"));
}

static void parts_of_a_prompt_add_up_to_it(void **state) {
    (void)state;
    add(1,
        "\"end_time\":1001.0,\"usage\":{\"prompt_tokens\":100,\"prompt_audio_tokens\":30,\"prompt_image_tokens\":20}");
    const Otlp__Metric *metric = metric_in(request(OTLP_CUMULATIVE), "gen_ai.client.inference.usage.input_tokens");
    int64_t total = 0;
    assert_int_equal(metric->sum->n_data_points, 3);
    assert_true(metric->sum->is_monotonic);
    for (size_t i = 0; i < 3; i++) {
        const Otlp__NumberPoint *point = metric->sum->data_points[i];
        const char *modality = otlp_check_text(point->attributes, point->n_attributes, "gen_ai.token.modality");
        total += point->as_int;
        assert_int_equal(point->as_int, !strcmp(modality, "audio") ? 30 : !strcmp(modality, "image") ? 20 : 50);
    }
    assert_int_equal(total, 100);
}

static void cache_hits_cost_nothing_and_are_told_apart(void **state) {
    (void)state;
    add(1, "\"end_time\":1001.0,\"cache_hit\":true,\"usage\":{\"prompt_tokens\":3},\"response_cost\":0.0");
    assert_string_equal(labels_of("gen_ai.client.operation.duration"),
                        "{\"gen_ai.operation.name\":\"chat\",\"gen_ai.provider.name\":\"openai\",\"gen_ai.request."
                        "model\":\"m\",\"steno.cache_hit\":true}");
    assert_null(labels_of("gen_ai.client.inference.usage.input_tokens"));
    assert_null(labels_of("steno.cost"));
}

static void series_are_bounded(void **state) {
    (void)state;
    const unsigned calls = OTLP_SERIES_MAX + 500;
    for (unsigned i = 1; i <= calls; i++) {
        char json[256];
        snprintf(
            json, sizeof json,
            "{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"m%u\",\"end_time\":1001.0,\"start_time\":1000.0}", i);
        otlp_sums_add(&sums, otlp_check_event(i, json));
    }
    assert_int_equal(sums.count, OTLP_SERIES_MAX + 1);
    const Otlp__Metric *metric = metric_in(request(OTLP_CUMULATIVE), "gen_ai.client.operation.duration");
    uint64_t total = 0;
    for (size_t i = 0; i < metric->histogram->n_data_points; i++) total += metric->histogram->data_points[i]->count;
    assert_int_equal(total, calls);
    const Otlp__HistogramPoint *last = metric->histogram->data_points[metric->histogram->n_data_points - 1];
    assert_string_equal(otlp_check_attributes(last->attributes, last->n_attributes), "{\"otel.metric.overflow\":true}");
    assert_int_equal(last->count, 500);
}

static char *as_json(void) {
    json_t *json = otlp_json(&request(OTLP_CUMULATIVE)->base);
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(json);
    return text;
}

static void sums_survive_their_file(void **state) {
    (void)state;
    char dir[] = "/tmp/test_otlp_sums-XXXXXX";
    assert_non_null(mkdtemp(dir));
    steno_error error;
    otlp_state *file;
    assert_int_equal(otlp_state_open(dir, "reader", &file, &error), STENO_OK);
    assert_false(otlp_state_load(file, &sums, &error));
    assert_string_equal(error.message, "");
    add(1, "\"end_time\":1001.0,\"app\":{\"name\":\"shop\"},\"api_base\":\"http://"
           "box:9\",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":0},\"response_cost\":0.1");
    add(2, "\"end_time\":1002.0,\"app\":{\"name\":\"other\"},\"cache_hit\":true");
    assert_int_equal(otlp_state_save(file, &sums, &error), STENO_OK);
    char *before = as_json();
    otlp_sums_end(&sums);
    otlp_sums_begin(&sums, OTLP_SEMCONV_GENAI_0_1, &NO_SET, NULL, 7777);
    assert_true(otlp_state_load(file, &sums, &error));
    char *after = as_json();
    assert_string_equal(after, before);
    assert_int_equal(sums.offset, 2);
    assert_int_equal(sums.start_ns, START);
    /* They go on in the same series. */
    add(3, "\"end_time\":1001.0,\"app\":{\"name\":\"shop\"},\"api_base\":\"http://box:9\"");
    assert_int_equal(duration()->count, 2);
    free(before);
    free(after);
    /* With other names it begins from zero, but counts nothing twice. */
    otlp_sums_end(&sums);
    otlp_sums_begin(&sums, OTLP_SEMCONV_1_41, &NO_SET, NULL, 7777);
    assert_false(otlp_state_load(file, &sums, &error));
    assert_string_equal(error.message, "");
    assert_int_equal(sums.offset, 2);
    assert_int_equal(sums.count, 0);
    assert_int_equal(sums.start_ns, 7777);
    /* Cut short at every byte, it is damaged, or whole: never worse. */
    struct stat about;
    assert_int_equal(stat(otlp_state_path(file), &about), 0);
    for (off_t size = about.st_size; size >= 0; size--) {
        assert_int_equal(truncate(otlp_state_path(file), size), 0);
        otlp_sums_end(&sums);
        otlp_sums_begin(&sums, OTLP_SEMCONV_GENAI_0_1, &NO_SET, NULL, 7777);
        otlp_state_load(file, &sums, &error);
    }
    otlp_state_free(file);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

static void deltas_begin_from_zero_and_count_on(void **state) {
    (void)state;
    add(1, "\"end_time\":1001.0");
    const Otlp__Metric *metric = metric_in(request(OTLP_DELTA), "gen_ai.client.operation.duration");
    assert_int_equal(metric->histogram->aggregation_temporality, OTLP_DELTA);
    otlp_sums_reset(&sums, NOW);
    assert_null(request(OTLP_DELTA));
    add(1, "\"end_time\":1001.0"); /* counted before */
    add(2, "\"end_time\":1001.0");
    assert_int_equal(duration()->count, 1);
    assert_int_equal(duration()->start_time_unix_nano, NOW);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bounds_are_inclusive, begin, end),
        cmocka_unit_test_setup_teardown(figures_that_nobody_means_are_not_added, begin, end),
        cmocka_unit_test_setup_teardown(event_is_counted_once, begin, end),
        cmocka_unit_test_setup_teardown(events_of_no_call_move_the_offset_alone, begin, end),
        cmocka_unit_test_setup_teardown(series_have_the_labels_of_the_conventions, begin, end),
        cmocka_unit_test_setup_teardown(parts_of_a_prompt_add_up_to_it, begin, end),
        cmocka_unit_test_setup_teardown(cache_hits_cost_nothing_and_are_told_apart, begin, end),
        cmocka_unit_test_setup_teardown(series_are_bounded, begin, end),
        cmocka_unit_test_setup_teardown(sums_survive_their_file, begin, end),
        cmocka_unit_test_setup_teardown(deltas_begin_from_zero_and_count_on, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
