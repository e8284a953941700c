/* Events as spans: ids, times, statuses, and what becomes of events that are odd, poor or hostile. The whole mapping of a usual call is in the system test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "subscribers/otlp_ids.h"
#include "subscribers/otlp_span.h"
#include "tests/unit/otlp_check.h"

static otlp_arena arena;
static const otlp_mapping PLAIN = {0};
static const otlp_mapping FULL = {.content = true, .langfuse = true, .openinference = true};

static int clear(void **state) {
    (void)state;
    otlp_arena_clear(&arena);
    otlp_check_clear();
    return 0;
}

static const char *hex(const unsigned char *bytes, size_t size) {
    static char text[2][65];
    static int turn;
    char *out = text[turn ^= 1];
    for (size_t i = 0; i < size; i++) sprintf(out + 2 * i, "%02x", bytes[i]);
    return out;
}

static const char *trace_of(const char *fields) {
    char json[512];
    unsigned char id[OTLP_TRACE_ID_BYTES];
    snprintf(json, sizeof json, "{\"event\":\"success\",%s}", fields);
    otlp_trace_id(otlp_check_event(1, json), id);
    return hex(id, sizeof id);
}

static const char *span_of(const char *call_id) {
    unsigned char id[OTLP_SPAN_ID_BYTES];
    otlp_span_id(call_id, id);
    return hex(id, sizeof id);
}

static void ids_in_hex_are_taken_as_they_are(void **state) {
    (void)state;
    assert_string_equal(trace_of("\"trace_id\":\"4BF92F3577B34DA6A3CE929D0E0E4736\",\"call_id\":\"x\""),
                        "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_string_equal(trace_of("\"trace_id\":\"01936f2a-7c1e-7a53-9f0e-5b1f6a2c9d10\""),
                        "01936f2a7c1e7a539f0e5b1f6a2c9d10");
    assert_string_equal(trace_of("\"call_id\":\"01936f2a-7c1e-7a53-9f0e-5b1f6a2c9d10\""),
                        "01936f2a7c1e7a539f0e5b1f6a2c9d10");
    assert_string_equal(span_of("00F067AA0BA902B7"), "00f067aa0ba902b7");
}

static void other_ids_are_hashed_and_never_zero(void **state) {
    (void)state;
    const char *const odd[] = {"trace-1",
                               "4bf92f3577b34da6a3ce929d0e0e473",
                               "4bf92f3577b34da6a3ce929d0e0e47361",
                               "4bf9-2f3577b34da6a3ce929d0e0e4736",
                               "00000000000000000000000000000000",
                               "gbf92f3577b34da6a3ce929d0e0e4736"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        char fields[128], plain[64];
        snprintf(fields, sizeof fields, "\"trace_id\":\"%s\"", odd[i]);
        strcpy(plain, trace_of(fields));
        assert_string_equal(plain, trace_of(fields));
        assert_string_not_equal(plain, odd[i]);
        assert_string_not_equal(plain, "00000000000000000000000000000000");
    }
    /* These are promised for ever: a span that is sent again by a later release must be the same. From xxhsum -H128 and -H3. */
    assert_string_equal(trace_of("\"trace_id\":\"trace-1\""), "20ed6fb947b7a360638351510112b651");
    assert_string_equal(span_of("trace-1"), "2f6e0bac3d2f66ec");
    assert_string_not_equal(span_of("0000000000000000"), "0000000000000000");
}

static void calls_of_one_tree_meet_in_one_trace(void **state) {
    (void)state;
    char parent[64];
    strcpy(parent, trace_of("\"call_id\":\"root\""));
    assert_string_equal(trace_of("\"call_id\":\"leaf\",\"parent_id\":\"root\""), parent);
    assert_string_not_equal(trace_of("\"call_id\":\"other\",\"parent_id\":\"\""), parent);
    const steno_event *event =
        otlp_check_event(1, "{\"event\":\"success\",\"call_id\":\"leaf\",\"parent_id\":\"root\"}");
    const Otlp__Span *span = otlp_span(&arena, event, &PLAIN);
    assert_string_equal(hex(span->parent_span_id.data, span->parent_span_id.len), span_of("root"));
    assert_string_equal(hex(span->span_id.data, span->span_id.len), span_of("leaf"));
}

static void attempts_have_ids_of_their_own(void **state) {
    (void)state;
    unsigned char first[OTLP_SPAN_ID_BYTES], second[OTLP_SPAN_ID_BYTES];
    otlp_attempt_id("call", 1, first);
    otlp_attempt_id("call", 2, second);
    assert_memory_not_equal(first, second, sizeof first);
    otlp_span_id("call", second);
    assert_memory_not_equal(first, second, sizeof first);
}

