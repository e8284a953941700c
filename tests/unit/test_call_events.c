/* Tests of client/call.c and call_events.c: what the events of whole calls carry, in the spool and to hooks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/call_check.h"

static const char stream[] = STREAM;

/* ---- what the events carry ---- */

static void a_plain_call_gives_pre_post_and_success_with_all_their_fields(void **state) {
    fixture *self = *state;
    say(self, HEAD_JSON PLAIN);
    steno_request *request = chat("openai/gpt-4o-mini", "Say hi.");
    steno_request_set_double(request, "temperature", 0.5);
    steno_request_add_tag(request, "one");
    steno_request_set_metadata_json(request, "deep", "{\"a\":[1]}");
    steno_request_set_user(request, "alice");
    steno_response *response;
    steno_error error = perform(self, request, false, &response);
    assert_int_equal(error.status, STENO_OK);
    assert_string_equal(steno_response_text(response), "Hi.");
    json_t *events = read_events(self);
    expect_sequence(events, "poS");
    for (size_t i = 0; i < 3; i++) {
        const json_t *event = json_array_get(events, i);
        assert_string_equal(text_of(event, "call_id"), steno_response_call_id(response));
        assert_int_equal(json_integer_value(member(event, "v")), 1);
        assert_string_equal(text_of(event, "call_type"), "completion");
        assert_string_equal(text_of(event, "model"), "gpt-4o-mini");
        assert_string_equal(text_of(event, "provider"), "openai");
        assert_string_equal(text_of(event, "api_key"), "****cdef");
        assert_string_equal(text_of(event, "user"), "alice");
        assert_string_equal(json_string_value(json_array_get(member(event, "tags"), 0)), "one");
        assert_string_equal(text_of(member(event, "app"), "name"), "test");
        assert_true(json_is_false(member(event, "stream")));
        assert_true(json_real_value(member(event, "time")) >= json_real_value(member(event, "start_time")));
        assert_int_equal(json_array_size(member(member(member(event, "metadata"), "deep"), "a")), 1);
        assert_null(member(event, "completion_start_time"));
    }
    const json_t *pre = json_array_get(events, 0), *post = json_array_get(events, 1), *end = json_array_get(events, 2);
    assert_string_equal(text_of(pre, "log_event_type"), "pre_api_call");
    assert_string_equal(text_of(json_array_get(member(pre, "messages"), 0), "content"), "Say hi.");
    const json_t *sent = member(member(pre, "additional_args"), "complete_input_dict");
    assert_string_equal(text_of(sent, "model"), "gpt-4o-mini");
    assert_true(json_equal(member(sent, "messages"), member(pre, "messages")));
    assert_true(json_equal(member(sent, "temperature"), member(member(pre, "optional_params"), "temperature")));
    assert_string_equal(text_of(member(member(pre, "additional_args"), "headers"), "Authorization"), "Bearer ****cdef");
    assert_string_equal(text_of(member(pre, "additional_args"), "api_base"), script_server_url(self->server));
    assert_int_equal(json_integer_value(member(pre, "attempt")), 1);
    assert_null(member(pre, "end_time"));

    assert_string_equal(text_of(post, "original_response"), PLAIN);
    assert_int_equal(json_integer_value(member(post, "http_status")), 200);
    assert_string_equal(text_of(member(post, "response_headers"), "x-request-id"), "req-7");
    assert_null(member(member(post, "response_headers"), "set-cookie"));
    assert_true(json_real_value(member(member(post, "timing"), "total")) > 0);
    assert_null(member(post, "error"));
    assert_null(member(post, "messages"));

    assert_string_equal(text_of(end, "log_event_type"), "successful_api_call");
    assert_true(json_equal(member(end, "messages"), member(pre, "messages")));
    assert_true(json_equal(member(end, "optional_params"), member(pre, "optional_params")));
    assert_string_equal(text_of(member(end, "response"), "id"), "c1");
    assert_null(member(end, "complete_streaming_response"));
    assert_null(member(end, "original_response"));
    assert_string_equal(text_of(end, "finish_reason"), "stop");
    assert_int_equal(json_integer_value(member(member(end, "usage"), "cached_tokens")), 4);
    assert_int_equal(json_integer_value(member(member(member(end, "usage"), "raw"), "total_tokens")), 7);
    assert_true(json_is_false(member(end, "cache_hit")));
    assert_non_null(member(end, "response_cost")); /* a number, or nil */
    assert_int_equal(json_integer_value(member(end, "attempts")), 1);
    json_decref(events);
    steno_response_free(response);
}

