/* Tests of client/aws_frames.c: the same events come out, however the bytes come in; nothing that is wrong comes out at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "client/aws_frames.h"
#include "tests/unit/record_note.h"

static void put_number(unsigned char *at, size_t number) {
    for (int i = 3; i >= 0; i--, number >>= 8) at[i] = (unsigned char)number;
}

static void add_number(buffer *to, size_t number, size_t bytes) {
    unsigned char out[4];
    put_number(out, number);
    buffer_add(to, out + 4 - bytes, bytes);
}

static void add_text_header(buffer *to, const char *name, const char *value) {
    add_number(to, strlen(name), 1);
    buffer_add(to, name, strlen(name));
    add_number(to, 7, 1);
    add_number(to, strlen(value), 2);
    buffer_add(to, value, strlen(value));
}

/* Right checksums over whatever the lengths say. */
static void add_frame_of(buffer *to, size_t total, size_t headers_size, const buffer *content) {
    buffer frame = {0};
    add_number(&frame, total, 4);
    add_number(&frame, headers_size, 4);
    add_number(&frame, crc32(0, (unsigned char *)frame.bytes, 8), 4);
    buffer_add(&frame, content->bytes, content->size);
    add_number(&frame, crc32(0, (unsigned char *)frame.bytes, (uInt)frame.size), 4);
    buffer_add(to, frame.bytes, frame.size);
    buffer_free(&frame);
}

static void add_frame(buffer *to, const buffer *headers, const char *payload) {
    buffer content = {0};
    buffer_add(&content, headers->bytes, headers->size);
    buffer_add(&content, payload, strlen(payload));
    add_frame_of(to, content.size + 16, headers->size, &content);
    buffer_free(&content);
}

static void add_event(buffer *to, const char *message_type, const char *header, const char *type, const char *payload) {
    buffer headers = {0};
    add_text_header(&headers, header, type);
    add_text_header(&headers, ":content-type", "application/json");
    add_text_header(&headers, ":message-type", message_type);
    add_frame(to, &headers, payload);
    buffer_free(&headers);
}

static steno_status feed(const buffer *stream, size_t size, size_t split, buffer *out) {
    aws_frames parser = {.on_frame = record_note, .ctx = out};
    steno_status status = STENO_OK;
    for (size_t at = 0; !status && at < size; at += split)
        status = aws_frames_feed(&parser, stream->bytes + at, size - at < split ? size - at : split, NULL);
    if (!status) status = aws_frames_end(&parser, NULL);
    aws_frames_free(&parser);
    return status;
}

static void every_split_gives_the_same_events(void **state) {
    (void)state;
    buffer stream = {0};
    add_event(&stream, "event", ":event-type", "messageStart", "{\"role\":\"assistant\"}");
    add_event(&stream, "event", ":event-type", "contentBlockDelta", "");
    add_event(&stream, "exception", ":exception-type", "throttlingException", "{\"message\":\"slow\"}");
    const char *expected = "messageStart|{\"role\":\"assistant\"}~contentBlockDelta|~"
                           "exception:throttlingException|{\"message\":\"slow\"}~";
    for (size_t split = 1; split <= stream.size; split++) {
        buffer out = {0};
        assert_int_equal(feed(&stream, stream.size, split, &out), STENO_OK);
        assert_string_equal(buffer_text(&out), expected);
        buffer_free(&out);
    }
    /* in two pieces, at every place */
    for (size_t at = 0; at <= stream.size; at++) {
        buffer out = {0};
        aws_frames parser = {.on_frame = record_note, .ctx = &out};
        assert_int_equal(aws_frames_feed(&parser, stream.bytes, at, NULL), STENO_OK);
        assert_int_equal(aws_frames_feed(&parser, stream.bytes + at, stream.size - at, NULL), STENO_OK);
        assert_int_equal(aws_frames_end(&parser, NULL), STENO_OK);
        assert_string_equal(buffer_text(&out), expected);
        aws_frames_free(&parser);
        buffer_free(&out);
    }
    buffer_free(&stream);
}

