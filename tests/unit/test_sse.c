/* Tests of client/sse.c: the same events come out, however the bytes come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/sse.h"
#include "tests/unit/record_note.h"

static void expect(const char *stream, size_t split, const char *events) {
    buffer out = {0};
    sse parser = {.on_event = record_note, .ctx = &out};
    size_t size = strlen(stream);
    for (size_t at = 0; at < size; at += split)
        assert_int_equal(sse_feed(&parser, stream + at, size - at < split ? size - at : split, NULL), STENO_OK);
    assert_int_equal(sse_end(&parser, NULL), STENO_OK);
    assert_string_equal(buffer_text(&out), events);
    sse_free(&parser);
    buffer_free(&out);
}

static void every_split_gives_the_same_events(void **state) {
    (void)state;
    static const struct {
        const char *stream, *events;
    } cases[] = {
        {"data: one\n\ndata: two\n\n", "|one~|two~"},
        {"data: one\r\n\r\ndata: two\r\n\r\n", "|one~|two~"},
        {"data: one\r\rdata: two\r\r", "|one~|two~"},
        {"data:one\n\n", "|one~"},
        {"data:  one\n\n", "| one~"},
        {": ping\n\ndata: x\n: comment\n\n", "|x~"},
        {"data: a\ndata: b\n\n", "|a\nb~"},
        {"data\ndata\n\n", "|\n~"},
        {"data:\n\n", "|~"},
        {"event: delta\ndata: x\n\ndata: y\n\n", "delta|x~|y~"},
        {"event: nothing\n\n", ""},
        {"id: 5\nretry: 10\nother: z\ndata: x\n\n", "|x~"},
        {"\xEF\xBB\xBF"
         "data: bom\n\n",
         "|bom~"},
        {"data: h\xC3\xA9llo \xF0\x9F\x98\x80\r\n\r\n", "|h\xC3\xA9llo \xF0\x9F\x98\x80~"},
        {"data: no blank line at the end\n", "|no blank line at the end~"},
        {"data: no line end either", "|no line end either~"},
        {"\n\n\r\n\n", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t split = 1; split <= strlen(cases[i].stream) + 1; split++)
            expect(cases[i].stream, split, cases[i].events);
}

static void an_event_without_end_is_refused(void **state) {
    (void)state;
    buffer out = {0};
    sse parser = {.on_event = record_note, .ctx = &out};
    static char bytes[1 << 20];
    memset(bytes, 'x', sizeof bytes);
    steno_status status = STENO_OK;
    steno_error error;
    size_t fed = 0;
    while (!status && fed < 2 * (size_t)SSE_EVENT_BYTES_MAX) {
        status = sse_feed(&parser, bytes, sizeof bytes, &error);
        fed += sizeof bytes;
    }
    assert_int_equal(status, STENO_LIMIT);
    assert_true(fed > SSE_EVENT_BYTES_MAX);
    sse_free(&parser);
    buffer_free(&out);
}

static void the_receiver_can_end_it(void **state) {
    (void)state;
    int calls = 0;
    sse parser = {.on_event = record_refuse, .ctx = &calls};
    assert_int_equal(sse_feed(&parser, "data: a\n\ndata: b\n\n", 18, NULL), STENO_FAILED);
    assert_int_equal(calls, 1);
    sse_free(&parser);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_gives_the_same_events),
        cmocka_unit_test(an_event_without_end_is_refused),
        cmocka_unit_test(the_receiver_can_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