static void a_stream_gives_a_chunk_event_each_and_the_assembled_response(void **state) {
    fixture *self = *state;
    static const char head[] = HEAD_SSE;
    char reply[sizeof head + sizeof stream];
    snprintf(reply, sizeof reply, "%s%s", head, stream);
    script_server_say(self->server, reply, strlen(reply), 1, false); /* a byte at a time */
    steno_response *response;
    steno_error error = perform(self, chat("gpt-4o-mini", "x"), true, &response);
    assert_int_equal(error.status, STENO_OK);
    assert_string_equal(steno_response_text(response), STREAM_TEXT);
    json_t *events = read_events(self);
    expect_sequence(events, "pcccccoS");
    for (int i = 0; i < 5; i++) {
        const json_t *event = json_array_get(events, (size_t)i + 1);
        assert_int_equal(json_integer_value(member(event, "chunk_index")), i);
        assert_string_equal(text_of(member(event, "chunk"), "id"), "c1");
        /* The first token is in the second chunk. */
        assert_int_equal(member(event, "completion_start_time") != NULL, i >= 1);
    }
    const json_t *post = json_array_get(events, 6), *end = json_array_get(events, 7);
    assert_string_equal(text_of(post, "original_response"), stream);
    assert_true(json_is_true(member(end, "stream")));
    assert_true(json_equal(member(end, "response"), member(end, "complete_streaming_response")));
    assert_int_equal(json_integer_value(member(member(end, "usage"), "total_tokens")), 7);
    double first = json_real_value(member(end, "completion_start_time"));
    assert_true(first >= json_real_value(member(end, "start_time")));
    assert_true(first <= json_real_value(member(end, "end_time")));
    char *request = script_server_last(self->server);
    assert_non_null(strstr(request, "\"stream_options\":{\"include_usage\":true}"));
    free(request);
    json_decref(events);
    steno_response_free(response);
}

static void the_key_is_wiped_wherever_a_reply_repeats_it(void **state) {
    fixture *self = *state;
    say(self, "HTTP/1.1 401 No\r\nContent-Type: application/json\r\nX-Request-Id: %KEY%\r\n\r\n"
              "{\"error\":{\"message\":\"Incorrect API key provided: %KEY%.\",\"code\":\"invalid_api_key\"}}");
    steno_request *request = chat("gpt-4o-mini", "my key is " KEY);
    steno_request_set_metadata(request, "key", KEY);
    steno_error error = perform(self, request, false, NULL);
    assert_string_equal(error.type, "Authentication");
    assert_null(strstr(error.message, "0123456789"));
    json_t *events = read_events(self);
    expect_sequence(events, "poF");
    char *text = json_dumps(events, 0);
    assert_null(strstr(text, "0123456789"));
    assert_non_null(strstr(text, "cdef"));
    free(text);
    json_decref(events);
}

static void the_query_of_a_base_url_stays_behind_the_path_and_out_of_the_log(void **state) {
    fixture *self = *state;
    say(self, HEAD_JSON PLAIN);
    steno_request *request = chat("gpt-4o-mini", "x");
    char url[128];
    snprintf(url, sizeof url, "%s/?key=secret-in-the-url&api-version=1", script_server_url(self->server));
    steno_request_set_base_url(request, url);
    steno_error error = perform(self, request, false, NULL);
    assert_int_equal(error.status, STENO_OK);
    char *sent = script_server_last(self->server);
    assert_non_null(strstr(sent, "POST /v1/chat/completions?key=secret-in-the-url&api-version=1 "));
    free(sent);
    json_t *events = read_events(self);
    char *text = json_dumps(events, 0);
    assert_null(strstr(text, "secret-in-the-url"));
    free(text);
    json_decref(events);
}

