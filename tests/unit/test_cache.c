/* Tests of client/cache*.c: what every kind of cache does, in memory, in a file and in Redis; the limits of the two that have one. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache_check.h"
#include "redis_server.h"

#define MIB (1u << 20)
#define CHILD_SECONDS_MAX 30

typedef struct kind {
    bool redis;
    bool shared; /* by processes */
    steno_status (*make)(size_t bytes_max, int64_t ttl_ms, cache **out, steno_error *error);
} kind;

static redis_server server;
static const kind *tested;

static steno_status make_sqlite(size_t bytes_max, int64_t ttl_ms, cache **out, steno_error *error) {
    char path[100];
    snprintf(path, sizeof path, "%s/cache.db", check_folder());
    return cache_sqlite_new(path, bytes_max, ttl_ms, out, error);
}

static steno_status make_redis(size_t bytes_max, int64_t ttl_ms, cache **out, steno_error *error) {
    (void)bytes_max;
    return cache_redis_new(server.url, ttl_ms, out, error);
}

static kind memory = {.make = cache_memory_new}, sqlite = {.make = make_sqlite, .shared = true},
            redis = {.make = make_redis, .shared = true, .redis = true};

static int set_up(void **state) {
    tested = *state;
    int failed = check_begin(state);
    if (!failed && tested->redis) redis_server_start(&server, check_folder());
    return failed;
}

static int tear_down(void **state) {
    redis_server_kill(&server);
    return check_end(state);
}

static cache *make(size_t bytes_max, int64_t ttl_ms) {
    cache *made = NULL;
    steno_error error = {0};
    if (tested->make(bytes_max, ttl_ms, &made, &error)) fail_msg("%s", error.message);
    assert_non_null(made);
    return made;
}

