/* Tests of daemon/order.c: each number once, in order, whichever way and in whatever order its event comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/clock.h"
#include "daemon/order.h"

static char folder[64];
static store *log_db;
static intake in;
static publisher *from;

static int open_intake(void **state) {
    (void)state;
    steno_error error;
    char path[96];
    uint8_t uuid[16] = {9};
    strcpy(folder, "/tmp/steno-order-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/log.db", folder);
    if (store_open(path, false, &log_db, &error) || intake_open(&in, folder, log_db, &error)) return -1;
    from = publishers_add(in.table, uuid);
    from->spooled = from->alive = true;
    return 0;
}

static int close_intake(void **state) {
    (void)state;
    char command[128];
    intake_close(&in);
    store_close(log_db);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* The event that has number `seq`. */
static const char *body(uint64_t seq, size_t *size) {
    static char bytes[64];
    int length = snprintf(bytes, sizeof bytes,
                          "\x82\xA5"
                          "event\xA6"
                          "test.n\xA1"
                          "n\xA8%08llu",
                          (unsigned long long)seq);
    *size = (size_t)length;
    return bytes;
}

static void frame(uint64_t seq) {
    size_t size;
    const char *bytes = body(seq, &size);
    order_frame(&in, from, seq, bytes, size);
}

static void mark(uint64_t seq) { order_frame(&in, from, seq, NULL, 0); }

static bool record(uint64_t seq) {
    size_t size;
    const char *bytes = body(seq, &size);
    from->record = (spool_record){.seq = seq, .bytes = bytes, .size = size};
    return order_record(&in, from);
}

static void spool_end(void) {
    assert_true(order_spool_end(&in, from));
    from->behind = false;
}

/* The batch holds exactly these numbers, with the right bodies; `text` is like "1 2 3". */
static void expect_taken(const char *text) {
    char taken[512] = "";
    for (size_t i = 0; i < in.batch.count; i++) {
        size_t size;
        const char *expected = body(in.batch.events[i].seq, &size);
        assert_memory_equal(in.batch.events[i].body->bytes, expected, size);
        sprintf(taken + strlen(taken), i ? " %llu" : "%llu", (unsigned long long)in.batch.events[i].seq);
    }
    assert_string_equal(taken, text);
}

static void expect_losses(const char *text) {
    char lost[256] = "";
    for (size_t i = 0; i < in.batch.loss_count; i++)
        sprintf(lost + strlen(lost), i ? " %llu-%llu" : "%llu-%llu", (unsigned long long)in.batch.losses[i].first_seq,
                (unsigned long long)in.batch.losses[i].last_seq);
    assert_string_equal(lost, text);
}

static void frames_in_turn_are_taken_and_lower_ones_are_duplicates(void **state) {
    (void)state;
    for (uint64_t seq = 1; seq <= 3; seq++) frame(seq);
    frame(2);
    frame(3);
    frame(4);
    expect_taken("1 2 3 4");
    assert_int_equal(in.duplicates, 2);
    assert_false(from->behind);
}

static void a_gap_is_read_from_the_spool_before_the_frame_is_taken(void **state) {
    (void)state;
    frame(1);
    frame(5);
    assert_true(from->behind);
    expect_taken("1");
    for (uint64_t seq = 1; seq <= 5; seq++) assert_true(record(seq));
    spool_end();
    frame(6);
    expect_taken("1 2 3 4 5 6");
    expect_losses("");
}

static void frames_only_on_the_bus_fill_holes_of_the_spool(void **state) {
    (void)state;
    mark(1);
    for (uint64_t seq = 3; seq <= 8; seq++) frame(seq);
    /* The spool could not keep 3, 4 and 8. */
    assert_true(record(1));
    assert_true(record(2));
    assert_true(record(5));
    assert_true(record(7));
    spool_end();
    expect_taken("1 2 3 4 5 6 7 8");
    expect_losses("");
}

static void what_is_nowhere_is_a_loss(void **state) {
    (void)state;
    mark(1);
    frame(4);
    frame(9);
    assert_true(record(1));
    assert_true(record(6)); /* 9 came by the bus, so 2, 3 and 5 won't come any more */
    spool_end();
    expect_taken("1 4 6 9");
    expect_losses("2-3 5-5 7-8");
    assert_int_equal(from->next, 10);
}