static void a_time_limit_of_an_attempt_is_told_as_it_was(void **state) {
    fixture *self = *state;
    script_server_say(self->server, NULL, 0, 0, true);
    steno_request *request = chat("gpt-4o-mini", "x");
    steno_request_set_try_timeout_ms(request, 123);
    steno_error error = perform(self, request, false, NULL);
    assert_string_equal(error.type, "Timeout");
    if (!strstr(error.message, " within 123 ms")) fail_msg("%s", error.message);
}

static void a_call_that_cannot_be_sent_is_a_lone_failure(void **state) {
    fixture *self = *state;
    static const struct {
        const char *model, *key, *type, *says;
    } cases[] = {
        {"", NULL, "BadRequest", "model"},
        {"gpt-4o\xFF", NULL, "BadRequest", "UTF-8"},
        {"gpt-4o", "sk test", "Authentication", "white space"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        steno_request *request = chat(cases[i].model, "x");
        if (cases[i].key) steno_request_set_api_key(request, cases[i].key);
        steno_error error = perform(self, request, false, NULL);
        assert_string_equal(error.type, cases[i].type);
        if (!strstr(error.message, cases[i].says)) fail_msg("%s", error.message);
    }
    steno_request *request = steno_request_new("gpt-4o");
    assert_string_equal(perform(self, request, false, NULL).type, "BadRequest"); /* no messages */
    json_t *events = read_events(self);
    expect_sequence(events, "FFFF");
    for (size_t i = 0; i < json_array_size(events); i++) {
        assert_int_equal(json_integer_value(member(json_array_get(events, i), "attempts")), 0);
        assert_non_null(member(json_array_get(events, i), "attempts"));
    }
    json_decref(events);
    assert_int_equal(script_server_requests(self->server), 0);
}

/* ---- hooks ---- */

static void note_event(const steno_event *event, void *ctx) {
    char *text = steno_event_json(event);
    json_array_append_new(ctx, json_loads(text, 0, NULL));
    free(text);
}

static void note_joined(const steno_event *event, void *ctx) {
    assert_string_equal(steno_event_string(event, "original_response"), PLAIN);
    assert_non_null(steno_value_get(steno_event_get(event, "additional_args"), "complete_input_dict"));
    ++*(int *)ctx;
}

static void hooks_see_the_very_events_of_the_spool(void **state) {
    fixture *self = *state;
    json_t *seen = json_array();
    int joined = 0;
    steno_hooks hooks = {STENO_HOOKS_INIT, .ctx = seen, note_event, note_event, note_event, note_event, note_event};
    assert_int_equal(steno_client_add_hooks(self->client, &hooks, NULL), STENO_OK);
    assert_int_equal(steno_client_on_success(self->client, note_joined, &joined, NULL), STENO_OK);
    say(self, HEAD_JSON PLAIN);
    perform(self, chat("gpt-4o-mini", "x"), false, NULL);
    assert_int_equal(joined, 1);
    json_t *events = read_events(self);
    assert_true(json_equal(seen, events));
    json_decref(events);
    json_decref(seen);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALL_TEST(a_plain_call_gives_pre_post_and_success_with_all_their_fields),
        CALL_TEST(a_stream_gives_a_chunk_event_each_and_the_assembled_response),
        CALL_TEST(the_key_is_wiped_wherever_a_reply_repeats_it),
        CALL_TEST(the_query_of_a_base_url_stays_behind_the_path_and_out_of_the_log),
        CALL_TEST(a_time_limit_of_an_attempt_is_told_as_it_was),
        CALL_TEST(a_call_that_cannot_be_sent_is_a_lone_failure),
        CALL_TEST(hooks_see_the_very_events_of_the_spool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