/* Redis has a clock of its own. */
static void pass_ms(int64_t ms) {
    if (!tested->redis) {
        check_clock_move(ms);
        return;
    }
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Puts an answer that stays for `ms`, or as long as the cache was made for, and finds it: in Redis the test may be too slow for that, and tries again. */
static void put_and_find(cache *self, const char *key, int64_t ttl_ms, int64_t stays_ms) {
    for (;;) {
        const int64_t began_ms = check_now_ms();
        cache_put(self, key, "an answer", 9, ttl_ms);
        cache_hit hit;
        bool found = cache_get(self, key, &hit);
        free(hit.text);
        if (found) return;
        assert_true(tested->redis && check_now_ms() - began_ms >= stays_ms);
    }
}

/* ---- What every kind does ---- */

static void what_was_put_is_there_with_its_time(void **state) {
    (void)state;
    cache *self = make(0, 0);
    struct timespec before, after;
    clock_gettime(CLOCK_REALTIME, &before);
    check_put(self, "key", "an answer");
    clock_gettime(CLOCK_REALTIME, &after);
    cache_hit hit;
    assert_true(cache_get(self, "key", &hit));
    assert_string_equal(hit.text, "an answer");
    assert_int_equal(hit.size, 9);
    assert_true(hit.stored_ms >= (int64_t)before.tv_sec * 1000 && hit.stored_ms <= ((int64_t)after.tv_sec + 1) * 1000);
    free(hit.text);
    check_hit(self, "key", "an answer");
    cache_free(self);
}

static void what_was_not_put_is_a_miss(void **state) {
    (void)state;
    cache *self = make(0, 0);
    check_miss(self, "key");
    check_put(self, "key", "an answer");
    check_miss(self, "kez");
    check_miss(self, "ke");
    check_miss(self, "key2");
    cache_free(self);
}

static void what_cannot_be_kept_is_no_failure(void **state) {
    (void)state;
    cache *self = make(0, 0);
    char key[CACHE_KEY_BYTES_MAX + 2];
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = '\0';
    check_put(self, key, "an answer");
    check_miss(self, key);
    key[CACHE_KEY_BYTES_MAX] = '\0';
    check_put(self, key, "an answer");
    check_hit(self, key, "an answer");
    check_put(self, "", "an answer");
    check_miss(self, "");
    check_put(self, "empty", "");
    check_miss(self, "empty");
    cache_put(self, "less", "an answer", 9, -1);
    check_miss(self, "less");
    check_put(NULL, "key", "an answer");
    check_miss(NULL, "key");
    check_miss(self, NULL);
    cache_free(self);
    cache_free(NULL);
}

static void later_answer_takes_the_place_of_the_first(void **state) {
    (void)state;
    cache *self = make(0, 0);
    check_put(self, "key", "an answer");
    check_put(self, "key", "another");
    check_hit(self, "key", "another");
    check_put(self, "key", "an answer that is longer than the first");
    check_hit(self, "key", "an answer that is longer than the first");
    cache_free(self);
}

static void any_bytes_come_back_as_they_were(void **state) {
    (void)state;
    cache *self = make(64 * MIB, 0);
    const size_t sizes[] = {1, 2, 255, 256, 4095, 4096, 65537, 3 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *text = check_text("bytes", sizes[i]);
        cache_put(self, "bytes", text, sizes[i], 0);
        cache_hit hit;
        assert_true(cache_get(self, "bytes", &hit));
        assert_int_equal(hit.size, sizes[i]);
        assert_memory_equal(hit.text, text, sizes[i] + 1);
        free(hit.text);
        free(text);
    }
    cache_free(self);
}

static void answer_is_gone_after_its_time(void **state) {
    (void)state;
    cache *self = make(0, 100000);
    check_put(self, "long", "an answer");
    put_and_find(self, "short", 100, 100);
    pass_ms(101);
    check_miss(self, "short");
    check_hit(self, "long", "an answer");
    cache_free(self);
}

static void cache_has_a_time_of_its_own(void **state) {
    (void)state;
    cache *self = make(0, 100);
    cache_put(self, "other", "an answer", 9, INT64_MAX);
    put_and_find(self, "own", 0, 100);
    pass_ms(101);
    check_miss(self, "own");
    check_hit(self, "other", "an answer");
    cache_free(self);
    steno_error error = {0};
    assert_int_equal(tested->make(0, -1, &self, &error), STENO_INVALID);
    assert_null(self);
    assert_non_null(strstr(error.message, "-1 ms"));
}

typedef struct worker {
    cache *self;
    unsigned seed;
    atomic_bool *stop; /* NULL: after so many rounds */
    int hits;
} worker;

static void *work(void *argument) {
    worker *at = argument;
    for (int i = 0; at->stop ? !atomic_load(at->stop) : i < 300; i++) {
        char key[32];
        if (i % 50 == 49) check_clock_move(CACHE_REST_MS); /* where it rests, it goes on */
        at->seed = at->seed * 1103515245 + 12345;
        snprintf(key, sizeof key, "key %u", at->seed >> 16 & 15);
        at->hits += check_is_there(at->self, key);
        const size_t size = 1 + (at->seed >> 8 & 4095);
        char *text = check_text(key, size);
        cache_put(at->self, key, text, size, 0);
        free(text);
    }
    return NULL;
}

static void threads_use_it_at_once(void **state) {
    (void)state;
    worker workers[6];
    pthread_t threads[6];
    cache *self = make(MIB, 0);
    for (unsigned i = 0; i < 6; i++) {
        workers[i] = (worker){.self = self, .seed = i};
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    int hits = 0;
    for (unsigned i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        hits += workers[i].hits;
    }
    assert_true(hits > 900); /* of 1800: 16 keys are soon all there */
    cache_free(self);
}

static void parent_and_child_both_use_it_after_a_fork(void **state) {
    (void)state;
    cache *self = make(0, 0);
    check_put(self, "before", "an answer");
    int pid = fork();
    if (!pid) {
        alarm(CHILD_SECONDS_MAX);
        cache_hit hit;
        while (!cache_get(self, "before", &hit)) check_clock_move(CACHE_REST_MS); /* alarm() ends it */
        check_put_among_others(self, "child's", "its answer");
        cache_free(self);
        _exit(0);
    }
    check_put_among_others(self, "parent's", "an answer");
    assert_int_equal(check_child_code(pid), 0);
    check_hit(self, "before", "an answer");
    check_hit(self, "parent's", "an answer");
    if (tested->shared)
        check_hit(self, "child's", "its answer");
    else
        check_miss(self, "child's");
    cache_free(self);
}

static void forks_while_threads_use_it_leave_a_cache_that_works(void **state) {
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* gcc 12's malloc for it does not survive a fork while another thread is inside */
#endif
    worker workers[3];
    pthread_t threads[3];
    atomic_bool stop = false;
    cache *self = make(MIB, 0);
    for (unsigned i = 0; i < 3; i++) {
        workers[i] = (worker){.self = self, .seed = i, .stop = &stop};
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    int bad = 0;
    for (unsigned i = 0; i < 15; i++) {
        int pid = fork();
        if (!pid) {
            alarm(CHILD_SECONDS_MAX);
            worker mine = {.self = self, .seed = 100 + i};
            for (int round = 0; round < 10 || !mine.hits; round++) { /* alarm() ends it where it never hits */
                char *text = check_text("mine", 100);
                cache_put(self, "mine", text, 100, 0);
                free(text);
                if (check_is_there(self, "mine"))
                    mine.hits++;
                else
                    check_clock_move(
                        CACHE_REST_MS); /* where all the threads were in its way for too long, it rests now */
            }
            _exit(0);
        }
        bad += check_child_code(pid) != 0;
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    assert_int_equal(bad, 0);
    cache_free(self);
}

/* ---- What those with a limit do ---- */

static void put_sized(cache *self, const char *key, size_t size) {
    char *text = check_text(key, size);
    cache_put(self, key, text, size, 0);
    free(text);
}

static void put_next(cache *self, const char *name, int number) {
    char key[32];
    snprintf(key, sizeof key, "%s %d", name, number);
    check_clock_move(20000);
    put_sized(self, key, MIB / 4);
}

/* Which of four answers are there still, of which the second was used again, after so many younger ones: a bit for each. */
static unsigned left_after(int younger) {
    char path[100];
    snprintf(path, sizeof path, "%s/cache.db", check_folder());
    unlink(path);
    cache *self = make(4 * MIB, 0);
    for (int i = 0; i < 4; i++) put_next(self, "old", i);
    check_clock_move(20000);
    assert_true(check_is_there(self, "old 1"));
    for (int i = 0; i < younger; i++) put_next(self, "young", i);
    unsigned left = 0;
    for (unsigned i = 0; i < 4; i++) {
        char key[32];
        snprintf(key, sizeof key, "old %u", i);
        left |= (unsigned)check_is_there(self, key) << i;
    }
    cache_free(self);
    return left;
}

static void used_least_recently_goes_first(void **state) {
    (void)state;
    static const unsigned wanted[] = {0xf, 0xe, 0xa, 0x2, 0};
    int at = 0;
    for (int younger = 0; at < 4; younger++) {
        assert_true(younger < 20);
        unsigned left = left_after(younger);
        if (left == wanted[at + 1]) at++;
        assert_int_equal(left, wanted[at]);
    }
}

static void answer_that_was_used_outlives_older_and_younger_ones(void **state) {
    (void)state;
    cache *self = make(4 * MIB, 0);
    put_sized(self, "used", MIB / 4);
    for (int i = 0; i < 60; i++) {
        put_next(self, "new", i);
        check_clock_move(20000);
        assert_true(check_is_there(self, "used"));
    }
    assert_false(check_is_there(self, "new 0"));
    assert_false(check_is_there(self, "new 30"));
    assert_true(check_is_there(self, "new 59"));
    cache_free(self);
}

static void too_large_an_answer_leaves_what_is_there(void **state) {
    (void)state;
    cache *self = make(4 * MIB, 0);
    put_sized(self, "key", 1000);
    put_sized(self, "other", 1000);
    put_sized(self, "key", MIB + 1);
    cache_hit hit;
    assert_true(cache_get(self, "key", &hit));
    assert_int_equal(hit.size, 1000);
    free(hit.text);
    assert_true(check_is_there(self, "other"));
    cache_free(self);
}

/* The file and what is beside it; 0 in memory. */
static size_t bytes_on_disk(void) {
    size_t sum = 0;
    const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char path[100];
        struct stat is;
        snprintf(path, sizeof path, "%s/cache.db%s", check_folder(), endings[i]);
        if (!stat(path, &is)) sum += (size_t)is.st_size;
    }
    return sum;
}

static void limit_holds_for_answers_of_all_sizes(void **state) {
    (void)state;
    static size_t sizes[600];
    cache *self = make(2 * MIB, 0);
    unsigned seed = 1;
    for (int i = 0; i < 600; i++) {
        char key[32];
        seed = seed * 1103515245 + 12345;
        sizes[i] = 1 + (seed >> 8) % (1u << (seed >> 4) % 18);
        snprintf(key, sizeof key, "key %d", i);
        put_sized(self, key, sizes[i]);
        if (bytes_on_disk() > 2 * MIB) fail_msg("%zu bytes on disk after %d answers", bytes_on_disk(), i + 1);
    }
    size_t sum = 0;
    int there = 0;
    for (int i = 0; i < 600; i++) {
        char key[32];
        snprintf(key, sizeof key, "key %d", i);
        if (!check_is_there(self, key)) continue;
        sum += sizes[i];
        there++;
    }
    assert_true(sum < 2 * MIB);
    assert_true(sum > MIB / 2); /* and it is made use of */
    assert_true(there > 10);
    cache_free(self);
}

static void many_small_ones_make_room_for_a_large_one(void **state) {
    (void)state;
    cache *self = make(2 * MIB, 0);
    char key[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "key %d", i);
        put_sized(self, key, 800);
    }
    bool there = false;
    for (int i = 0; i < 20 && !there; i++) {
        put_sized(self, "large", MIB / 4);
        there = check_is_there(self, "large");
    }
    assert_true(there);
    cache_free(self);
}

#define EACH(test)                                                                                              \
    {"memory: " #test, test, set_up, tear_down, &memory}, {"file: " #test, test, set_up, tear_down, &sqlite}, { \
        "redis: " #test, test, set_up, tear_down, &redis                                                        \
    }
#define BOUNDED(test) \
    {"memory: " #test, test, set_up, tear_down, &memory}, { "file: " #test, test, set_up, tear_down, &sqlite }

int main(void) {
    const struct CMUnitTest tests[] = {
        EACH(what_was_put_is_there_with_its_time),
        EACH(what_was_not_put_is_a_miss),
        EACH(what_cannot_be_kept_is_no_failure),
        EACH(later_answer_takes_the_place_of_the_first),
        EACH(any_bytes_come_back_as_they_were),
        EACH(answer_is_gone_after_its_time),
        EACH(cache_has_a_time_of_its_own),
        EACH(threads_use_it_at_once),
        EACH(parent_and_child_both_use_it_after_a_fork),
        EACH(forks_while_threads_use_it_leave_a_cache_that_works),
        BOUNDED(used_least_recently_goes_first),
        BOUNDED(answer_that_was_used_outlives_older_and_younger_ones),
        BOUNDED(too_large_an_answer_leaves_what_is_there),
        BOUNDED(limit_holds_for_answers_of_all_sizes),
        BOUNDED(many_small_ones_make_room_for_a_large_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