static void a_hole_waits_for_the_bus_for_a_while(void **state) {
    (void)state;
    from->behind = true;
    assert_true(record(1));
    assert_false(record(4));
    assert_true(from->retry_ms > clock_ms());
    frame(2);
    frame(3);
    assert_true(record(4));
    expect_taken("1 2 3 4");
    assert_false(record(6));
    from->hole_since_ms -= ORDER_HOLE_MS; /* as if it had been so long */
    assert_true(record(6));
    expect_taken("1 2 3 4 6");
    expect_losses("5-5");
}

static void a_mark_that_the_spool_does_not_have_is_a_loss(void **state) {
    (void)state;
    mark(2);
    assert_true(record(1));
    spool_end();
    expect_taken("1");
    expect_losses("2-2");
}

static void what_the_spool_refused_at_its_end_is_a_loss_unless_the_bus_brings_it(void **state) {
    (void)state;
    assert_true(record(1));
    from->refused = 4;
    assert_false(order_spool_end(&in, from)); /* the bus may be about to */
    assert_true(from->retry_ms > 0);
    frame(3);
    assert_false(order_spool_end(&in, from));
    expect_taken("1 3");
    expect_losses("2-2");
    from->hole_since_ms -= ORDER_HOLE_MS;
    spool_end();
    expect_losses("2-2 4-4");
    assert_int_equal(from->next, 5);
    spool_end();
    expect_losses("2-2 4-4");
}

static void a_malformed_frame_is_looked_up_in_the_spool(void **state) {
    (void)state;
    order_frame(&in, from, 1, "\xC1", 1);
    assert_int_equal(in.malformed, 1);
    assert_true(from->behind);
    assert_true(record(1));
    spool_end();
    expect_taken("1");
    expect_losses("");
}

static void without_a_spool_a_publisher_begins_where_it_is_first_heard(void **state) {
    (void)state;
    from->spooled = false;
    frame(100);
    frame(103);
    spool_end();
    expect_taken("100 103");
    expect_losses("101-102");
}

static void absurd_jumps_are_dropped(void **state) {
    (void)state;
    frame(1);
    frame((UINT64_C(1) << 32) + 3);
    frame(2);
    expect_taken("1 2");
    expect_losses("");
    assert_int_equal(in.malformed, 1);
}

static void a_full_batch_leaves_the_rest_for_the_next(void **state) {
    (void)state;
    from->behind = true;
    uint64_t seq = 1;
    while (record(seq)) seq++;
    assert_int_equal(seq, BATCH_EVENTS_MAX + 1);
    assert_int_equal(in.batch.count, BATCH_EVENTS_MAX);
    steno_error error;
    assert_int_equal(store_write(log_db, &in.batch, &error), STENO_OK);
    intake_stored(&in);
    assert_true(record(seq));
    assert_int_equal(from->next, BATCH_EVENTS_MAX + 2);
}

static void held_frames_are_bounded(void **state) {
    (void)state;
    mark(1);
    for (uint64_t seq = 2; seq < 2 * HELD_FRAMES_MAX; seq++) frame(seq);
    size_t held = 0;
    for (const held_frame *one = from->held; one; one = one->after) held++;
    assert_int_equal(held, HELD_FRAMES_MAX);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_intake, close_intake)
    const struct CMUnitTest tests[] = {
        TEST(frames_in_turn_are_taken_and_lower_ones_are_duplicates),
        TEST(a_gap_is_read_from_the_spool_before_the_frame_is_taken),
        TEST(frames_only_on_the_bus_fill_holes_of_the_spool),
        TEST(what_is_nowhere_is_a_loss),
        TEST(a_hole_waits_for_the_bus_for_a_while),
        TEST(a_mark_that_the_spool_does_not_have_is_a_loss),
        TEST(what_the_spool_refused_at_its_end_is_a_loss_unless_the_bus_brings_it),
        TEST(a_malformed_frame_is_looked_up_in_the_spool),
        TEST(without_a_spool_a_publisher_begins_where_it_is_first_heard),
        TEST(absurd_jumps_are_dropped),
        TEST(a_full_batch_leaves_the_rest_for_the_next),
        TEST(held_frames_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
