/* Tests of whole calls (client/call.c, call_reply.c, call_events.c, sync.c, async.c) against a server that says exactly what a test wants, with
 * the events read back from the spool.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "client/steno.h"
#include "schema/spool.h"
#include "script_server.h"

#define KEY "sk-test-0123456789abcdef"
/* Longest that any awaited condition may take on a loaded machine. */
#define PATIENCE_MS 30000

typedef struct outcome {
    char type[STENO_ERROR_TYPE_BYTES];
    int count;
} outcome;

typedef struct fixture {
    char dir[32], spool[40];
    script_server *server;
    steno_client *client;
    outcome first, second, third; /* of asynchronous calls, which may end after a test that failed */
} fixture;

static void open_client(fixture *self, size_t async_max) {
    steno_error error;
    steno_config config = STENO_CONFIG_INIT;
    config.dir = self->dir;
    config.app_name = "test";
    config.api_key = KEY;
    config.base_url = script_server_url(self->server);
    config.timeout_ms = PATIENCE_MS;
    config.async_max = async_max;
    if (steno_client_new(&config, &self->client, &error)) fail_msg("%s", error.message);
}

static int set_up(void **state) {
    fixture *self = calloc(1, sizeof *self);
    strcpy(self->dir, "/tmp/steno-calls-XXXXXX");
    if (!mkdtemp(self->dir)) return -1;
    snprintf(self->spool, sizeof self->spool, "%s/spool", self->dir);
    self->server = script_server_start();
    open_client(self, 0);
    *state = self;
    return 0;
}

static int tear_down(void **state) {
    fixture *self = *state;
    char command[64];
    steno_client_free(self->client);
    script_server_stop(self->server);
    snprintf(command, sizeof command, "rm -r %s", self->dir);
    int failed = system(command);
    free(self);
    return failed;
}

/* ---- the events ---- */

typedef struct visit {
    const char *spool;
    json_t *events;
} visit;

static void read_publisher(const uint8_t publisher[SPOOL_PUBLISHER_BYTES], void *ctx) {
    visit *self = ctx;
    spool_reader *reader;
    spool_record record;
    assert_int_equal(spool_reader_open(self->spool, publisher, 1, &reader, NULL), STENO_OK);
    while (spool_read(reader, &record, NULL) == STENO_OK) {
        steno_event *event;
        steno_error error;
        if (steno_event_decode(record.bytes, record.size, &event, &error)) fail_msg("%s", error.message);
        if (steno_event_validate(event, &error)) fail_msg("%s", error.message);
        char *text = steno_event_json(event);
        json_array_append_new(self->events, json_loads(text, 0, NULL));
        free(text);
        steno_event_free(event);
    }
    spool_reader_close(reader);
}

/* Every event so far, as JSON; owned by the caller. */
static json_t *read_events(const fixture *self) {
    visit all = {.spool = self->spool, .events = json_array()};
    assert_int_equal(spool_each(self->spool, read_publisher, &all, NULL, NULL), STENO_OK);
    return all.events;
}

static const json_t *member(const json_t *object, const char *name) { return json_object_get(object, name); }

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(member(object, name));
    return text ? text : "";
}

/* The names of the events, one letter each: pre, chunk, post, success, failure. */
static void sequence(const json_t *events, char *out, size_t room) {
    size_t count = json_array_size(events);
    for (size_t i = 0; i < count && i + 1 < room; i++) {
        const char *name = text_of(json_array_get(events, i), "event");
        *out++ = !strcmp(name, "pre_api_call")    ? 'p'
                 : !strcmp(name, "stream_event")  ? 'c'
                 : !strcmp(name, "post_api_call") ? 'o'
                 : !strcmp(name, "success")       ? 'S'
                 : !strcmp(name, "failure")       ? 'F'
                                                  : '?';
    }
    *out = '\0';
}

static void expect_sequence(const json_t *events, const char *expected) {
    char names[512];
    sequence(events, names, sizeof names);
    assert_string_equal(names, expected);
}

/* ---- requests and replies ---- */

static steno_request *chat(const char *model, const char *prompt) {
    steno_request *request = steno_request_new(model);
    steno_request_add_message(request, "user", prompt);
    return request;
}

static void say(fixture *self, const char *reply) { script_server_say(self->server, reply, strlen(reply), 0, false); }

#define HEAD_JSON "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: req-7\r\nSet-Cookie: a=b\r\n\r\n"
#define HEAD_SSE "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"
#define PLAIN                                                                                                       \
    "{\"id\":\"c1\",\"object\":\"chat.completion\",\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0," \
    "\"message\":{\"role\":\"assistant\",\"content\":\"Hi.\"},\"finish_reason\":\"stop\"}],\"usage\":{"             \
    "\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7,\"prompt_tokens_details\":{\"cached_tokens\":4}}}"

#define CHUNK(delta, finish)                                                                                \
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{" delta \
    "},\"finish_reason\":" finish "}]}\n\n"
#define STREAM_TEXT "H\xC3\xA9llo"
static const char stream[] = CHUNK("\"role\":\"assistant\",\"content\":\"\"", "null")
    CHUNK("\"content\":\"H\xC3\xA9\"", "null") CHUNK("\"content\":\"llo\"", "null") CHUNK(
        "",
        "\"stop\"") "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n"
                    "data: [DONE]\n\n";

/* Makes a call and gives its error; *out (may be NULL) is what it gave. */
static steno_error perform(fixture *self, steno_request *request, bool streamed, steno_response **out) {
    steno_error error;
    steno_response *response;
    steno_status status = streamed ? steno_complete_stream(self->client, request, NULL, NULL, &response, &error)
                                   : steno_complete(self->client, request, &response, &error);
    assert_int_equal(status, error.status);
    if (out)
        *out = response;
    else
        steno_response_free(response);
    steno_request_free(request);
    return error;
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_plain_call_gives_pre_post_and_success_with_all_their_fields),
        TEST(a_stream_gives_a_chunk_event_each_and_the_assembled_response),
        TEST(the_key_is_wiped_wherever_a_reply_repeats_it),
        TEST(the_query_of_a_base_url_stays_behind_the_path_and_out_of_the_log),
        TEST(a_time_limit_of_an_attempt_is_told_as_it_was),
        TEST(a_call_that_cannot_be_sent_is_a_lone_failure),
        TEST(a_stream_cut_anywhere_fails_until_its_finish_reason_and_keeps_what_came),
        TEST(the_same_where_the_length_was_promised),
        TEST(a_stream_with_one_unfinished_choice_was_cut),
        TEST(a_stream_without_all_of_the_choices_that_were_asked_for_was_cut),
        TEST(nonsense_in_mid_stream_is_malformed_and_what_came_before_is_kept),
        TEST(a_null_error_in_a_chunk_is_none),
        TEST(an_error_beside_choices_is_one),
        TEST(usage_that_is_not_said_again_is_kept),
        TEST(a_server_that_does_not_stream_is_fine_too),
        TEST(redirects_are_not_followed),
        TEST(hooks_see_the_very_events_of_the_spool),
        TEST(a_request_may_change_right_after_it_was_started),
        TEST(a_cancelled_call_ends_although_it_waits_for_its_turn),
        TEST(a_callback_may_start_a_call_and_waiting_waits_for_it_too),
        TEST(asynchronous_streams_keep_what_came_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
