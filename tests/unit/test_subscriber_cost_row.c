/* subscribers/cost_row.c with a price table of its own: a pico-dollar a token of "priced", nothing else has a price. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "client/prices.h"
#include "schema/clean.h"
#include "subscribers/cost_row.h"

steno_status steno_cost_of(steno_prices *prices, const steno_cost_ask *ask, steno_cost *out, steno_error *error) {
    (void)prices;
    if (strcmp(ask->model, "priced") && (!ask->answered_model || strcmp(ask->answered_model, "priced")))
        return steno_fail(error, STENO_NOT_FOUND, "no price");
    if (ask->usage.prompt_tokens == STENO_UNKNOWN || ask->usage.completion_tokens == STENO_UNKNOWN)
        return steno_fail(error, STENO_INVALID, "no usage");
    *out = (steno_cost){.pico_dollars = ask->usage.prompt_tokens + ask->usage.completion_tokens,
                        .price_model = "priced-entry",
                        .price_date = "2026-01-02"};
    return STENO_OK;
}

char *steno_cost_breakdown(const steno_cost *cost) {
    (void)cost;
    return strdup("{\"input\":[1,1]}");
}

bool prices_region(const char *provider, const char *url, char out[32]) {
    if (!provider || !url || strcmp(provider, "bedrock")) return false;
    strcpy(out, "us-east-1");
    return true;
}

/* Decides the row of an event given as JSON fields. */
static bool decide(const char *json, cost_row *row) {
    steno_draft *draft = steno_draft_new();
    const void *body, *inner;
    size_t size, inner_size;
    steno_draft_start(draft);
    steno_draft_json(draft, "whole", json, strlen(json));
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    /* {"whole": {…}}: some map header, a string of five, and then the event itself. */
    size_t skip = 0;
    while (memcmp((const char *)body + skip, "\xa5whole", 6)) skip++;
    inner = (const char *)body + skip + 6;
    inner_size = size - skip - 6;
    steno_event *event;
    assert_int_equal(steno_event_decode(inner, inner_size, &event, NULL), STENO_OK);
    steno_event_set_offset(event, 77);
    const bool is_row = cost_row_from(event, NULL, false, row);
    steno_event_free(event);
    steno_draft_free(draft);
    return is_row;
}

#define USAGE "\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20}"

static void usage_times_price_comes_first(void **state) {
    (void)state;
    cleanup(cost_row_clear) cost_row row = {0};
    assert_true(
        decide("{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"priced\",\"response_cost\":5.0," USAGE "}", &row));
    assert_true(row.known);
    assert_int_equal(row.pico_dollars, 120);
    assert_string_equal(row.source, "table");
    assert_string_equal(row.price_model, "priced-entry");
    assert_string_equal(row.price_date, "2026-01-02");
    assert_string_equal(row.call_id, "a");
    assert_int_equal(row.offset, 77);
}

static void cut_stream_costs_what_it_used(void **state) {
    (void)state;
    cleanup(cost_row_clear) cost_row row = {0};
    assert_true(decide("{\"event\":\"failure\",\"call_id\":\"a\",\"model\":\"priced\"," USAGE "}", &row));
    assert_int_equal(row.pico_dollars, 120);
}

static void alias_is_priced_as_the_model_that_answered(void **state) {
    (void)state;
    cleanup(cost_row_clear) cost_row row = {0};
    assert_true(decide(
        "{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"mine\",\"response\":{\"model\":\"priced\"}," USAGE "}",
        &row));
    assert_int_equal(row.pico_dollars, 120);
    assert_string_equal(row.price_model, "priced-entry");
}

static void answer_from_a_cache_is_free(void **state) {
    (void)state;
    cleanup(cost_row_clear) cost_row row = {0};
    assert_true(
        decide("{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"priced\",\"cache_hit\":true," USAGE "}", &row));
    assert_true(row.known);
    assert_int_equal(row.pico_dollars, 0);
    assert_string_equal(row.source, "cache");
}

