/* subscribers/subscriber.c: the delivery rule, against a daemon that drops, repeats, forgets and stalls on request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "subscribers/clock.h"
#include "subscribers/steno_subscriber.h"
#include "tests/unit/fake_daemon.h"

#define PATIENCE_MS 10000
/* Longer than it takes a message from one socket to the other, by far. */
#define QUIET_MS 150

static uint64_t missed_first, missed_last;

static void note_missed(uint64_t first, uint64_t last, void *ctx) {
    (void)ctx;
    missed_first = first;
    missed_last = last;
}

static steno_subscriber *subscribe(fake_daemon *fake, steno_subscriber_config config) {
    steno_subscriber *subscriber;
    config.dir = fake->dir;
    config.on_missed = note_missed;
    missed_first = missed_last = 0;
    assert_int_equal(steno_subscriber_new(&config, &subscriber, NULL), STENO_OK);
    fake_wait_for_subscriber(fake);
    return subscriber;
}

#define SUBSCRIBE(fake, ...) \
    subscribe(fake, (steno_subscriber_config){.size = sizeof(steno_subscriber_config), __VA_ARGS__})

/* The offset of the next event while the daemon works; 0 if none comes within `ms`. */
static uint64_t next_within(fake_daemon *fake, steno_subscriber *subscriber, int64_t ms) {
    const int64_t deadline = clock_after(ms);
    const steno_event *event;
    while (clock_until(deadline) > 0) {
        fake_pump(fake);
        steno_error error;
        steno_status status = steno_subscriber_next(subscriber, 1, &event, &error);
        if (!status) return steno_event_offset(event);
        if (status != STENO_TIMEOUT) fail_msg("next: %s", error.message);
    }
    return 0;
}

static void expect(fake_daemon *fake, steno_subscriber *subscriber, uint64_t first, uint64_t last) {
    for (uint64_t offset = first; offset <= last; offset++)
        assert_int_equal(next_within(fake, subscriber, PATIENCE_MS), offset);
}

static void expect_nothing(fake_daemon *fake, steno_subscriber *subscriber) {
    assert_int_equal(next_within(fake, subscriber, QUIET_MS), 0);
}

static steno_subscriber_counts counts_of(const steno_subscriber *subscriber) {
    steno_subscriber_counts counts = {.size = sizeof counts};
    steno_subscriber_get_counts(subscriber, &counts);
    return counts;
}

static void append(fake_daemon *fake, size_t count) {
    for (size_t i = 0; i < count; i++) fake_append(fake, "success", "c");
}

/* One that has read the journal, which has so many events, and now waits for the live stream. */
static steno_subscriber *caught_up(fake_daemon *fake, size_t count) {
    append(fake, count);
    steno_subscriber *subscriber = SUBSCRIBE(fake, .from = STENO_FROM_BEGINNING);
    expect(fake, subscriber, 1, count);
    expect_nothing(fake, subscriber);
    return subscriber;
}

static void end(fake_daemon *fake, steno_subscriber *subscriber) {
    steno_subscriber_free(subscriber);
    fake_free(fake);
}

/* ---- the delivery rule ---- */

static void replay_meets_live_without_hole_or_overlap(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 35); /* four replies */
    steno_subscriber *subscriber = SUBSCRIBE(fake, .from = STENO_FROM_BEGINNING);
    expect(fake, subscriber, 1, 20);
    append(fake, 5); /* while it replays: on both ways */
    for (uint64_t offset = 36; offset <= 40; offset++) fake_publish(fake, offset);
    expect(fake, subscriber, 21, 40);
    append(fake, 5);
    for (uint64_t offset = 41; offset <= 45; offset++) fake_publish(fake, offset);
    expect(fake, subscriber, 41, 45);
    expect_nothing(fake, subscriber);
    assert_int_equal(steno_subscriber_offset(subscriber), 45);
    end(fake, subscriber);
}

