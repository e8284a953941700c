/* Tests of client/call_reply.c: replies and streams that are cut, garbled or unusual. */
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

/* ---- replies that are not whole ---- */

/* Where in `stream` the answer is complete: behind the event with the finish_reason. */
static size_t complete_at(void) { return (size_t)(strstr(stream, "\"stop\"}]}") - stream) + strlen("\"stop\"}]}"); }

/* Plays the stream's first `cut` bytes under `head` and checks what came of it. */
static void cut_stream(fixture *self, const char *head, const char *tail, size_t cut) {
    char reply[sizeof stream + 256];
    int size = snprintf(reply, sizeof reply, "%s%.*s%s", head, (int)cut, stream, tail);
    script_server_say(self->server, reply, (size_t)size, 0, false);
    steno_response *response;
    steno_error error = perform(self, chat("gpt-4o-mini", "x"), true, &response);
    if (cut >= complete_at()) {
        if (error.status) fail_msg("cut at %zu, after the finish_reason: %s: %s", cut, error.type, error.message);
        assert_string_equal(steno_response_text(response), STREAM_TEXT);
        assert_string_equal(steno_response_finish_reason(response), "stop");
    } else {
        if (strcmp(error.type, "Connection")) fail_msg("cut at %zu: %s: %s", cut, error.type, error.message);
        assert_true(error.retryable);
        const char *text = response ? steno_response_text(response) : "";
        assert_memory_equal(text, STREAM_TEXT, strlen(text));
        assert_true(!response || !steno_response_finish_reason(response));
    }
    steno_response_free(response);
}

static void a_stream_cut_anywhere_fails_until_its_finish_reason_and_keeps_what_came(void **state) {
    fixture *self = *state;
    for (size_t cut = 0; cut < sizeof stream; cut++) cut_stream(self, HEAD_SSE, "", cut);
    json_t *events = read_events(self);
    size_t ends = 0;
    for (size_t i = 0; i < json_array_size(events); i++) {
        char kind = text_of(json_array_get(events, i), "event")[0];
        ends += kind == 's' ? !strcmp(text_of(json_array_get(events, i), "event"), "success") : kind == 'f';
    }
    assert_int_equal(ends, sizeof stream); /* one each */
    json_decref(events);
}

