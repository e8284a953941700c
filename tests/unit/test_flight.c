/* subscribers/flight.c: what is handled out of order never makes a hole. And jsonl_tail.c: a line is the same only if every byte is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "subscribers/flight.h"
#include "subscribers/jsonl_tail.h"

static flight_item *take(flight *flying, uint64_t offset) {
    steno_draft *draft = steno_draft_new();
    steno_event *event;
    const void *body;
    size_t size;
    steno_draft_start(draft);
    steno_draft_string(draft, "event", "success");
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    assert_int_equal(steno_event_decode(body, size, &event, NULL), STENO_OK);
    steno_event_set_offset(event, offset);
    flight_item *item = flight_take(flying, event);
    steno_event_free(event);
    steno_draft_free(draft); /* the item has bytes of its own */
    assert_non_null(item);
    assert_string_equal(steno_event_name(item->event), "success");
    return item;
}

static void only_what_has_no_hole_below_is_settled(void **state) {
    (void)state;
    flight *flying = flight_new(4, 1 << 20);
    uint64_t offset = 0;
    flight_item *items[4];
    const uint64_t offsets[] = {10, 11, 15, 20};
    for (size_t round = 0; round < 5; round++) { /* the ring turns */
        for (size_t i = 0; i < 4; i++) items[i] = take(flying, 100 * round + offsets[i]);
        assert_true(flight_full(flying));
        assert_ptr_equal(flight_find(flying, 100 * round + 15), items[2]);
        assert_null(flight_find(flying, 100 * round + 14));
        flight_done(flying, items[1]);
        flight_done(flying, items[3]);
        assert_int_equal(flight_settle(flying, &offset), 0);
        flight_done(flying, items[0]);
        assert_int_equal(flight_settle(flying, &offset), 2);
        assert_int_equal(offset, 100 * round + 11);
        flight_done(flying, items[2]);
        assert_int_equal(flight_settle(flying, &offset), 2);
        assert_int_equal(offset, 100 * round + 20);
        assert_int_equal(flight_count(flying), 0);
    }
    flight_free(flying);
}

static void bytes_are_bounded_and_those_that_are_done_count_no_more(void **state) {
    (void)state;
    flight *flying = flight_new(100, 20); /* an event has 15 bytes */
    assert_false(flight_full(flying));
    take(flying, 1);
    assert_false(flight_full(flying));
    flight_item *second = take(flying, 2);
    assert_true(flight_full(flying));
    flight_done(flying, second);
    assert_false(flight_full(flying));
    flight_free(flying);
}

static bool is_it(const flight_item *item, const void *ctx) { return item == ctx; }

static void what_somebody_works_on_outlives_a_moved_cursor(void **state) {
    (void)state;
    flight *flying = flight_new(4, 1 << 20);
    uint64_t offset;
    take(flying, 1);
    flight_item *busy = take(flying, 2);
    flight_forget(flying, is_it, busy);
    assert_int_equal(flight_count(flying), 0);
    assert_true(busy->forgotten);
    assert_int_equal(steno_event_offset(busy->event), 2);
    flight_item *again = take(flying, 1);
    flight_done(flying, busy); /* is nothing to those that are in flight now */
    assert_int_equal(flight_settle(flying, &offset), 0);
    flight_done(flying, again);
    assert_int_equal(flight_settle(flying, &offset), 1);
    flight_free(flying);
}

static void offset_is_read_from_a_lines_end_alone(void **state) {
    (void)state;
    const struct {
        const char *line;
        uint64_t offset;
    } cases[] = {
        {"{\"event\":\"x\",\"offset\":17}", 17},
        {"{\"offset\":3,\"event\":\"x\",\"offset\":17}", 17},
        {"{\"offset\":17}", 0}, /* ours has a field before it */
        {"{\"event\":\"x\",\"offset\":17", 0},
        {"{\"event\":\"x\",\"offset\":}", 0},
        {"{\"event\":\"x\",\"onset\":17}", 0},
        {"}", 0},
        {"", 0},
        {"17}", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(jsonl_tail_offset(cases[i].line, strlen(cases[i].line)), cases[i].offset);
}

static void line_is_known_only_if_every_byte_is_the_same(void **state) {
    (void)state;
    static const char LINES[] = "rn\",\"offset\":4}\n{\"a\":1,\"offset\":7}\nnone of ours\n{\"a\":1,\"offset\":5}\n"
                                "{\"a\":2,\"offset\":7}\n{\"a\":1,\"offset\":9}";
    static const char SEVEN[] = "{\"a\":1,\"offset\":7}\n", OTHER[] = "{\"a\":2,\"offset\":7}\n",
                      NEITHER[] = "{\"a\":3,\"offset\":7}\n", TORN[] = "{\"a\":1,\"offset\":9}\n";
    jsonl_tail *tail = jsonl_tail_new();
    assert_false(jsonl_tail_has(tail, 7, SEVEN, strlen(SEVEN)));
    assert_true(jsonl_tail_add(tail, LINES, strlen(LINES)));
    assert_true(jsonl_tail_has(tail, 7, SEVEN, strlen(SEVEN)));
    assert_true(jsonl_tail_has(tail, 7, OTHER, strlen(OTHER)));
    assert_false(jsonl_tail_has(tail, 7, NEITHER, strlen(NEITHER)));
    assert_false(jsonl_tail_has(tail, 8, SEVEN, strlen(SEVEN)));
    assert_false(jsonl_tail_has(tail, 9, TORN, strlen(TORN)));
    jsonl_tail_free(tail);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_has_no_hole_below_is_settled),
        cmocka_unit_test(bytes_are_bounded_and_those_that_are_done_count_no_more),
        cmocka_unit_test(what_somebody_works_on_outlives_a_moved_cursor),
        cmocka_unit_test(offset_is_read_from_a_lines_end_alone),
        cmocka_unit_test(line_is_known_only_if_every_byte_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