static void hole_in_the_live_stream_is_replayed(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    steno_subscriber *subscriber = caught_up(fake, 3);
    append(fake, 25);
    fake_publish(fake, 4);
    fake_publish(fake, 5);
    fake_publish(fake, 28); /* 6 to 27 were dropped */
    expect(fake, subscriber, 4, 28);
    expect_nothing(fake, subscriber);
    assert_int_equal(counts_of(subscriber).replays, 1);
    end(fake, subscriber);
}

static void heartbeat_tells_an_idle_subscriber_what_it_missed(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    steno_subscriber *subscriber = SUBSCRIBE(fake, .from = STENO_FROM_BEGINNING);
    expect_nothing(fake, subscriber);
    append(fake, 12); /* all dropped */
    expect_nothing(fake, subscriber);
    fake_heartbeat(fake, 12);
    expect(fake, subscriber, 1, 12);
    end(fake, subscriber);
}

static void duplicates_are_skipped(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    steno_subscriber *subscriber = caught_up(fake, 3);
    for (uint64_t offset = 1; offset <= 3; offset++) fake_publish(fake, offset);
    fake_heartbeat(fake, 3);
    expect_nothing(fake, subscriber);
    end(fake, subscriber);
}

static void events_of_other_topics_leave_no_hole(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    for (int i = 0; i < 30; i++) fake_append(fake, i % 3 ? "pre_api_call" : "failure", "c");
    steno_subscriber *subscriber =
        SUBSCRIBE(fake, .from = STENO_FROM_BEGINNING, .topics = (const char *const[]){"failure.", "alert.", NULL});
    for (uint64_t offset = 1; offset <= 30; offset += 3) expect(fake, subscriber, offset, offset);
    expect_nothing(fake, subscriber);
    assert_string_equal(fake->topics, "failure. alert. ");
    assert_int_equal(steno_subscriber_offset(subscriber), 30);
    append(fake, 2);
    fake_append(fake, "failure", "c");
    fake_publish(fake, 33);
    expect(fake, subscriber, 33, 33);
    end(fake, subscriber);
}

static void restart_of_the_daemon_is_bridged(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    steno_subscriber *subscriber = caught_up(fake, 5);
    fake_restart(fake);
    append(fake, 5);
    uint64_t offset = 0;
    for (int i = 0; i < 500 && !offset; i++) {
        fake_heartbeat(fake, 10); /* none arrives before the subscriber has connected anew */
        offset = next_within(fake, subscriber, 20);
    }
    assert_int_equal(offset, 6);
    expect(fake, subscriber, 7, 10);
    expect_nothing(fake, subscriber);
    end(fake, subscriber);
}

static void another_log_is_read_from_its_beginning(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    steno_subscriber *subscriber = caught_up(fake, 8);
    fake_heartbeat(fake, 5); /* old news: not a new log */
    expect_nothing(fake, subscriber);
    assert_int_equal(counts_of(subscriber).new_logs, 0);
    fake->last = 0;
    append(fake, 2);
    fake_heartbeat(fake, 2);
    expect(fake, subscriber, 1, 2);
    assert_int_equal(counts_of(subscriber).new_logs, 1);
    end(fake, subscriber);
}

/* ---- what is not well-formed ---- */

static void what_is_no_event_is_counted_and_skipped(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 1);
    fake_append_raw(fake, "success.x", "\xc1", 1);
    append(fake, 1);
    steno_subscriber *subscriber = SUBSCRIBE(fake, .from = STENO_FROM_BEGINNING);
    expect(fake, subscriber, 1, 1);
    expect(fake, subscriber, 3, 3);
    expect_nothing(fake, subscriber);
    fake_append_raw(fake, "success.x", "", 0);
    append(fake, 1);
    fake_publish(fake, 4);
    fake_publish(fake, 5);
    expect(fake, subscriber, 5, 5);
    assert_int_equal(counts_of(subscriber).malformed, 2);
    assert_int_equal(counts_of(subscriber).replays, 0);
    end(fake, subscriber);
}