static void a_stream_that_ends_within_a_frame_is_not_whole(void **state) {
    (void)state;
    buffer stream = {0};
    add_event(&stream, "event", ":event-type", "a", "{}");
    for (size_t size = 0; size <= stream.size; size++) {
        buffer out = {0};
        bool whole = size == 0 || size == stream.size;
        assert_int_equal(feed(&stream, size, 5, &out), whole ? STENO_OK : STENO_CORRUPT);
        assert_string_equal(buffer_text(&out), size == stream.size ? "a|{}~" : "");
        buffer_free(&out);
    }
    buffer_free(&stream);
}

static void a_flipped_bit_anywhere_is_found(void **state) {
    (void)state;
    buffer stream = {0};
    add_event(&stream, "event", ":event-type", "a", "{\"b\":1}");
    for (size_t bit = 0; bit < 8 * stream.size; bit++) {
        buffer out = {0};
        stream.bytes[bit / 8] = (char)(stream.bytes[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(feed(&stream, stream.size, stream.size, &out), STENO_CORRUPT);
        assert_int_equal(out.size, 0);
        stream.bytes[bit / 8] = (char)(stream.bytes[bit / 8] ^ 1 << bit % 8);
        buffer_free(&out);
    }
    buffer_free(&stream);
}

static void headers_of_all_types_are_passed_over(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
    for (size_t type = 0; type < 10; type++) {
        buffer headers = {0}, stream = {0}, out = {0};
        /* the name of one that counts, but of a type that does not, and any text as its value */
        add_number(&headers, 11, 1);
        buffer_add(&headers, type == 7 ? ":other-type" : ":event-type", 11);
        add_number(&headers, type, 1);
        if (type == 6 || type == 7) add_number(&headers, 300, 2);
        for (size_t i = 0; i < (type == 6 || type == 7 ? 300 : sizes[type]); i++) buffer_add(&headers, "\x07", 1);
        buffer before = {0};
        buffer_add(&before, headers.bytes, headers.size);
        add_text_header(&headers, ":event-type", "found");
        add_frame(&stream, &headers, "x");
        assert_int_equal(feed(&stream, stream.size, 7, &out), STENO_OK);
        assert_string_equal(buffer_text(&out), "found|x~");
        /* cut short by a byte it is refused */
        stream.size = 0;
        before.size -= 1;
        add_frame(&stream, &before, "x");
        buffer_clear(&out);
        assert_int_equal(feed(&stream, stream.size, 7, &out), STENO_CORRUPT);
        assert_int_equal(out.size, 0);
        buffer_free(&headers);
        buffer_free(&before);
        buffer_free(&stream);
        buffer_free(&out);
    }
}

static void headers_that_are_not_formed_right_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"\x00\x07\x00\x00", 4},     /* no name */
        {"\x01x\x0a", 3},            /* a type that there is not */
        {"\x01x\xff", 3},            /* another one */
        {"\x05x", 2},                /* a name that is cut */
        {"\x01x", 2},                /* no type */
        {"\x01x\x07\x00", 4},        /* half a length */
        {"\x01x\x07\x00\x02y", 6},   /* fewer bytes than it says */
        {"\x01x\x07\xff\xff yz", 8}, /* many fewer */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer headers = {0}, stream = {0}, out = {0};
        buffer_add(&headers, cases[i].bytes, cases[i].size);
        add_frame(&stream, &headers, "{}");
        assert_int_equal(feed(&stream, stream.size, 3, &out), STENO_CORRUPT);
        assert_int_equal(out.size, 0);
        buffer_free(&headers);
        buffer_free(&stream);
        buffer_free(&out);
    }
}

static void absurd_lengths_are_refused_at_once(void **state) {
    (void)state;
    static const struct {
        size_t total, headers;
        steno_status status;
    } cases[] = {
        {0, 0, STENO_CORRUPT},
        {12, 0, STENO_CORRUPT},
        {15, 0, STENO_CORRUPT},
        {100, 85, STENO_CORRUPT},
        {100, 0xFFFFFFFF, STENO_LIMIT},
        {0xFFFFFFFF, 10, STENO_LIMIT},
        {AWS_FRAME_BYTES_MAX + 1, 10, STENO_LIMIT},
        {AWS_FRAME_BYTES_MAX, AWS_FRAME_HEADERS_BYTES_MAX + 1, STENO_LIMIT},
    };
    buffer content = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer stream = {0}, out = {0};
        add_frame_of(&stream, cases[i].total, cases[i].headers, &content);
        assert_int_equal(feed(&stream, 12, 12, &out), cases[i].status);
        buffer_free(&stream);
        buffer_free(&out);
    }
}