static void poor_event_is_still_a_span(void **state) {
    (void)state;
    const Otlp__Span *span = otlp_span(
        &arena, otlp_check_event(1, "{\"event\":\"failure\",\"call_id\":\"a\",\"time\":1700000000.5}"), &FULL);
    assert_string_equal(span->name, "chat");
    assert_int_equal(span->start_time_unix_nano, 1700000000500000000);
    assert_int_equal(span->end_time_unix_nano, 1700000000500000000);
    assert_int_equal(span->status->code, 2);
    assert_int_equal(span->parent_span_id.len, 0);
    assert_string_equal(otlp_check_text(span->attributes, span->n_attributes, "error.type"), "_OTHER");
    assert_string_equal(otlp_check_text(span->attributes, span->n_attributes, "gen_ai.provider.name"), "unknown");
}

static void fields_of_other_types_are_left_out(void **state) {
    (void)state;
    const char *const json = "{\"event\":\"success\",\"call_id\":\"a\",\"model\":7,\"provider\":[],\"call_type\":{},"
                             "\"api_base\":9,\"session_id\":1,\"user\":[],\"tags\":{\"a\":1},"
                             "\"metadata\":\"no map\",\"messages\":\"no "
                             "list\",\"usage\":[1],\"response\":\"text\",\"optional_params\":\"text\",\"response_"
                             "cost\":\"free\",\"start_time\":\"noon\","
                             "\"end_time\":-1,\"completion_start_time\":1e300,\"error\":3,\"app\":\"x\",\"parent_id\":{"
                             "},\"trace_id\":[],\"stream\":\"yes\",\"input\":5,\"prompt\":{}}";
    const Otlp__Span *span = otlp_span(&arena, otlp_check_event(1, json), &FULL);
    assert_string_equal(span->name, "chat");
    assert_int_equal(span->start_time_unix_nano, 0);
    assert_string_equal(otlp_check_text(span->attributes, span->n_attributes, "gen_ai.operation.name"), "chat");
    assert_null(otlp_attribute(span->attributes, span->n_attributes, "gen_ai.usage.input_tokens"));
    assert_null(otlp_attribute(span->attributes, span->n_attributes, "steno.cost.usd"));
}

static void clock_set_back_in_mid_call_makes_no_negative_span(void **state) {
    (void)state;
    const char *const json = "{\"event\":\"success\",\"call_id\":\"a\",\"stream\":true,\"start_time\":2000.0,"
                             "\"completion_start_time\":1999.0,\"end_time\":1000.0}";
    const Otlp__Span *span = otlp_span(&arena, otlp_check_event(1, json), &PLAIN);
    assert_int_equal(span->start_time_unix_nano, span->end_time_unix_nano);
    assert_null(otlp_attribute(span->attributes, span->n_attributes, "gen_ai.response.time_to_first_chunk"));
}

static void events_that_end_no_call_are_no_spans(void **state) {
    (void)state;
    assert_null(otlp_span(&arena, otlp_check_event(1, "{\"event\":\"pre_api_call\",\"call_id\":\"a\"}"), &FULL));
    assert_null(otlp_span(&arena, otlp_check_event(1, "{\"event\":\"stream_event\",\"call_id\":\"a\"}"), &FULL));
    assert_null(otlp_span(&arena, otlp_check_event(1, "{\"event\":\"app.feedback\"}"), &FULL));
    assert_null(otlp_span(&arena, otlp_check_event(1, "{\"event\":\"success\"}"), &FULL)); /* of no call */
    assert_null(otlp_span(&arena, otlp_check_event(1, "{\"event\":\"post_api_call\",\"error\":{}}"), &FULL));
}