static void messages_of_wrong_frames_are_counted_and_skipped(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    steno_subscriber *subscriber = caught_up(fake, 1);
    const char *const frames[] = {"success.", "\0\0\0\0\0\0\0\0", "x", "y"};
    fake_publish_raw(fake, 1, frames, (const size_t[]){8});
    fake_publish_raw(fake, 2, frames, (const size_t[]){8, 8});
    fake_publish_raw(fake, 3, frames, (const size_t[]){8, 7, 1});
    fake_publish_raw(fake, 3, frames, (const size_t[]){8, 8, 1}); /* offset 0 */
    fake_publish_raw(fake, 4, frames, (const size_t[]){8, 8, 1, 1});
    const char *const heartbeat[] = {"steno.heartbeat", "x"};
    fake_publish_raw(fake, 2, heartbeat, (const size_t[]){15, 1});
    append(fake, 1);
    fake_publish(fake, 2);
    expect(fake, subscriber, 2, 2);
    assert_int_equal(counts_of(subscriber).malformed, 6);
    end(fake, subscriber);
}

static void daemon_that_promises_and_brings_nothing_is_not_asked_in_a_circle(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 5);
    fake->stuck = true;
    steno_subscriber *subscriber = SUBSCRIBE(fake, .from = STENO_FROM_BEGINNING);
    expect_nothing(fake, subscriber);
    assert_in_range(fake->replays, 1, 2);
    fake->stuck = false;
    fake_heartbeat(fake, 5);
    expect(fake, subscriber, 1, 5);
    end(fake, subscriber);
}

static void lost_request_is_made_again(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 5);
    steno_subscriber *subscriber = SUBSCRIBE(fake, .from = STENO_FROM_BEGINNING, .connect_timeout_ms = -1);
    fake->mute = true;
    expect_nothing(fake, subscriber);
    assert_in_range(fake->requests, 1, 1);
    fake->mute = false;
    expect(fake, subscriber, 1, 5);
    end(fake, subscriber);
}

static void impatient_caller_still_gets_a_late_answer(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 3);
    steno_subscriber *subscriber = SUBSCRIBE(fake, .from = STENO_FROM_BEGINNING);
    const steno_event *event = NULL;
    const int64_t deadline = clock_after(PATIENCE_MS);
    unsigned calls = 0;
    for (; !event && clock_until(deadline) > 0; calls++) {
        if (calls % 20 == 19) fake_pump(fake); /* each answer takes twenty calls */
        steno_subscriber_next(subscriber, 2, &event, NULL);
    }
    assert_non_null(event);
    assert_in_range(fake->requests, 2, 3);
    end(fake, subscriber);
}

/* ---- where it begins ---- */

static void begins_where_it_was_told_to(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 9);
    steno_subscriber *subscriber = SUBSCRIBE(fake, .from = 7);
    expect(fake, subscriber, 7, 9);
    steno_subscriber_free(subscriber);
    subscriber = SUBSCRIBE(fake, .name = NULL); /* now */
    expect_nothing(fake, subscriber);
    append(fake, 1);
    fake_publish(fake, 10);
    expect(fake, subscriber, 10, 10);
    steno_subscriber_free(subscriber);
    fake->cursor = 4, fake->cursor_exists = true;
    subscriber = SUBSCRIBE(fake, .name = "reader", .from = 9); /* the cursor goes first */
    expect(fake, subscriber, 5, 10);
    steno_subscriber_free(subscriber);
    subscriber = SUBSCRIBE(fake, .name = "reader", .from = 9, .from_set = true);
    expect(fake, subscriber, 9, 10);
    end(fake, subscriber);
}

static void offsets_that_are_gone_are_named(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 30);
    fake->first = 21;
    fake->cursor = 4, fake->cursor_exists = true;
    steno_subscriber *subscriber = SUBSCRIBE(fake, .name = "reader");
    expect(fake, subscriber, 21, 30);
    assert_int_equal(missed_first, 5);
    assert_int_equal(missed_last, 20);
    assert_int_equal(counts_of(subscriber).missed, 16);
    steno_subscriber_free(subscriber);
    subscriber = SUBSCRIBE(fake, .from = STENO_FROM_BEGINNING); /* is where the journal begins: nothing is missed */
    expect(fake, subscriber, 21, 30);
    assert_int_equal(counts_of(subscriber).missed, 0);
    end(fake, subscriber);
}

