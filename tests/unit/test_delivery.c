/* subscribers/delivery.c, dead_letter.c and line_file.c: what is refused, what has to wait, what is torn, against the fake daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/json.h"
#include "subscribers/clock.h"
#include "subscribers/delivery.h"
#include "subscribers/line_file.h"
#include "subscribers/stop_signal.h"
#include "tests/unit/fake_daemon.h"

#define SEEN_MAX 4096

static const program PROBE = {.name = "probe", .synopsis = "", .about = ""};

/* What deliver() has seen and how it is to behave. It ends the run by BROKEN when it has seen `last`. */
typedef struct peer {
    uint64_t refuse, refuse_too; /* offsets */
    uint64_t last;               /* delivered: the run ends with the next call */
    unsigned later;              /* that many calls are answered LATER */
    uint64_t delivered[SEEN_MAX];
    size_t delivered_count, calls, largest;
    unsigned idles;
    bool over; /* read by the test's thread */
    char dir[64];
} peer;

static delivery_result deliver(const steno_event *const *events, size_t count, void *ctx) {
    peer *self = ctx;
    self->calls++;
    if (self->later) {
        self->later--;
        return (delivery_result){.outcome = DELIVERY_LATER, .retry_after_ms = 1, .why = "the peer sleeps"};
    }
    if (count > self->largest) self->largest = count;
    for (size_t i = 0; i < count; i++) {
        const uint64_t offset = steno_event_offset(events[i]);
        if (i > 0) assert_true(offset > steno_event_offset(events[i - 1]));
        if (offset == self->refuse || offset == self->refuse_too)
            return delivery_say(DELIVERY_REFUSED, "no %d", (int)offset);
    }
    for (size_t i = 0; i < count; i++) self->delivered[self->delivered_count++] = steno_event_offset(events[i]);
    return DELIVERED;
}

static delivery_result idle(void *ctx) {
    peer *self = ctx;
    self->idles++;
    const bool over = self->delivered_count && self->delivered[self->delivered_count - 1] >= self->last;
    return over ? delivery_say(DELIVERY_BROKEN, "the test is over") : DELIVERED;
}

typedef struct background {
    delivery what;
    steno_subscriber_config config;
    int status;
    bool done;
} background;

