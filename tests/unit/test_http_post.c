/* Posts to a server that says exactly what a test gives it. The oracle is what arrived there, and what the peer's words must come to. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "script_server.h"
#include "subscribers/clock.h"
#include "subscribers/http_post.h"
#include "subscribers/stop_signal.h"

#define PATIENCE_MS 20000

typedef struct fixture {
    script_server *server;
    http_post *post;
} fixture;

static int set_up(void **state) {
    static fixture self;
    steno_error error;
    self.server = script_server_start();
    assert_int_equal(http_post_new(script_server_url(self.server), PATIENCE_MS, &self.post, &error), STENO_OK);
    *state = &self;
    return 0;
}

static int tear_down(void **state) {
    fixture *self = *state;
    http_post_free(self->post);
    script_server_stop(self->server);
    return 0;
}

static void say(const fixture *self, const char *reply, bool keep) {
    script_server_say(self->server, reply, reply ? strlen(reply) : 0, 0, keep);
}

/* Posts a body and returns what the reply is taken for. */
static delivery_result post_once(const fixture *self, http_reply *reply) {
    http_post_send(self->post, "application/json", "{\"a\":1}", 7, NULL, reply);
    return http_post_judge(self->post, reply);
}

#define EMPTY "Content-Length: 0\r\n\r\n"

