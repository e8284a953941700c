/* subscribers/subscriber.c for programs that say themselves what is handled: the cursor never passes what they hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "subscribers/clock.h"
#include "subscribers/steno_subscriber.h"
#include "tests/unit/fake_daemon.h"

#define PATIENCE_MS 10000
#define QUIET_MS 150

static steno_subscriber *subscribe(fake_daemon *fake, const char *const *topics) {
    steno_subscriber_config config = STENO_SUBSCRIBER_CONFIG_INIT;
    config.dir = fake->dir;
    config.name = "holder";
    config.topics = topics;
    config.commit_ms = 1;
    config.manual = true;
    steno_subscriber *subscriber;
    assert_int_equal(steno_subscriber_new(&config, &subscriber, NULL), STENO_OK);
    fake_wait_for_subscriber(fake);
    return subscriber;
}

static uint64_t next_within(fake_daemon *fake, steno_subscriber *subscriber, int64_t ms) {
    const int64_t deadline = clock_after(ms);
    const steno_event *event;
    while (clock_until(deadline) > 0) {
        fake_pump(fake);
        if (!steno_subscriber_next(subscriber, 1, &event, NULL)) return steno_event_offset(event);
    }
    return 0;
}

static void expect(fake_daemon *fake, steno_subscriber *subscriber, uint64_t first, uint64_t last, uint64_t step) {
    for (uint64_t offset = first; offset <= last; offset += step)
        assert_int_equal(next_within(fake, subscriber, PATIENCE_MS), offset);
}

/* Works without taking events until the stored cursor is `offset`. */
static void expect_cursor(fake_daemon *fake, steno_subscriber *subscriber, uint64_t offset) {
    const int64_t deadline = clock_after(PATIENCE_MS);
    while (fake->cursor != offset && clock_until(deadline) > 0) {
        fake_pump(fake);
        steno_subscriber_pause(subscriber, 1, NULL);
    }
    assert_int_equal(fake->cursor, offset);
}

static void append(fake_daemon *fake, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) fake_append(fake, name, "c");
}

static void end(fake_daemon *fake, steno_subscriber *subscriber) {
    steno_subscriber_free(subscriber);
    fake_free(fake);
}

static void cursor_follows_what_is_said_to_be_handled(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 10, "success");
    steno_subscriber *subscriber = subscribe(fake, NULL);
    expect(fake, subscriber, 1, 10, 1);
    assert_int_equal(next_within(fake, subscriber, QUIET_MS), 0);
    assert_int_equal(fake->cursor, 0);
    steno_subscriber_handled(subscriber, 4);
    expect_cursor(fake, subscriber, 4);
    steno_subscriber_handled(subscriber, 3);  /* is handled already */
    steno_subscriber_handled(subscriber, 11); /* was never handed out */
    assert_int_equal(next_within(fake, subscriber, QUIET_MS), 0);
    assert_int_equal(fake->cursor, 4);
    steno_subscriber_handled(subscriber, 10);
    expect_cursor(fake, subscriber, 10);
    end(fake, subscriber);
}

static void what_does_not_match_is_passed_with_what_was_handed_out_before_it(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 5, "pre_api_call");
    fake_append(fake, "failure", "c"); /* 6 */
    append(fake, 5, "pre_api_call");   /* to 11 */
    steno_subscriber *subscriber = subscribe(fake, (const char *const[]){"failure.", NULL});
    expect(fake, subscriber, 6, 6, 1);
    assert_int_equal(next_within(fake, subscriber, QUIET_MS), 0);
    assert_int_equal(steno_subscriber_offset(subscriber), 11);
    assert_in_range(fake->cursor, 0, 5); /* 6 is held */
    steno_subscriber_handled(subscriber, 6);
    expect_cursor(fake, subscriber, 11);
    append(fake, 7, "pre_api_call"); /* nothing is held: they count by themselves */
    fake_heartbeat(fake, 18);
    for (int i = 0; i < 100 && fake->cursor != 18; i++) next_within(fake, subscriber, 20);
    assert_int_equal(fake->cursor, 18);
    end(fake, subscriber);
}

static void malformed_event_does_not_carry_the_cursor_over_what_is_held(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 2, "success");
    fake_append_raw(fake, "success.x", "\xc1", 1);
    steno_subscriber *subscriber = subscribe(fake, NULL);
    expect(fake, subscriber, 1, 2, 1);
    assert_int_equal(next_within(fake, subscriber, QUIET_MS), 0);
    assert_int_equal(fake->cursor, 0);
    steno_subscriber_handled(subscriber, 2);
    expect_cursor(fake, subscriber, 3);
    end(fake, subscriber);
}