static void the_same_where_the_length_was_promised(void **state) {
    fixture *self = *state;
    for (size_t cut = 0; cut < sizeof stream - 1; cut += 7)
        cut_stream(self, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 5000\r\n\r\n", "", cut);
}

static void a_stream_with_one_unfinished_choice_was_cut(void **state) {
    fixture *self = *state;
    say(self, HEAD_SSE "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":{"
                       "\"content\":\"b\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
                       "\"stop\"}]}\n\n");
    assert_string_equal(perform(self, chat("gpt-4o-mini", "x"), true, NULL).type, "Connection");
}

static void a_stream_without_all_of_the_choices_that_were_asked_for_was_cut(void **state) {
    fixture *self = *state;
    for (int wanted = 1; wanted <= 2; wanted++) {
        say(self, HEAD_SSE CHUNK("\"content\":\"all\"", "\"stop\""));
        steno_request *request = chat("gpt-4o-mini", "x");
        steno_request_set_int(request, "n", wanted);
        assert_string_equal(perform(self, request, true, NULL).type, wanted == 1 ? "" : "Connection");
    }
}

static void nonsense_in_mid_stream_is_malformed_and_what_came_before_is_kept(void **state) {
    fixture *self = *state;
    say(self, HEAD_SSE CHUNK("\"content\":\"one\"", "null") "data: {nonsense\n\n" CHUNK("\"content\":\"two\"", "null"));
    steno_response *response;
    steno_error error = perform(self, chat("gpt-4o-mini", "x"), true, &response);
    assert_string_equal(error.type, "MalformedResponse");
    assert_string_equal(steno_response_text(response), "one");
    json_t *events = read_events(self);
    expect_sequence(events, "pcoF");
    const json_t *end = json_array_get(events, 3);
    assert_non_null(member(end, "response"));
    assert_null(member(end, "complete_streaming_response"));
    assert_string_equal(text_of(member(json_array_get(events, 2), "error"), "type"), "MalformedResponse");
    json_decref(events);
    steno_response_free(response);
}

static void a_null_error_in_a_chunk_is_none(void **state) {
    fixture *self = *state;
    say(self, HEAD_SSE "data: {\"error\":null}\n\n" CHUNK("\"content\":\"one\"", "\"stop\"") "data: [DONE]\n\n");
    assert_int_equal(perform(self, chat("gpt-4o-mini", "x"), true, NULL).status, STENO_OK);
}

static void an_error_beside_choices_is_one(void **state) {
    fixture *self = *state;
    static const char *const said[] = {
        "{\"id\":\"c\",\"error\":{\"code\":502,\"message\":\"Upstream gone\"},\"choices\":[{\"index\":0,\"delta\":{"
        "\"content\":\"\"},\"message\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}",
        "{\"choices\":[{\"index\":0,\"finish_reason\":\"error\",\"error\":{\"code\":502,\"message\":\"Upstream "
        "gone\"}}]}"};
    for (int i = 0; i < 4; i++) {
        char text[1024];
        const bool streamed = i / 2;
        snprintf(text, sizeof text, "%s%s%s%s", streamed ? HEAD_SSE CHUNK("\"content\":\"one\"", "null") : HEAD_JSON,
                 streamed ? "data: " : "", said[i % 2], streamed ? "\n\ndata: [DONE]\n\n" : "");
        say(self, text);
        steno_response *response = NULL;
        steno_error error = perform(self, chat("gpt-4o-mini", "x"), streamed, &response);
        assert_string_equal(error.type, "ServiceUnavailable");
        assert_string_equal(error.message, "Upstream gone");
        if (streamed) assert_string_equal(steno_response_text(response), "one");
        steno_response_free(response);
    }
}

static void usage_that_is_not_said_again_is_kept(void **state) {
    fixture *self = *state;
    say(self, HEAD_SSE
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":9,"
        "\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n"
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,"
        "\"completion_tokens\":3,\"prompt_tokens_details\":null}}\n\ndata: [DONE]\n\n");
    steno_response *response;
    assert_int_equal(perform(self, chat("gpt-4o-mini", "x"), true, &response).status, STENO_OK);
    const steno_usage usage = steno_response_usage(response);
    assert_int_equal(usage.prompt_tokens, 9);
    assert_int_equal(usage.completion_tokens, 3);
    assert_int_equal(usage.cached_tokens, 4);
    steno_response_free(response);
}

static void a_server_that_does_not_stream_is_fine_too(void **state) {
    fixture *self = *state;
    say(self, HEAD_JSON PLAIN);
    steno_response *response;
    assert_int_equal(perform(self, chat("gpt-4o-mini", "x"), true, &response).status, STENO_OK);
    assert_string_equal(steno_response_text(response), "Hi.");
    steno_response_free(response);
}

static void redirects_are_not_followed(void **state) {
    fixture *self = *state;
    char reply[256];
    snprintf(reply, sizeof reply, "HTTP/1.1 307 Go\r\nLocation: %s/elsewhere\r\nContent-Length: 0\r\n\r\n",
             script_server_url(self->server));
    say(self, reply);
    steno_error error = perform(self, chat("gpt-4o-mini", "x"), false, NULL);
    assert_int_equal(error.http_status, 307);
    assert_non_null(strstr(error.message, "redirect"));
    assert_int_equal(script_server_requests(self->server), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALL_TEST(a_stream_cut_anywhere_fails_until_its_finish_reason_and_keeps_what_came),
        CALL_TEST(the_same_where_the_length_was_promised),
        CALL_TEST(a_stream_with_one_unfinished_choice_was_cut),
        CALL_TEST(a_stream_without_all_of_the_choices_that_were_asked_for_was_cut),
        CALL_TEST(nonsense_in_mid_stream_is_malformed_and_what_came_before_is_kept),
        CALL_TEST(a_null_error_in_a_chunk_is_none),
        CALL_TEST(an_error_beside_choices_is_one),
        CALL_TEST(usage_that_is_not_said_again_is_kept),
        CALL_TEST(a_server_that_does_not_stream_is_fine_too),
        CALL_TEST(redirects_are_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
