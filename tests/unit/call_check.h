/* Whole calls against a server that says exactly what a test wants, with the events read back from the spool. */
#ifndef TEST_CALL_CHECK_H
#define TEST_CALL_CHECK_H

#include <jansson.h>

#include "client/steno.h"
#include "tests/unit/script_server.h"

#define KEY "sk-test-0123456789abcdef"
/* Longest that any awaited condition may take on a loaded machine. */
#define PATIENCE_MS 30000

/* How an asynchronous call ended. */
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

/* A server and a client of it: what *state is in a CALL_TEST. */
int call_set_up(void **state);
int call_tear_down(void **state);
#define CALL_TEST(name) cmocka_unit_test_setup_teardown(name, call_set_up, call_tear_down)
/* A client with this many asynchronous calls on the wire at once (0: the default), where there is none. */
void open_client(fixture *self, size_t async_max);

/* Every event so far, as JSON; owned by the caller. */
json_t *read_events(const fixture *self);
const json_t *member(const json_t *object, const char *name);
/* A member that is a text; "" if it is none. Borrowed. */
const char *text_of(const json_t *object, const char *name);
/* The names of the events, one letter each: pre, chunk, pOst, Success, Failure. */
void sequence(const json_t *events, char *out, size_t room);
void expect_sequence(const json_t *events, const char *expected);

/* A request with one message of the user's. */
steno_request *chat(const char *model, const char *prompt);
/* What the server answers from now on. */
void say(fixture *self, const char *reply);
/* Makes a call, frees the request, and gives the call's error; *out (may be NULL) is what it gave. */
steno_error perform(fixture *self, steno_request *request, bool streamed, steno_response **out);

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
#define STREAM_FIRST CHUNK("\"role\":\"assistant\",\"content\":\"\"", "null") CHUNK("\"content\":\"H\xC3\xA9\"", "null")
#define STREAM_LAST CHUNK("\"content\":\"llo\"", "null") CHUNK("", "\"stop\"")
#define STREAM_USAGE "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n"
/* A whole stream of it. */
#define STREAM STREAM_FIRST STREAM_LAST STREAM_USAGE "data: [DONE]\n\n"

#endif