static void the_longest_frame_is_read(void **state) {
    (void)state;
    buffer content = {0}, stream = {0}, out = {0};
    add_text_header(&content, ":event-type", "big");
    size_t headers = content.size;
    static char block[4096];
    memset(block, 'x', sizeof block);
    while (content.size + 16 < AWS_FRAME_BYTES_MAX) {
        size_t left = AWS_FRAME_BYTES_MAX - 16 - content.size;
        buffer_add(&content, block, left < sizeof block ? left : sizeof block);
    }
    add_frame_of(&stream, AWS_FRAME_BYTES_MAX, headers, &content);
    assert_int_equal(feed(&stream, stream.size, 65536, &out), STENO_OK);
    assert_int_equal(out.size, strlen("big|~") + AWS_FRAME_BYTES_MAX - 16 - headers);
    buffer_free(&content);
    buffer_free(&stream);
    buffer_free(&out);
}

static void an_error_without_payload_is_told_as_an_exception(void **state) {
    (void)state;
    buffer headers = {0}, stream = {0}, out = {0};
    add_text_header(&headers, ":message-type", "error");
    add_text_header(&headers, ":error-code", "InternalError");
    add_text_header(&headers, ":error-message", "say \"why\"");
    add_frame(&stream, &headers, "");
    headers.size = 0;
    add_text_header(&headers, ":message-type", "error");
    add_text_header(&headers, ":error-message", "\xff");
    add_frame(&stream, &headers, "");
    assert_int_equal(feed(&stream, stream.size, 9, &out), STENO_OK);
    assert_string_equal(buffer_text(&out),
                        "exception:InternalError|{\"message\":\"say \\\"why\\\"\"}~exception:|{\"message\":\"\"}~");
    buffer_free(&headers);
    buffer_free(&stream);
    buffer_free(&out);
}

static void a_frame_without_type_has_no_name_and_one_with_a_long_type_is_refused(void **state) {
    (void)state;
    buffer headers = {0}, stream = {0}, out = {0};
    add_frame(&stream, &headers, "{}");
    assert_int_equal(feed(&stream, stream.size, 9, &out), STENO_OK);
    assert_string_equal(buffer_text(&out), "|{}~");
    char type[AWS_FRAME_NAME_BYTES + 1];
    memset(type, 'a', sizeof type - 1);
    type[sizeof type - 1] = '\0';
    for (int i = 0; i < 2; i++) {
        stream.size = 0;
        buffer_clear(&out);
        add_event(&stream, "event", ":event-type", type + i, "x");
        assert_int_equal(feed(&stream, stream.size, 9, &out), i ? STENO_OK : STENO_CORRUPT);
        assert_int_equal(out.size, i ? AWS_FRAME_NAME_BYTES - 1 + strlen("|x~") : 0);
    }
    buffer_free(&headers);
    buffer_free(&stream);
    buffer_free(&out);
}

static void the_receiver_can_end_it(void **state) {
    (void)state;
    int calls = 0;
    buffer stream = {0};
    add_event(&stream, "event", ":event-type", "a", "{}");
    add_event(&stream, "event", ":event-type", "b", "{}");
    aws_frames parser = {.on_frame = record_refuse, .ctx = &calls};
    assert_int_equal(aws_frames_feed(&parser, stream.bytes, stream.size, NULL), STENO_FAILED);
    assert_int_equal(calls, 1);
    aws_frames_free(&parser);
    buffer_free(&stream);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_gives_the_same_events),
        cmocka_unit_test(a_stream_that_ends_within_a_frame_is_not_whole),
        cmocka_unit_test(a_flipped_bit_anywhere_is_found),
        cmocka_unit_test(headers_of_all_types_are_passed_over),
        cmocka_unit_test(headers_that_are_not_formed_right_are_refused),
        cmocka_unit_test(absurd_lengths_are_refused_at_once),
        cmocka_unit_test(the_longest_frame_is_read),
        cmocka_unit_test(an_error_without_payload_is_told_as_an_exception),
        cmocka_unit_test(a_frame_without_type_has_no_name_and_one_with_a_long_type_is_refused),
        cmocka_unit_test(the_receiver_can_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