static void absent_daemon_is_said_in_time(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    steno_subscriber *subscriber = SUBSCRIBE(fake, .connect_timeout_ms = 50);
    fake->mute = true;
    steno_error error;
    assert_int_equal(steno_subscriber_connect(subscriber, &error), STENO_NOT_FOUND);
    assert_non_null(strstr(error.message, "start it"));
    end(fake, subscriber);
}

static void bad_settings_are_refused(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    steno_subscriber *subscriber;
    steno_error error;
    steno_subscriber_config config = STENO_SUBSCRIBER_CONFIG_INIT;
    config.dir = fake->dir;
    config.name = "no spaces";
    assert_int_equal(steno_subscriber_new(&config, &subscriber, &error), STENO_INVALID);
    assert_non_null(strstr(error.message, "no spaces"));
    config.name = NULL;
    config.from = -3;
    assert_int_equal(steno_subscriber_new(&config, &subscriber, &error), STENO_INVALID);
    config.from = 0;
    config.size = 1;
    assert_int_equal(steno_subscriber_new(&config, &subscriber, &error), STENO_INVALID);
    fake_free(fake);
}

/* ---- cursors and stopping ---- */

static void cursor_is_stored_after_so_many_events_and_names_only_handled_ones(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 10);
    steno_subscriber *subscriber = SUBSCRIBE(fake, .name = "reader", .commit_events = 4, .commit_ms = 3600000);
    expect(fake, subscriber, 1, 5); /* 5 is in hand, 1 to 4 are handled */
    const int64_t deadline = clock_after(PATIENCE_MS);
    while (!fake->commits && clock_until(deadline) > 0) fake_pump(fake);
    assert_int_equal(fake->cursor, 4);
    end(fake, subscriber);
}

static void idle_cursor_is_stored_after_so_long(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 3);
    fake_append(fake, "failure", "c");
    steno_subscriber *subscriber =
        SUBSCRIBE(fake, .name = "reader", .commit_ms = 20, .topics = (const char *const[]){"success.", NULL});
    expect(fake, subscriber, 1, 3);
    for (int i = 0; i < 100 && fake->cursor != 4; i++) next_within(fake, subscriber, 20);
    assert_int_equal(fake->cursor, 4); /* what does not match counts as handled too */
    const unsigned commits = fake->commits;
    expect_nothing(fake, subscriber);
    assert_int_equal(fake->commits, commits); /* nothing new to store */
    end(fake, subscriber);
}

/* A run on a thread of its own. */
typedef struct background {
    steno_subscriber *subscriber;
    uint64_t refuse, handled, count;
    steno_status status;
    volatile bool done;
    pthread_t thread;
} background;

static int handle(const steno_event *event, void *ctx) {
    background *self = ctx;
    if (steno_event_offset(event) == self->refuse) return 1;
    __atomic_store_n(&self->handled, steno_event_offset(event), __ATOMIC_SEQ_CST);
    self->count++;
    return 0;
}

static void *run_main(void *ctx) {
    background *self = ctx;
    self->status = steno_subscriber_run(self->subscriber, handle, self, NULL);
    __atomic_store_n(&self->done, true, __ATOMIC_SEQ_CST);
    return NULL;
}

static void run(background *self, fake_daemon *fake, uint64_t stop_at) {
    const int64_t deadline = clock_after(PATIENCE_MS);
    self->done = false;
    pthread_create(&self->thread, NULL, run_main, self);
    while (!__atomic_load_n(&self->done, __ATOMIC_SEQ_CST) && clock_until(deadline) > 0) {
        fake_pump(fake);
        if (__atomic_load_n(&self->handled, __ATOMIC_SEQ_CST) == stop_at) steno_subscriber_stop(self->subscriber);
        usleep(500);
    }
    assert_true(self->done);
    pthread_join(self->thread, NULL);
}