static void *run_main(void *ctx) {
    background *self = ctx;
    self->status = delivery_run(&self->what, &self->config);
    __atomic_store_n(&self->done, true, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Runs delivery until it ends, with the test as the daemon. */
static int run(fake_daemon *fake, peer *self, delivery what) {
    background work = {.what = what, .config = STENO_SUBSCRIBER_CONFIG_INIT};
    what.program = &PROBE;
    work.what.program = &PROBE;
    work.what.deliver = deliver;
    work.what.idle = idle;
    work.what.self = self;
    work.config.dir = fake->dir;
    work.config.name = "probe";
    pthread_t thread;
    pthread_create(&thread, NULL, run_main, &work);
    const int64_t deadline = clock_after(30000);
    while (!__atomic_load_n(&work.done, __ATOMIC_SEQ_CST)) {
        assert_true(clock_until(deadline) > 0);
        fake_pump(fake);
        usleep(200);
    }
    pthread_join(thread, NULL);
    return work.status;
}

static fake_daemon *daemon_with(size_t count) {
    fake_daemon *fake = fake_new();
    for (size_t i = 0; i < count; i++) fake_append(fake, "success", "c");
    return fake;
}

/* The dead letters' file; NULL if there is none. Owned by the caller. */
static char *letters_of(const fake_daemon *fake) {
    char path[160];
    static char text[65536];
    snprintf(path, sizeof path, "%s/dead-letters/probe.jsonl", fake->dir);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    const ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    text[size] = '\0';
    return text;
}

static void end(fake_daemon *fake) {
    char path[160];
    snprintf(path, sizeof path, "%s/dead-letters/probe.jsonl", fake->dir);
    remove(path);
    snprintf(path, sizeof path, "%s/dead-letters", fake->dir);
    rmdir(path);
    fake_free(fake);
}

static void all_come_in_order_in_batches_and_the_cursor_follows(void **state) {
    (void)state;
    fake_daemon *fake = daemon_with(35);
    peer other = {.last = 35};
    assert_int_equal(run(fake, &other, (delivery){.batch_events = 7, .batch_bytes = 1 << 20}), PROGRAM_FAILED);
    assert_int_equal(other.delivered_count, 35);
    for (size_t i = 0; i < 35; i++) assert_int_equal(other.delivered[i], i + 1);
    assert_int_equal(other.largest, 7);
    assert_int_equal(fake->cursor, 35);
    assert_null(letters_of(fake));
    end(fake);
}

static void batch_is_bounded_by_bytes_and_a_larger_event_goes_alone(void **state) {
    (void)state;
    fake_daemon *fake = daemon_with(0);
    for (int i = 0; i < 6; i++)
        fake_append(fake, "success", i == 3 ? "a-rather-long-name-for-a-call-which-fills-a-batch" : "c");
    peer other = {.last = 6};
    run(fake, &other, (delivery){.batch_events = 100, .batch_bytes = 60, .batch_ms = 50}); /* some 24 bytes each */
    assert_int_equal(other.delivered_count, 6);
    assert_int_equal(other.largest, 2);
    assert_in_range(other.calls, 4, 6);
    assert_int_equal(fake->cursor, 6);
    end(fake);
}

static void refused_events_alone_are_put_aside(void **state) {
    (void)state;
    fake_daemon *fake = daemon_with(40);
    peer other = {.last = 40, .refuse = 13, .refuse_too = 14};
    run(fake, &other, (delivery){.batch_events = 64, .batch_bytes = 1 << 20, .batch_ms = 300});
    assert_int_equal(other.delivered_count, 38);
    for (size_t i = 0; i < 38; i++) assert_int_equal(other.delivered[i], i < 12 ? i + 1 : i + 3);
    assert_int_equal(fake->cursor, 40);
    assert_int_equal(fake->dead_letters, 2);
    char *text = letters_of(fake), *second = strchr(text, '\n') + 1;
    json_t *letter = json_loadb(text, (size_t)(second - text), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(letter, "name")), "probe");
    assert_int_equal(json_integer_value(json_object_get(letter, "offset")), 13);
    assert_string_equal(json_string_value(json_object_get(letter, "topic")), "success.unknown.unknown");
    assert_string_equal(json_string_value(json_object_get(letter, "error")), "no 13");
    assert_true(json_real_value(json_object_get(letter, "time")) > 1e9);
    assert_string_equal(json_string_value(json_object_get(json_object_get(letter, "event"), "call_id")), "c");
    json_decref(letter);
    letter = json_loads(second, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(letter, "offset")), 14);
    json_decref(letter);
    struct stat file;
    char path[160];
    snprintf(path, sizeof path, "%s/dead-letters/probe.jsonl", fake->dir);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    snprintf(path, sizeof path, "%s/dead-letters", fake->dir);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0700);
    end(fake);
}

static void dead_letters_that_are_there_are_counted_and_a_torn_one_is_cut_off(void **state) {
    (void)state;
    fake_daemon *fake = daemon_with(2);
    char path[160];
    snprintf(path, sizeof path, "%s/dead-letters", fake->dir);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/dead-letters/probe.jsonl", fake->dir);
    FILE *file = fopen(path, "w");
    fputs("{\"one\":1}\n{\"two\":2}\n{\"torn", file);
    fclose(file);
    peer other = {.last = 2, .refuse = 1};
    run(fake, &other, (delivery){.batch_events = 10, .batch_bytes = 1 << 20});
    assert_int_equal(fake->dead_letters, 3);
    char *text = letters_of(fake);
    assert_memory_equal(text, "{\"one\":1}\n{\"two\":2}\n{\"time", 26);
    assert_null(strstr(text, "torn"));
    end(fake);
}

