/* Tests of daemon/ingress_header.c: the header frame is taken in every form that msgpack allows, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/ingress.h"

static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/* Header with the given bytes before and after the publisher. */
static size_t build(uint8_t *out, const void *before, size_t before_size, const void *after, size_t after_size) {
    memcpy(out, before, before_size);
    memcpy(out + before_size, uuid, sizeof uuid);
    memcpy(out + before_size + sizeof uuid, after, after_size);
    return before_size + sizeof uuid + after_size;
}

static void expect(uint64_t expected, const void *after, size_t after_size) {
    uint8_t bytes[64], id[16];
    uint64_t seq = 0;
    size_t size = build(bytes, "\x93\x01\xC4\x10", 4, after, after_size);
    assert_true(ingress_header(bytes, size, id, &seq));
    assert_memory_equal(id, uuid, 16);
    assert_int_equal(seq, expected);
}

static void sequence_of_any_width_is_read(void **state) {
    (void)state;
    expect(5, "\x05", 1);
    expect(200, "\xCC\xC8", 2);
    expect(0x1234, "\xCD\x12\x34", 3);
    expect(0x12345678, "\xCE\x12\x34\x56\x78", 5);
    expect(0x0102030405060708, "\xCF\x01\x02\x03\x04\x05\x06\x07\x08", 9);
}

static void anything_else_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *before, *after;
        size_t before_size, after_size;
    } wrong[] = {
        {"\x92\x01\xC4\x10", "\x05", 4, 1},                                 /* another array */
        {"\x93\x02\xC4\x10", "\x05", 4, 1},                                 /* another version */
        {"\x93\x01\xC4\x0F", "\x05", 4, 1},                                 /* another size */
        {"\x93\x01\xB0\x10", "\x05", 4, 1},                                 /* no bytes */
        {"\x93\x01\xC4\x10", "\x00", 4, 1},                                 /* sequences begin with 1 */
        {"\x93\x01\xC4\x10", "\xFF", 4, 1},                                 /* -1 */
        {"\x93\x01\xC4\x10", "\x05\x05", 4, 2},                             /* more after it */
        {"\x93\x01\xC4\x10", "\xCF\x80\x00\x00\x00\x00\x00\x00\x00", 4, 9}, /* not in SQLite's range */
    };
    uint8_t bytes[64], id[16];
    uint64_t seq;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t size = build(bytes, wrong[i].before, wrong[i].before_size, wrong[i].after, wrong[i].after_size);
        assert_false(ingress_header(bytes, size, id, &seq));
    }
}

static void a_header_cut_anywhere_is_refused(void **state) {
    (void)state;
    uint8_t bytes[64], id[16];
    uint64_t seq;
    size_t whole = build(bytes, "\x93\x01\xC4\x10", 4, "\xCF\x00\x00\x00\x00\x00\x00\x00\x07", 9);
    for (size_t size = 0; size < whole; size++) {
        uint8_t *cut = malloc(size ? size : 1); /* of exactly that size, for the sanitizer */
        memcpy(cut, bytes, size);
        assert_false(ingress_header(cut, size, id, &seq));
        free(cut);
    }
    assert_true(ingress_header(bytes, whole, id, &seq));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequence_of_any_width_is_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_header_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