static void request_has_body_type_and_headers(void **state) {
    fixture *self = *state;
    steno_error error;
    http_reply reply;
    const char *extra[] = {"webhook-id: 7", "X-Other: b", NULL};
    say(self, "HTTP/1.1 200 OK\r\nContent-Type: Application/JSON; charset=utf-8\r\nContent-Length: 4\r\n\r\nfine",
        true);
    assert_int_equal(http_post_header(self->post, "X-Api-Key: hush", &error), STENO_OK);
    assert_int_equal(http_post_header(self->post, "X-Empty:", &error), STENO_OK);
    http_post_send(self->post, "application/json", "{\"a\":1}", 7, extra, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "fine");
    assert_string_equal(reply.content_type, "application/json");
    char *sent = script_server_last(self->server);
    assert_non_null(strstr(sent, "POST /v1 HTTP/1.1\r\n"));
    assert_non_null(strstr(sent, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(sent, "\r\nUser-Agent: steno/"));
    assert_non_null(strstr(sent, "\r\nX-Api-Key: hush\r\n"));
    assert_non_null(strstr(sent, "\r\nX-Empty:\r\n"));
    assert_non_null(strstr(sent, "\r\nwebhook-id: 7\r\n"));
    assert_non_null(strstr(sent, "\r\nX-Other: b\r\n"));
    assert_null(strstr(sent, "Expect"));
    assert_null(strstr(sent, "Content-Encoding"));
    assert_string_equal(strstr(sent, "\r\n\r\n") + 4, "{\"a\":1}");
    free(sent);
    /* Those of one request are not in the next. */
    http_post_send(self->post, "application/json", "{}", 2, NULL, &reply);
    sent = script_server_last(self->server);
    assert_null(strstr(sent, "webhook-id"));
    assert_non_null(strstr(sent, "X-Api-Key"));
    free(sent);
}

static void content_type_of_the_user_goes_first(void **state) {
    fixture *self = *state;
    http_reply reply;
    say(self, "HTTP/1.1 204 No Content\r\n\r\n", true);
    assert_int_equal(http_post_header(self->post, "content-type: application/cloudevents+json", NULL), STENO_OK);
    assert_int_equal(post_once(self, &reply).outcome, DELIVERY_DONE);
    char *sent = script_server_last(self->server);
    assert_non_null(strstr(sent, "\r\ncontent-type: application/cloudevents+json\r\n"));
    assert_null(strstr(sent, "Content-Type:"));
    free(sent);
}

static void headers_that_would_break_a_request_are_refused(void **state) {
    fixture *self = *state;
    steno_error error;
    static const char *const wrong[] = {"no colon", ": no name",         "a b: c",    "X: a\r\nY: b",
                                        "X: a\nb",  "Content-Length: 3", "expect: x", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(http_post_header(self->post, wrong[i], &error), STENO_INVALID);
    assert_int_equal(http_post_header(self->post, "Authorization: Bearer s3cret\n", &error), STENO_INVALID);
    assert_null(strstr(error.message, "s3cret"));
    for (int i = 0; i < HTTP_POST_HEADERS_MAX; i++)
        assert_int_equal(http_post_header(self->post, "X: y", &error), STENO_OK);
    assert_int_equal(http_post_header(self->post, "X: y", &error), STENO_LIMIT);
}

static void body_is_gzip_where_asked(void **state) {
    fixture *self = *state;
    http_reply reply;
    say(self, "HTTP/1.1 200 OK\r\n" EMPTY, true);
    http_post_gzip(self->post, true);
    char body[5000];
    memset(body, 'x', sizeof body);
    for (int round = 0; round < 2; round++) {
        http_post_send(self->post, "text/plain", body, sizeof body, NULL, &reply);
        assert_int_equal(reply.status, 200);
        char *sent = script_server_last(self->server);
        assert_non_null(strstr(sent, "\r\nContent-Encoding: gzip\r\n"));
        free(sent);
    }
    /* The whole is decoded in the system tests: here its magic and its length. */
    char *sent = script_server_last(self->server);
    const char *packed = strstr(sent, "\r\n\r\n") + 4;
    assert_memory_equal(packed, "\x1f\x8b", 2);
    assert_true(strtoul(strstr(sent, "Content-Length: ") + 16, NULL, 10) < 100);
    free(sent);
}

static void statuses_mean_what_the_header_says(void **state) {
    fixture *self = *state;
    static const struct {
        int status;
        delivery_outcome outcome;
    } cases[] = {{200, DELIVERY_DONE},    {202, DELIVERY_DONE},    {204, DELIVERY_DONE},  {301, DELIVERY_LATER},
                 {302, DELIVERY_LATER},   {400, DELIVERY_REFUSED}, {401, DELIVERY_LATER}, {403, DELIVERY_LATER},
                 {404, DELIVERY_LATER},   {408, DELIVERY_LATER},   {410, DELIVERY_LATER}, {413, DELIVERY_REFUSED},
                 {422, DELIVERY_REFUSED}, {429, DELIVERY_LATER},   {500, DELIVERY_LATER}, {503, DELIVERY_LATER}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200], status[32];
        http_reply reply;
        snprintf(text, sizeof text, "HTTP/1.1 %d X\r\nLocation: /elsewhere\r\n%s", cases[i].status,
                 cases[i].status == 204 ? "\r\n" : EMPTY);
        say(self, text, true);
        size_t before = script_server_requests(self->server);
        delivery_result result = post_once(self, &reply);
        assert_int_equal(reply.status, cases[i].status);
        assert_int_equal(result.outcome, cases[i].outcome);
        assert_int_equal(result.retry_after_ms, 0);
        assert_int_equal(script_server_requests(self->server), before + 1); /* no redirect was followed */
        snprintf(status, sizeof status, "answered %d", cases[i].status);
        if (result.outcome == DELIVERY_DONE)
            assert_string_equal(result.why, "");
        else
            assert_non_null(strstr(result.why, status));
    }
}

static int64_t retry_after(const fixture *self, const char *value) {
    char text[200];
    http_reply reply;
    snprintf(text, sizeof text, "HTTP/1.1 429 Slow down\r\nRetry-After: %s\r\n" EMPTY, value);
    say(self, text, true);
    delivery_result result = post_once(self, &reply);
    assert_int_equal(result.outcome, DELIVERY_LATER);
    assert_int_equal(result.retry_after_ms, reply.retry_after_ms);
    return result.retry_after_ms;
}

static void retry_after_is_seconds_or_a_date_and_bounded(void **state) {
    fixture *self = *state;
    assert_int_equal(retry_after(self, "7"), 7000);
    assert_int_equal(retry_after(self, "0"), 0);
    assert_int_equal(retry_after(self, "3600"), HTTP_POST_RETRY_AFTER_MS_MAX);
    assert_int_equal(retry_after(self, "86400"), HTTP_POST_RETRY_AFTER_MS_MAX);
    assert_int_equal(retry_after(self, "99999999999999999999999"), 0); /* no number that anybody means */
    assert_int_equal(retry_after(self, "-5"), 0);
    assert_int_equal(retry_after(self, "soon"), 0);
    assert_int_equal(retry_after(self, "Sun, 06 Nov 1994 08:49:37 GMT"), 0);
    assert_int_equal(retry_after(self, "Fri, 31 Dec 9999 23:59:59 GMT"), HTTP_POST_RETRY_AFTER_MS_MAX);
    char date[64];
    time_t then = time(NULL) + 100;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&then));
    assert_in_range(retry_after(self, date), 80000, 100000);
    /* It is not carried over to a reply without one. */
    http_reply reply;
    say(self, "HTTP/1.1 503 X\r\n" EMPTY, true);
    assert_int_equal(post_once(self, &reply).retry_after_ms, 0);
}