static void what_has_to_wait_is_reported_until_it_is_over(void **state) {
    (void)state;
    fake_daemon *fake = daemon_with(5);
    peer other = {.last = 5, .later = 4};
    run(fake, &other, (delivery){.batch_events = 10, .batch_bytes = 1 << 20});
    assert_int_equal(other.delivered_count, 5);
    assert_int_equal(fake->cursor, 5);
    /* Told when it begins, when it is over, and that the test is. Not once a try. */
    assert_int_equal(fake->reports, 3);
    assert_string_equal(fake->problem, "the test is over");
    end(fake);
}

static void broken_ends_with_1_and_nothing_of_the_batch_is_handled(void **state) {
    (void)state;
    fake_daemon *fake = daemon_with(8);
    peer other = {.last = 0}; /* over as soon as it idles after the first batch */
    assert_int_equal(run(fake, &other, (delivery){.batch_events = 8, .batch_bytes = 1 << 20, .batch_ms = 100}), 1);
    assert_int_equal(fake->cursor, 8);
    end(fake);
}

static void bad_batch_sizes_are_refused(void **state) {
    (void)state;
    fake_daemon *fake = daemon_with(0);
    peer other = {.last = 0};
    assert_int_equal(run(fake, &other, (delivery){.batch_events = 0}), 1);
    assert_int_equal(run(fake, &other, (delivery){.batch_events = DELIVERY_EVENTS_MAX + 1}), 1);
    end(fake);
}

/* ---- files of lines ---- */

static int temporary(const char *text) {
    char path[] = "/tmp/steno-lines-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

static void torn_line_is_cut_off_wherever_it_begins(void **state) {
    (void)state;
    static char long_line[200000];
    memset(long_line, 'x', sizeof long_line - 1);
    const struct {
        const char *text;
        off_t end;
    } cases[] = {{"", 0}, {"a\n", 2}, {"a\nb", 2}, {"torn", 0}, {"a\n\n", 3}, {long_line, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int fd = temporary(cases[i].text);
        off_t end, cut;
        assert_int_equal(line_file_repair(fd, &end, &cut, NULL), STENO_OK);
        assert_int_equal(end, cases[i].end);
        assert_int_equal(cut, (off_t)strlen(cases[i].text) - end);
        assert_int_equal(lseek(fd, 0, SEEK_END), end);
        close(fd);
    }
    const int fd = temporary("first\n");
    off_t end = 6;
    assert_int_equal(write(fd, long_line, 150000), 150000);
    assert_int_equal(line_file_repair(fd, &end, NULL, NULL), STENO_OK);
    assert_int_equal(end, 6);
    assert_int_equal(line_file_append(fd, &end, "second\nthird\n", 13, NULL), STENO_OK);
    assert_int_equal(end, 19);
    uint64_t lines;
    assert_int_equal(line_file_count(fd, &lines, NULL), STENO_OK);
    assert_int_equal(lines, 3);
    close(fd);
}

static void what_does_not_fit_is_taken_away_again(void **state) {
    (void)state;
    const int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
    off_t end = 0;
    steno_error error;
    assert_int_equal(line_file_append(fd, &end, "line\n", 5, &error), STENO_SYSTEM);
    assert_int_equal(end, 0);
    assert_non_null(strstr(error.message, "No space left"));
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_come_in_order_in_batches_and_the_cursor_follows),
        cmocka_unit_test(batch_is_bounded_by_bytes_and_a_larger_event_goes_alone),
        cmocka_unit_test(refused_events_alone_are_put_aside),
        cmocka_unit_test(dead_letters_that_are_there_are_counted_and_a_torn_one_is_cut_off),
        cmocka_unit_test(what_has_to_wait_is_reported_until_it_is_over),
        cmocka_unit_test(broken_ends_with_1_and_nothing_of_the_batch_is_handled),
        cmocka_unit_test(bad_batch_sizes_are_refused),
        cmocka_unit_test(torn_line_is_cut_off_wherever_it_begins),
        cmocka_unit_test(what_does_not_fit_is_taken_away_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