static void reported_cost_serves_where_there_is_no_price(void **state) {
    (void)state;
    cleanup(cost_row_clear) cost_row row = {0};
    assert_true(
        decide("{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"x\",\"response_cost\":0.00123," USAGE "}", &row));
    assert_int_equal(row.pico_dollars, 1230000000);
    assert_string_equal(row.source, "reported");
    assert_string_equal(row.price_model, "");
    assert_string_equal(row.price_date, "");
}

static void unknown_is_never_zero(void **state) {
    (void)state;
    static const char *const events[] = {
        "{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"x\"," USAGE "}",
        "{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"priced\"}",
        "{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"priced\",\"usage\":\"many\"}",
        "{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"priced\",\"usage\":{\"prompt_tokens\":-5,\"completion_"
        "tokens\":1}}",
        "{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"x\",\"response_cost\":null}",
        "{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"x\",\"response_cost\":\"0.5\"}",
        "{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"x\",\"response_cost\":true}",
        "{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"x\",\"response_cost\":-1.0}",
        "{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"x\",\"response_cost\":1e300}",
        "{\"event\":\"failure\",\"call_id\":\"a\"}",
    };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        cleanup(cost_row_clear) cost_row row = {0};
        assert_true(decide(events[i], &row));
        assert_false(row.known);
        assert_string_equal(row.source, "unknown");
    }
}

static void what_ends_no_call_has_no_row(void **state) {
    (void)state;
    cleanup(cost_row_clear) cost_row row = {0};
    assert_false(decide("{\"event\":\"post_api_call\",\"call_id\":\"a\"}", &row));
    assert_false(decide("{\"event\":\"success\"}", &row));
    assert_false(decide("{\"event\":\"success\",\"call_id\":\"\"}", &row));
    assert_false(decide("{\"event\":\"success\",\"call_id\":5}", &row));
    assert_false(decide("{\"event\":\"success.mine\",\"call_id\":\"a\"}", &row));
}

static void what_pricing_needs_beside_the_call_is_kept(void **state) {
    (void)state;
    cleanup(cost_row_clear) cost_row row = {0};
    assert_true(decide(
        "{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"alias\",\"provider\":\"bedrock\",\"api_base\":\"x\","
        "\"response\":{\"model\":\"priced\"},\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,"
        "\"web_searches\":2,\"service_tier\":\"flex\",\"reported_cost\":0.5,\"raw\":{\"x\":1}}}",
        &row));
    assert_string_equal(row.facts, "{\"answered\":\"priced\",\"region\":\"us-east-1\",\"usage\":{\"web_searches\":2,"
                                   "\"service_tier\":\"flex\",\"reported_cost\":0.5}}");
    assert_true(row.reported == INT64_C(500000000000));
}

static void what_the_provider_reports_comes_before_what_the_app_does(void **state) {
    (void)state;
    cleanup(cost_row_clear) cost_row row = {0};
    assert_true(
        decide("{\"event\":\"success\",\"call_id\":\"a\",\"model\":\"nothing\",\"response_cost\":9.0,\"usage\":{"
               "\"reported_cost\":0.25}}",
               &row));
    assert_string_equal(row.source, "reported");
    assert_true(row.pico_dollars == INT64_C(250000000000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_pricing_needs_beside_the_call_is_kept),
        cmocka_unit_test(what_the_provider_reports_comes_before_what_the_app_does),
        cmocka_unit_test(usage_times_price_comes_first),
        cmocka_unit_test(cut_stream_costs_what_it_used),
        cmocka_unit_test(alias_is_priced_as_the_model_that_answered),
        cmocka_unit_test(answer_from_a_cache_is_free),
        cmocka_unit_test(reported_cost_serves_where_there_is_no_price),
        cmocka_unit_test(unknown_is_never_zero),
        cmocka_unit_test(what_ends_no_call_has_no_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