static void moved_cursor_ends_a_pause_and_old_offsets_count_no_more(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 20, "success");
    steno_subscriber *subscriber = subscribe(fake, NULL);
    expect(fake, subscriber, 1, 15, 1);
    steno_subscriber_handled(subscriber, 10);
    expect_cursor(fake, subscriber, 10);
    fake->cursor = 3; /* steno replay */
    const int64_t deadline = clock_after(PATIENCE_MS);
    steno_status status = STENO_TIMEOUT;
    while (status == STENO_TIMEOUT && clock_until(deadline) > 0) {
        fake_pump(fake);
        status = steno_subscriber_pause(subscriber, 20, NULL);
    }
    assert_int_equal(status, STENO_OK);
    steno_subscriber_handled(subscriber, 15);
    expect(fake, subscriber, 4, 6, 1);
    assert_int_equal(fake->cursor, 3);
    steno_subscriber_counts counts = {.size = sizeof counts};
    steno_subscriber_get_counts(subscriber, &counts);
    assert_int_equal(counts.moved, 1);
    end(fake, subscriber);
}

static void readable_descriptor_ends_a_wait(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    steno_subscriber *subscriber = subscribe(fake, NULL);
    assert_int_equal(next_within(fake, subscriber, QUIET_MS), 0);
    const int fd = eventfd(1, EFD_CLOEXEC);
    const steno_event *event;
    const int64_t begun = clock_ms();
    steno_subscriber_wake_on(subscriber, fd);
    assert_int_equal(steno_subscriber_next(subscriber, 60000, &event, NULL), STENO_TIMEOUT);
    assert_int_equal(steno_subscriber_pause(subscriber, 60000, NULL), STENO_TIMEOUT);
    assert_in_range(clock_ms() - begun, 0, 5000);
    steno_subscriber_wake_on(subscriber, -1);
    close(fd);
    end(fake, subscriber);
}

/* A report on a thread of its own, while the test plays the daemon. */
typedef struct reporting {
    steno_subscriber *subscriber;
    const char *problem;
    volatile bool done;
} reporting;

static void *report_main(void *ctx) {
    reporting *self = ctx;
    steno_subscriber_report(self->subscriber, self->problem, 3);
    __atomic_store_n(&self->done, true, __ATOMIC_SEQ_CST);
    return NULL;
}

static void report_reaches_the_daemon_cut_and_in_utf8(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    char long_text[700];
    memset(long_text, 'x', sizeof long_text);
    memcpy(long_text, "\xff\xe2\x82", 3);
    long_text[699] = '\0';
    reporting self = {.subscriber = subscribe(fake, NULL), .problem = long_text};
    pthread_t thread;
    pthread_create(&thread, NULL, report_main, &self);
    while (!__atomic_load_n(&self.done, __ATOMIC_SEQ_CST)) {
        fake_pump(fake);
        usleep(500);
    }
    pthread_join(thread, NULL);
    assert_int_equal(fake->reports, 1);
    assert_int_equal(fake->dead_letters, 3);
    assert_in_range(strlen(fake->problem), 500, 512);
    assert_memory_equal(fake->problem, "\xef\xbf\xbd", 3);
    end(fake, self.subscriber);
}

static void report_to_nobody_takes_a_second_at_most(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    steno_subscriber *subscriber = subscribe(fake, NULL);
    const int64_t begun = clock_ms();
    steno_subscriber_report(subscriber, "nobody hears it", 0);
    assert_in_range(clock_ms() - begun, 900, 5000);
    end(fake, subscriber);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_follows_what_is_said_to_be_handled),
        cmocka_unit_test(what_does_not_match_is_passed_with_what_was_handed_out_before_it),
        cmocka_unit_test(malformed_event_does_not_carry_the_cursor_over_what_is_held),
        cmocka_unit_test(moved_cursor_ends_a_pause_and_old_offsets_count_no_more),
        cmocka_unit_test(readable_descriptor_ends_a_wait),
        cmocka_unit_test(report_reaches_the_daemon_cut_and_in_utf8),
        cmocka_unit_test(report_to_nobody_takes_a_second_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
