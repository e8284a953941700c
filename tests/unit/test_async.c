/* Tests of client/async.c: calls that go on while the application does something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/call_check.h"

/* ---- asynchronous calls ---- */

static void note_outcome(steno_response *response, const steno_error *error, void *ctx) {
    outcome *self = ctx;
    strcpy(self->type, error->status ? error->type : "ok");
    self->count++;
    steno_response_free(response);
}

static void wait_for_requests(fixture *self, size_t count) {
    for (int i = 0; script_server_requests(self->server) < count; i++) {
        if (i == PATIENCE_MS) fail_msg("the server never got %zu requests", count);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void a_request_may_change_right_after_it_was_started(void **state) {
    fixture *self = *state;
    steno_client_free(self->client);
    open_client(self, 1);
    script_server_say(self->server, NULL, 0, 0, false);
    steno_call *blocker;
    steno_request *request = chat("gpt-4o-mini", "first");
    steno_complete_async(self->client, request, note_outcome, &self->first, &blocker, NULL);
    wait_for_requests(self, 1);
    say(self, HEAD_JSON PLAIN);
    steno_complete_async(self->client, request, note_outcome, &self->second, NULL, NULL); /* waits for its turn */
    steno_request_add_message(request, "user", "added later");
    steno_request_free(request);
    steno_call_cancel(blocker);
    assert_int_equal(steno_wait(self->client, PATIENCE_MS, NULL), STENO_OK);
    assert_string_equal(self->first.type, "Cancelled");
    assert_string_equal(self->second.type, "ok");
    steno_call_free(blocker);
    json_t *events = read_events(self);
    char *text = json_dumps(events, 0);
    assert_null(strstr(text, "added later"));
    free(text);
    json_decref(events);
}

static void a_cancelled_call_ends_although_it_waits_for_its_turn(void **state) {
    fixture *self = *state;
    steno_client_free(self->client);
    open_client(self, 1);
    script_server_say(self->server, NULL, 0, 0, false);
    steno_call *waiting;
    steno_request *request = chat("gpt-4o-mini", "x");
    steno_complete_async(self->client, request, note_outcome, &self->first, NULL, NULL);
    wait_for_requests(self, 1);
    steno_complete_async(self->client, request, note_outcome, &self->second, &waiting, NULL);
    steno_complete_async(self->client, request, note_outcome, &self->third, NULL, NULL);
    steno_request_free(request);
    steno_call_cancel(waiting);
    assert_int_equal(steno_call_wait(waiting, PATIENCE_MS / 2, NULL), STENO_OK);
    assert_string_equal(self->second.type, "Cancelled");
    assert_int_equal(self->first.count + self->third.count, 0);
    steno_call_free(waiting);
    steno_client_free(self->client);
    self->client = NULL;
    assert_string_equal(self->first.type, "Cancelled");
    assert_string_equal(self->third.type, "Cancelled");
    assert_int_equal(self->first.count + self->second.count + self->third.count, 3);
    json_t *events = read_events(self);
    /* The second call's failure is a lone one; the first was on the wire, the third never. */
    char names[16];
    sequence(events, names, sizeof names);
    assert_true(!strcmp(names, "pFoFF") || !strcmp(names, "pFFoF"));
    json_decref(events);
}

static void add_from_callback(steno_response *response, const steno_error *error, void *ctx) {
    fixture *self = ctx;

    assert_int_equal(error->status, STENO_OK);
    steno_response_free(response);
    steno_request *request = chat("gpt-4o-mini", "nested");
    steno_complete_async(self->client, request, note_outcome, &self->second, NULL, NULL);
    steno_request_free(request);
}

static void a_callback_may_start_a_call_and_waiting_waits_for_it_too(void **state) {
    fixture *self = *state;
    say(self, HEAD_JSON PLAIN);
    steno_request *request = chat("gpt-4o-mini", "x");
    steno_complete_async(self->client, request, add_from_callback, self, NULL, NULL);
    steno_request_free(request);
    assert_int_equal(steno_wait(self->client, PATIENCE_MS, NULL), STENO_OK);
    json_t *events = read_events(self);
    expect_sequence(events, "poSpoS");
    json_decref(events);
}

static void asynchronous_streams_keep_what_came_too(void **state) {
    fixture *self = *state;
    say(self, HEAD_SSE CHUNK("\"content\":\"one\"", "null"));
    steno_request *request = chat("gpt-4o-mini", "x");
    steno_complete_stream_async(self->client, request, NULL, note_outcome, &self->first, NULL, NULL);
    steno_request_free(request);
    assert_int_equal(steno_wait(self->client, PATIENCE_MS, NULL), STENO_OK);
    assert_string_equal(self->first.type, "Connection");
    json_t *events = read_events(self);
    expect_sequence(events, "pcoF");
    assert_string_equal(text_of(json_array_get(events, 3), "call_type"), "acompletion");
    assert_non_null(member(json_array_get(events, 3), "response"));
    json_decref(events);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALL_TEST(a_request_may_change_right_after_it_was_started),
        CALL_TEST(a_cancelled_call_ends_although_it_waits_for_its_turn),
        CALL_TEST(a_callback_may_start_a_call_and_waiting_waits_for_it_too),
        CALL_TEST(asynchronous_streams_keep_what_came_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