static void no_answer_and_garbage_are_tried_again(void **state) {
    fixture *self = *state;
    static const struct {
        const char *bytes, *why;
    } cases[] = {{"", "closed without an answer"},
                 {"\x16\x03\x01garbage\r\n\r\n", "not HTTP"},
                 {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", "transfer closed"},
                 {"HTTP/1.1 200 OK\r\nContent-Le", "within its answer"},
                 {"HTTP/1.1 200 OK\r\n", "within its answer"},
                 {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n", "within its answer"},
                 {"HTTP/1.1 200", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        http_reply reply;
        say(self, cases[i].bytes, false);
        delivery_result result = post_once(self, &reply);
        assert_int_equal(result.outcome, DELIVERY_LATER);
        assert_int_equal(reply.status, 0);
        assert_non_null(strstr(result.why, cases[i].why));
    }
    http_reply reply;
    say(self, "HTTP/1.1 200 OK\r\n" EMPTY, true);
    assert_int_equal(post_once(self, &reply).outcome, DELIVERY_DONE);
}

static void nobody_there_is_said(void **state) {
    (void)state;
    http_post *post;
    http_reply reply;
    assert_int_equal(http_post_new("http://127.0.0.1:1/x", PATIENCE_MS, &post, NULL), STENO_OK);
    http_post_send(post, "text/plain", NULL, 0, NULL, &reply);
    delivery_result result = http_post_judge(post, &reply);
    assert_int_equal(result.outcome, DELIVERY_LATER);
    assert_non_null(strstr(result.why, "http://127.0.0.1:1/x: "));
    assert_non_null(strstr(result.why, "connect"));
    http_post_free(post);
}

static void hanging_peer_takes_no_longer_than_the_timeout(void **state) {
    fixture *self = *state;
    http_post *post;
    http_reply reply;
    say(self, NULL, true);
    assert_int_equal(http_post_new(script_server_url(self->server), 200, &post, NULL), STENO_OK);
    int64_t start = clock_ms();
    http_post_send(post, "text/plain", "x", 1, NULL, &reply);
    assert_in_range(clock_ms() - start, 150, PATIENCE_MS);
    assert_int_equal(reply.status, 0);
    assert_string_equal(reply.error, "no answer in time");
    http_post_free(post);
}

static void endless_reply_is_cut(void **state) {
    fixture *self = *state;
    static const char head[] = "HTTP/1.1 500 X\r\nContent-Length: 99999999\r\n\r\n";
    size_t size = sizeof head - 1 + HTTP_POST_REPLY_BYTES_MAX + 100000;
    char *text = malloc(size);
    memset(text, 'a', size);
    memcpy(text, head, sizeof head - 1);
    script_server_say(self->server, text, size, 0, true);
    free(text);
    http_reply reply;
    delivery_result result = post_once(self, &reply);
    assert_int_equal(reply.status, 500);
    assert_int_equal(reply.body_size, HTTP_POST_REPLY_BYTES_MAX);
    assert_int_equal(strlen(reply.body), reply.body_size);
    assert_int_equal(result.outcome, DELIVERY_LATER);
    say(self, "HTTP/1.1 200 OK\r\n" EMPTY, true);
    assert_int_equal(post_once(self, &reply).outcome, DELIVERY_DONE);
}

static void message_has_the_first_line_and_nothing_unprintable(void **state) {
    fixture *self = *state;
    http_reply reply;
    say(self, "HTTP/1.1 400 X\r\nConnection: close\r\n\r\n\r\n  field \033[31m is \xff wrong\r\nsecond line", false);
    delivery_result result = post_once(self, &reply);
    assert_non_null(strstr(result.why, ": answered 400: field ?[31m is "));
    assert_null(strstr(result.why, "second"));
    say(self, "HTTP/1.1 502 X\r\nConnection: close\r\n\r\n<!DOCTYPE html><html>", false);
    result = post_once(self, &reply);
    assert_string_equal(result.why + strlen(result.why) - 12, "answered 502");
}

static void urls_are_checked_and_their_secrets_not_shown(void **state) {
    (void)state;
    static const char *const wrong[] = {"",        "example.com",  "ftp://example.com/", "file:///etc/passwd",
                                        "http://", "https://a b/", "http://[::1/"};
    http_post *post;
    steno_error error;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(http_post_new(wrong[i], 1000, &post, &error), STENO_INVALID);
        assert_null(post);
    }
    static const char *const shown[][2] = {
        {"https://user:hush@example.com/hook?key=hush#hush", "https://example.com/hook?…"},
        {"HTTPS://Example.com", "https://Example.com/"},
        {"http://127.0.0.1:8080/a/b", "http://127.0.0.1:8080/a/b"},
        {"https://hooks.slack.com/services/T00000000/B00000000/hush5678901234567890hush",
         "https://hooks.slack.com/services/T00000000/B00000000/…"},
        {"http://[::1]:80/x", "http://[::1]:80/x"},
        {"https://api.mixpanel.com/import?strict=1", "https://api.mixpanel.com/import?…"}};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        assert_int_equal(http_post_new(shown[i][0], 1000, &post, &error), STENO_OK);
        assert_string_equal(http_post_url(post), shown[i][1]);
        http_post_free(post);
    }
    assert_int_equal(http_post_new("https://user:hush@exa mple/", 1000, &post, &error), STENO_INVALID);
    assert_null(strstr(error.message, "hush"));
}

static void password_of_the_url_is_sent_and_not_said(void **state) {
    fixture *self = *state;
    http_post *post;
    http_reply reply;
    char url[200];
    snprintf(url, sizeof url, "http://ann:hush@%s", script_server_url(self->server) + strlen("http://"));
    say(self, "HTTP/1.1 401 X\r\n" EMPTY, true);
    assert_int_equal(http_post_new(url, PATIENCE_MS, &post, NULL), STENO_OK);
    http_post_send(post, "text/plain", "x", 1, NULL, &reply);
    char *sent = script_server_last(self->server);
    assert_non_null(strstr(sent, "\r\nAuthorization: Basic YW5uOmh1c2g=\r\n"));
    free(sent);
    assert_null(strstr(http_post_judge(post, &reply).why, "hush"));
    http_post_free(post);
}

/* A peer that says back what it was sent: no secret of it is in the message, also where the message ends in the midst of one. */
static void what_is_said_back_hides_the_secrets(void **state) {
    fixture *self = *state;
    http_post *post;
    http_reply reply;
    steno_error error;
    char url[300], text[1000];
    snprintf(url, sizeof url, "http://ann:hushhush9@%s/hush5678901234567890hush/on?key=hush-key-9&b=1",
             script_server_url(self->server) + strlen("http://"));
    assert_int_equal(http_post_new(url, PATIENCE_MS, &post, &error), STENO_OK);
    assert_int_equal(http_post_header(post, "Authorization: Bearer hush.hush.hush", &error), STENO_OK);
    for (int before = 0; before < 130; before++) {
        snprintf(text, sizeof text,
                 "HTTP/1.1 401 X\r\nConnection: close\r\n\r\n%0*d Bearer hush.hush.hush, "
                 "/hush5678901234567890hush/on?key=hush-key-9&b=1, ann:hushhush9",
                 before + 1, 0);
        say(self, text, false);
        http_post_send(post, "text/plain", "x", 1, NULL, &reply);
        const delivery_result result = http_post_judge(post, &reply);
        assert_non_null(strstr(result.why, "answered 401: 0"));
        assert_null(strstr(result.why, "hu"));
        if (!before) assert_non_null(strstr(result.why, "0 Bearer …, /…/on?key=…&b=1, ann:…"));
    }
    http_post_free(post);
}

/* Sends signals to this process once a request has arrived. */
typedef struct sender {
    script_server *server;
    size_t requests;
    int signals;
} sender;

static void *send_signals(void *argument) {
    sender *self = argument;
    while (script_server_requests(self->server) < self->requests) usleep(1000);
    for (int i = 0; i < self->signals; i++) kill(getpid(), SIGTERM);
    return NULL;
}

/* The last tests: signals that have come cannot be undone. */
static void stop_signal_ends_a_request_soon_and_the_second_at_once(void **state) {
    fixture *self = *state;
    http_reply reply;
    pthread_t thread;
    assert_int_equal(stop_signal_install(NULL), STENO_OK);
    say(self, NULL, true);
    sender one = {self->server, script_server_requests(self->server) + 1, 1};
    pthread_create(&thread, NULL, send_signals, &one);
    int64_t start = clock_ms();
    post_once(self, &reply);
    pthread_join(thread, NULL);
    assert_string_equal(reply.error, "ended by a stop signal");
    assert_in_range(clock_ms() - start, HTTP_POST_STOP_MS - 10, PATIENCE_MS - 1000);
    /* That was all the time there is for a peer that hangs … */
    start = clock_ms();
    post_once(self, &reply);
    assert_string_equal(reply.error, "ended by a stop signal");
    assert_in_range(clock_ms() - start, 0, HTTP_POST_STOP_MS / 2);
    /* … and to a handle that has just begun, a second signal says the same. */
    http_post *post;
    assert_int_equal(http_post_new(script_server_url(self->server), PATIENCE_MS, &post, NULL), STENO_OK);
    sender two = {self->server, script_server_requests(self->server) + 1, 1};
    pthread_create(&thread, NULL, send_signals, &two);
    start = clock_ms();
    http_post_send(post, "text/plain", "x", 1, NULL, &reply);
    pthread_join(thread, NULL);
    assert_string_equal(reply.error, "ended by a stop signal");
    assert_in_range(clock_ms() - start, 0, HTTP_POST_STOP_MS / 2);
    http_post_free(post);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    static const struct CMUnitTest tests[] = {
        TEST(request_has_body_type_and_headers),
        TEST(content_type_of_the_user_goes_first),
        TEST(headers_that_would_break_a_request_are_refused),
        TEST(body_is_gzip_where_asked),
        TEST(statuses_mean_what_the_header_says),
        TEST(retry_after_is_seconds_or_a_date_and_bounded),
        TEST(no_answer_and_garbage_are_tried_again),
        TEST(nobody_there_is_said),
        TEST(hanging_peer_takes_no_longer_than_the_timeout),
        TEST(endless_reply_is_cut),
        TEST(what_is_said_back_hides_the_secrets),
        TEST(message_has_the_first_line_and_nothing_unprintable),
        TEST(urls_are_checked_and_their_secrets_not_shown),
        TEST(password_of_the_url_is_sent_and_not_said),
        TEST(stop_signal_ends_a_request_soon_and_the_second_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