static void refused_event_comes_again_and_is_not_stored(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 20);
    background reader = {.subscriber = SUBSCRIBE(fake, .name = "reader"), .refuse = 15};
    run(&reader, fake, UINT64_MAX); /* until it refuses */
    assert_int_equal(reader.status, STENO_FAILED);
    assert_int_equal(reader.handled, 14);
    assert_int_equal(fake->cursor, 14);
    reader.refuse = 0;
    run(&reader, fake, 20);
    assert_int_equal(reader.status, STENO_OK);
    assert_int_equal(reader.handled, 20);
    assert_int_equal(reader.count, 20); /* each once, the refused one too */
    assert_int_equal(fake->cursor, 20);
    end(fake, reader.subscriber);
}

static void *commit_main(void *ctx) {
    background *self = ctx;
    self->status = steno_subscriber_commit(self->subscriber, NULL);
    __atomic_store_n(&self->done, true, __ATOMIC_SEQ_CST);
    return NULL;
}

static void commit_leaves_out_the_event_in_hand(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    append(fake, 9);
    background reader = {.subscriber = SUBSCRIBE(fake, .name = "reader", .commit_ms = 3600000)};
    expect(fake, reader.subscriber, 1, 6);
    pthread_create(&reader.thread, NULL, commit_main, &reader);
    while (!__atomic_load_n(&reader.done, __ATOMIC_SEQ_CST)) {
        fake_pump(fake);
        usleep(500);
    }
    pthread_join(reader.thread, NULL);
    assert_int_equal(reader.status, STENO_OK);
    assert_int_equal(fake->cursor, 5);
    expect(fake, reader.subscriber, 7, 9);
    end(fake, reader.subscriber);
}

static void stop_ends_a_wait_at_once(void **state) {
    (void)state;
    fake_daemon *fake = fake_new();
    background reader = {.subscriber = SUBSCRIBE(fake, .from = STENO_FROM_NOW)};
    expect_nothing(fake, reader.subscriber); /* nothing is left to be asked */
    pthread_create(&reader.thread, NULL, run_main, &reader);
    usleep(QUIET_MS * 1000); /* by then it waits, and for nothing but us */
    const int64_t begun = clock_ms();
    steno_subscriber_stop(reader.subscriber);
    pthread_join(reader.thread, NULL);
    assert_int_equal(reader.status, STENO_OK);
    assert_in_range(clock_ms() - begun, 0, 2000);
    end(fake, reader.subscriber);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_meets_live_without_hole_or_overlap),
        cmocka_unit_test(hole_in_the_live_stream_is_replayed),
        cmocka_unit_test(heartbeat_tells_an_idle_subscriber_what_it_missed),
        cmocka_unit_test(duplicates_are_skipped),
        cmocka_unit_test(events_of_other_topics_leave_no_hole),
        cmocka_unit_test(restart_of_the_daemon_is_bridged),
        cmocka_unit_test(another_log_is_read_from_its_beginning),
        cmocka_unit_test(what_is_no_event_is_counted_and_skipped),
        cmocka_unit_test(messages_of_wrong_frames_are_counted_and_skipped),
        cmocka_unit_test(daemon_that_promises_and_brings_nothing_is_not_asked_in_a_circle),
        cmocka_unit_test(lost_request_is_made_again),
        cmocka_unit_test(impatient_caller_still_gets_a_late_answer),
        cmocka_unit_test(begins_where_it_was_told_to),
        cmocka_unit_test(offsets_that_are_gone_are_named),
        cmocka_unit_test(absent_daemon_is_said_in_time),
        cmocka_unit_test(bad_settings_are_refused),
        cmocka_unit_test(cursor_is_stored_after_so_many_events_and_names_only_handled_ones),
        cmocka_unit_test(idle_cursor_is_stored_after_so_long),
        cmocka_unit_test(refused_event_comes_again_and_is_not_stored),
        cmocka_unit_test(commit_leaves_out_the_event_in_hand),
        cmocka_unit_test(stop_ends_a_wait_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