static void server_follows_from_the_base_url(void **state) {
    (void)state;
    const struct {
        const char *url, *address;
        int64_t port;
    } cases[] = {{"https://api.openai.com/v1", "api.openai.com", 443},
                 {"http://localhost:8000/v1?x=1", "localhost", 8000},
                 {"http://[::1]:9/v1", "::1", 9},
                 {"http://user:secret@box/v1", "box", 80},
                 {"", NULL, 0},
                 {"::::", NULL, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[256];
        otlp_call call;
        snprintf(json, sizeof json, "{\"event\":\"success\",\"call_id\":\"a\",\"api_base\":\"%s\"}", cases[i].url);
        assert_true(otlp_call_read(&arena, otlp_check_event(1, json), NULL, &call));
        if (cases[i].address) assert_string_equal(call.address, cases[i].address);
        if (!cases[i].address) assert_null(call.address);
        assert_int_equal(call.port, cases[i].port);
    }
    otlp_call call;
    assert_true(otlp_call_read(&arena,
                               otlp_check_event(1, "{\"event\":\"success\",\"call_id\":\"a\",\"provider\":\"gemini\","
                                                   "\"api_base\":\"https://eu-aiplatform.googleapis.com/v1\"}"),
                               NULL, &call));
    assert_string_equal(call.provider, "gcp.vertex_ai");
}

static void too_much_is_left_out_and_counted(void **state) {
    (void)state;
    const size_t size = OTLP_TEXT_BYTES_MAX + 100;
    char *json = malloc(size + 200);
    const int begun =
        sprintf(json, "{\"event\":\"success\",\"call_id\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"");
    memset(json + begun, 'x', size);
    strcpy(json + (size_t)begun + size, "\"}]}");
    const otlp_mapping content = {.content = true};
    const Otlp__Span *span = otlp_span(&arena, otlp_check_event(1, json), &content);
    assert_null(otlp_attribute(span->attributes, span->n_attributes, "gen_ai.input.messages"));
    assert_int_equal(span->dropped_attributes_count, 1);
    free(json);
    /* More messages than there may be attributes. */
    json = malloc(OTLP_ATTRIBUTES_MAX * 40 + 100);
    char *end = json + sprintf(json, "{\"event\":\"success\",\"call_id\":\"a\",\"messages\":[");
    for (int i = 0; i < OTLP_ATTRIBUTES_MAX; i++)
        end += sprintf(end, "%s{\"role\":\"user\",\"content\":\"%d\"}", i ? "," : "", i);
    strcpy(end, "]}");
    span = otlp_span(&arena, otlp_check_event(1, json), &FULL);
    assert_int_equal(span->n_attributes, OTLP_ATTRIBUTES_MAX);
    assert_true(span->dropped_attributes_count > OTLP_ATTRIBUTES_MAX);
    free(json);
}

static void parameters_that_may_be_texts_stay_private(void **state) {
    (void)state;
    otlp_call call;
    const char *const json = "{\"event\":\"success\",\"call_id\":\"a\",\"optional_params\":{\"temperature\":1,"
                             "\"instructions\":\"secret\",\"tool_choice\":\"auto\",\"tools\":[1]}}";
    assert_true(otlp_call_read(&arena, otlp_check_event(1, json), NULL, &call));
    assert_string_equal(otlp_parameters(&arena, &call, &PLAIN), "{\"temperature\":1,\"tool_choice\":\"auto\"}");
    assert_string_equal(otlp_parameters(&arena, &call, &FULL),
                        "{\"temperature\":1,\"instructions\":\"secret\",\"tool_choice\":\"auto\",\"tools\":[1]}");
}

/* Providers quote in their errors what they were asked, and a stop sequence is a text of the application's. */
static void words_of_errors_and_stop_sequences_stay_private(void **state) {
    (void)state;
    const otlp_mapping labelled = {.attempts = OTLP_ATTEMPTS_ALL, .langfuse = true, .openinference = true};
    const char *const failed = "{\"event\":\"failure\",\"call_id\":\"a\",\"optional_params\":{\"stop\":[\"secret\"]},"
                               "\"error\":{\"type\":\"BadRequest\",\"message\":\"what is a secret?\",\"status\":400}}";
    const char *const attempt = "{\"event\":\"post_api_call\",\"call_id\":\"a\",\"attempt\":1,"
                                "\"error\":{\"type\":\"Connection\",\"message\":\"what is a secret?\"}}";
    const Otlp__Span *span = otlp_span(&arena, otlp_check_event(1, failed), &labelled);
    assert_null(strstr(otlp_check_attributes(span->attributes, span->n_attributes), "secret"));
    assert_string_equal(span->status->message, "BadRequest, HTTP 400");
    assert_string_equal(otlp_check_text(span->attributes, span->n_attributes, "langfuse.observation.status_message"),
                        "BadRequest, HTTP 400");
    span = otlp_span(&arena, otlp_check_event(1, attempt), &labelled);
    assert_string_equal(span->status->message, "Connection");
    span = otlp_span(&arena, otlp_check_event(1, failed), &FULL);
    assert_string_equal(span->status->message, "what is a secret?");
    assert_non_null(otlp_attribute(span->attributes, span->n_attributes, "gen_ai.request.stop_sequences"));
    span = otlp_span(&arena, otlp_check_event(1, attempt), &FULL);
    assert_string_equal(span->status->message, "what is a secret?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(ids_in_hex_are_taken_as_they_are, clear),
        cmocka_unit_test_teardown(other_ids_are_hashed_and_never_zero, clear),
        cmocka_unit_test_teardown(calls_of_one_tree_meet_in_one_trace, clear),
        cmocka_unit_test_teardown(attempts_have_ids_of_their_own, clear),
        cmocka_unit_test_teardown(poor_event_is_still_a_span, clear),
        cmocka_unit_test_teardown(fields_of_other_types_are_left_out, clear),
        cmocka_unit_test_teardown(clock_set_back_in_mid_call_makes_no_negative_span, clear),
        cmocka_unit_test_teardown(events_that_end_no_call_are_no_spans, clear),
        cmocka_unit_test_teardown(server_follows_from_the_base_url, clear),
        cmocka_unit_test_teardown(too_much_is_left_out_and_counted, clear),
        cmocka_unit_test_teardown(parameters_that_may_be_texts_stay_private, clear),
        cmocka_unit_test_teardown(words_of_errors_and_stop_sequences_stay_private, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
