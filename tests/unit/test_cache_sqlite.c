/* Tests of client/cache_sqlite.c, cache_file.c and cache_file_open.c: the file is only Steno's, survives damage and its removal, and is shared by processes. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "cache_check.h"

#define MIB (1u << 20)
#define PAGE 4096
#define CHILD_SECONDS_MAX 60
/* CACHE_FILE_BUSY_MS, and what a busy machine adds. */
#define BUSY_MS_MAX 1000

static char path[100], text[200];

static int set_up(void **state) {
    int failed = check_begin(state);
    snprintf(path, sizeof path, "%s/cache.db", check_folder());
    return failed;
}

static const char *beside(const char *ending) {
    snprintf(text, sizeof text, "%s%s", path, ending);
    return text;
}

static bool is_there(const char *ending) { return !access(beside(ending), F_OK); }

static cache *open_sized(size_t bytes_max) {
    cache *made = NULL;
    steno_error error = {0};
    if (cache_sqlite_new(path, bytes_max, 0, &made, &error)) fail_msg("%s", error.message);
    return made;
}

static cache *open_cache(void) { return open_sized(0); }

static void put_sized(cache *self, const char *key, size_t size) {
    char *bytes = check_text(key, size);
    cache_put(self, key, bytes, size, 0);
    free(bytes);
}

static void write_file(const char *name, const void *bytes, size_t size) {
    FILE *to = fopen(name, "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, size, to), size);
    assert_int_equal(fclose(to), 0);
}

/* Owned by the caller. */
static char *read_file(const char *name, size_t *size) {
    FILE *from = fopen(name, "rb");
    assert_non_null(from);
    fseek(from, 0, SEEK_END);
    *size = (size_t)ftell(from);
    rewind(from);
    char *bytes = malloc(*size + 1);
    assert_int_equal(fread(bytes, 1, *size, from), *size);
    fclose(from);
    return bytes;
}

/* ---- Whose file it is ---- */

static void nobody_else_may_read_it(void **state) {
    (void)state;
    mode_t before = umask(0);
    cache *self = open_cache();
    check_put(self, "key", "an answer");
    umask(before);
    const char *const endings[] = {"", "-wal", "-shm", "-lock"};
    for (size_t i = 0; i < 4; i++) {
        struct stat is;
        assert_int_equal(stat(beside(endings[i]), &is), 0);
        assert_int_equal(is.st_mode & 0777, 0600);
    }
    cache_free(self);
}

static void refused(steno_status status, const char *why) {
    cache *made = (cache *)1;
    steno_error error = {0};
    assert_int_equal(cache_sqlite_new(path, 0, 0, &made, &error), status);
    assert_null(made);
    if (!strstr(error.message, why) || !strstr(error.message, path)) fail_msg("%s", error.message);
}

static void run_sql(const char *sql) {
    sqlite3 *database;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    if (sqlite3_exec(database, sql, NULL, NULL, NULL)) fail_msg("%s: %s", sql, sqlite3_errmsg(database));
    sqlite3_close(database);
}

static void database_of_something_else_is_refused_and_not_touched(void **state) {
    (void)state;
    run_sql("CREATE TABLE entry (x); INSERT INTO entry VALUES (1)");
    size_t before_size, after_size;
    char *before = read_file(path, &before_size);
    refused(STENO_INVALID, "something else");
    char *after = read_file(path, &after_size);
    assert_int_equal(before_size, after_size);
    assert_memory_equal(before, after, after_size);
    assert_false(is_there(".damaged"));
    free(before);
    free(after);
}

static void cache_of_another_version_is_refused(void **state) {
    (void)state;
    cache_free(open_cache());
    run_sql("PRAGMA user_version = 2");
    refused(STENO_INVALID, "another version");
}

static void path_that_cannot_be_a_file_is_refused(void **state) {
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    refused(STENO_INVALID, "no regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    refused(STENO_INVALID, "no regular file");
    snprintf(path, sizeof path, "%s/none/cache.db", check_folder());
    refused(STENO_SYSTEM, "No such file");
    cache *made;
    steno_error error = {0};
    assert_int_equal(cache_sqlite_new("", 0, 0, &made, &error), STENO_INVALID);
    assert_int_equal(cache_sqlite_new(NULL, 0, 0, &made, &error), STENO_INVALID);
    assert_int_equal(cache_sqlite_new(path, CACHE_SQLITE_BYTES_MIN - 1, 0, &made, &error), STENO_INVALID);
}

static void path_is_meant_from_where_the_app_was_then(void **state) {
    (void)state;
    char here[512];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(check_folder()), 0);
    cache *self = NULL;
    assert_int_equal(cache_sqlite_new("cache.db", 0, 0, &self, NULL), STENO_OK);
    check_put(self, "key", "an answer");
    assert_int_equal(chdir("/"), 0);
    int pid = fork(); /* closes the file, so that it is opened again */
    if (!pid) _exit(0);
    check_child_code(pid);
    check_hit(self, "key", "an answer");
    cache_free(self);
    assert_int_equal(chdir(here), 0);
    assert_true(is_there(""));
}

/* ---- What lasts ---- */

static void answers_outlive_the_cache_that_took_them(void **state) {
    (void)state;
    cache *self = open_cache();
    check_put(self, "key", "an answer");
    cache_free(self);
    self = open_cache();
    check_hit(self, "key", "an answer");
    cache_free(self);
}

static void answer_from_the_future_is_too_old(void **state) {
    (void)state;
    cache *self = open_cache();
    check_put(self, "key", "an answer");
    check_clock_move(-30000); /* a little: clocks are put right all the time */
    check_hit(self, "key", "an answer");
    check_clock_move(-3600000);
    check_miss(self, "key");
    cache_free(self);
}

static void limit_that_was_lowered_is_kept_to_soon(void **state) {
    (void)state;
    char key[32];
    cache *self = open_sized(16 * MIB);
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "key %d", i);
        put_sized(self, key, MIB / 3);
    }
    cache_free(self);
    struct stat is;
    assert_int_equal(stat(path, &is), 0);
    assert_true(is.st_size > 6 * (off_t)MIB);
    self = open_sized(2 * MIB);
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "small %d", i);
        put_sized(self, key, 1000);
    }
    assert_true(check_is_there(self, "small 19"));
    cache_free(self);
    assert_int_equal(stat(path, &is), 0);
    assert_true(is.st_size < 2 * (off_t)MIB);
}

/* ---- Damage ---- */

static void works_anew(cache *self) {
    check_put(self, "after", "an answer");
    check_hit(self, "after", "an answer");
}

static void file_that_is_no_database_is_set_aside(void **state) {
    (void)state;
    char bytes[3 * PAGE];
    memset(bytes, 'x', sizeof bytes);
    write_file(path, bytes, sizeof bytes);
    cache *self = open_cache();
    works_anew(self);
    cache_free(self);
    size_t size;
    char *aside = read_file(beside(".damaged"), &size);
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(aside, bytes, size);
    free(aside);
}

static void file_cut_off_while_in_use_is_begun_anew(void **state) {
    (void)state;
    for (off_t size = 0; size < 10 * PAGE; size += PAGE + 100) {
        char key[32];
        cache *self = open_cache();
        for (int i = 0; i < 20; i++) {
            snprintf(key, sizeof key, "key %d", i);
            put_sized(self, key, 2000);
        }
        int pid = fork(); /* the log is copied to the file, and the file is closed */
        if (!pid) _exit(0);
        check_child_code(pid);
        assert_true(check_is_there(self, "key 1"));
        assert_int_equal(truncate(path, size), 0);
        for (int i = 0; i < 20; i++) {
            snprintf(key, sizeof key, "key %d", i);
            check_is_there(self, key);
        }
        works_anew(self);
        cache_free(self);
        self = open_cache();
        check_hit(self, "after", "an answer");
        cache_free(self);
        unlink(path);
    }
}

static void damage_anywhere_gives_misses_but_no_wrong_answer(void **state) {
    (void)state;
    char key[32];
    cache *self = open_cache();
    for (int i = 0; i < 12; i++) {
        snprintf(key, sizeof key, "key %d", i);
        put_sized(self, key, i % 3 ? 300 : 9000);
    }
    cache_free(self);
    size_t size;
    char *whole = read_file(path, &size);
    int lost = 0, kept = 0;
    for (size_t at = 0; at + 16 < size; at += at < PAGE ? 64 : 509) {
        char *damaged = malloc(size);
        memcpy(damaged, whole, size);
        for (size_t i = at; i < at + 16; i++) damaged[i] = (char)(damaged[i] ^ 0x55);
        write_file(path, damaged, size);
        free(damaged);
        steno_error error;
        steno_status status = cache_sqlite_new(path, 0, 0, &self, &error);
        /* 16 bytes may make it another version's, or another program's. */
        if (status && (status != STENO_INVALID || at > 100)) fail_msg("%zu: %s", at, error.message);
        for (int i = 0; i < 12 && !status; i++) {
            snprintf(key, sizeof key, "key %d", i);
            *(check_is_there(self, key) ? &kept : &lost) += 1;
        }
        if (!status) works_anew(self);
        cache_free(self);
        unlink(path);
    }
    free(whole);
    assert_true(lost > 0);
    assert_true(kept > 0);
}

static void file_removed_while_in_use_is_begun_anew(void **state) {
    (void)state;
    cache *self = open_cache(), *other = open_cache();
    check_put(self, "key", "an answer");
    check_hit(other, "key", "an answer");
    assert_int_equal(unlink(path), 0);
    check_miss(self, "key");
    check_put(self, "key", "another");
    check_hit(other, "key", "another");
    assert_true(is_there(""));
    cache_free(self);
    check_hit(other, "key", "another");
    cache_free(other);
}

static void others_who_have_it_open_go_on_with_the_new_one(void **state) {
    (void)state;
    cache *self = open_cache(), *other = open_cache();
    put_sized(self, "key", 3000);
    check_is_there(other, "key");
    cache_free(self); /* not the last: the log stays */
    int fd = open(beside("-wal"), O_RDWR);
    char bytes[20000];
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(pwrite(fd, bytes, sizeof bytes, 0), sizeof bytes);
    close(fd);
    check_is_there(other, "key"); /* what it has in memory is whole */
    self = open_cache();
    assert_true(is_there(".damaged"));
    works_anew(self);
    check_hit(other, "after", "an answer");
    check_put(self, "key", "from self");
    check_hit(other, "key", "from self");
    cache_free(self);
    check_hit(other, "key", "from self");
    cache_free(other);
}

/* ---- Other processes ---- */

/* A process with the file open that has run `sql` and waits. It ends with the test. */
static int holder(const char *sql, bool stop) {
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    int pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sqlite3 *database;
        bool held = !sqlite3_open(path, &database) && !sqlite3_exec(database, sql, NULL, NULL, NULL);
        if (write(ready[1], held ? "y" : "n", 1) != 1 || !held) _exit(1);
        if (stop) raise(SIGSTOP);
        for (;;) pause();
    }
    char answer = 0;
    assert_int_equal(read(ready[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void end(int pid) {
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void process_that_writes_holds_up_one_put_and_no_get(void **state) {
    (void)state;
    cache *self = open_cache();
    check_put(self, "key", "an answer");
    int pid = holder("BEGIN IMMEDIATE", false);
    check_clock_move(20000); /* the time of use is to be written */
    int64_t began_ms = check_now_ms();
    check_put(self, "new", "an answer");
    assert_true(check_now_ms() - began_ms < BUSY_MS_MAX);
    began_ms = check_now_ms();
    for (int i = 0; i < 100; i++) check_put(self, "new", "an answer");
    assert_true(check_now_ms() - began_ms < BUSY_MS_MAX); /* 50 ms each would be five seconds */
    check_hit(self, "key", "an answer");
    check_miss(self, "new");
    end(pid);
    check_clock_move(1001);
    check_put(self, "new", "an answer");
    check_hit(self, "new", "an answer");
    cache_free(self);
}

static void file_held_for_one_process_alone_is_a_miss(void **state) {
    (void)state;
    cache_free(open_cache());
    int pid = holder("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM entry; COMMIT", false);
    int64_t began_ms = check_now_ms();
    cache *self = open_cache();
    for (int i = 0; i < 100; i++) check_miss(self, "key");
    for (int i = 0; i < 100; i++) check_put(self, "key", "an answer");
    assert_true(check_now_ms() - began_ms < 2 * BUSY_MS_MAX);
    end(pid);
    check_clock_move(1001);
    works_anew(self);
    cache_free(self);
}

static void process_stopped_while_it_reads_does_not_let_the_log_grow(void **state) {
    (void)state;
    cache *self = open_sized(2 * MIB);
    put_sized(self, "key", 1000);
    int pid = holder("BEGIN; SELECT count(*) FROM entry", true);
    for (int i = 0; i < 60; i++) {
        char key[32];
        struct stat is = {0}, log = {0};
        snprintf(key, sizeof key, "key %d", i);
        put_sized(self, key, 20000);
        check_clock_move(1001); /* no rest between puts */
        stat(path, &is);
        stat(beside("-wal"), &log);
        assert_true(is.st_size + log.st_size + 65536 < 2 * (off_t)MIB);
    }
    end(pid);
    check_clock_move(1001);
    works_anew(self);
    cache_free(self);
}

static void share(unsigned seed) {
    alarm(CHILD_SECONDS_MAX);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    cache *self = NULL;
    if (cache_sqlite_new(path, 2 * MIB, 0, &self, NULL)) _exit(2);
    int hits = 0;
    for (int i = 0; i < 300; i++) {
        char key[32];
        seed = seed * 1103515245 + 12345;
        snprintf(key, sizeof key, "key %u", seed >> 16 & 31);
        hits += check_is_there(self, key);
        put_sized(self, key, 1 + (seed >> 6 & 0x1ffff));
        if (i % 100 == 50) check_clock_move(1001); /* whoever rests goes on */
    }
    cache_free(self);
    _exit(hits ? 0 : 1);
}

static void processes_share_it_and_one_may_be_killed(void **state) {
    (void)state;
    int pids[4], doomed = 0;
    for (unsigned i = 0; i < 4; i++) {
        pids[i] = fork();
        if (!pids[i]) share(i);
    }
    for (unsigned i = 0; i < 3; i++) {
        doomed = fork();
        if (!doomed)
            for (;;) share(100 + i);
        nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
        end(doomed);
    }
    for (unsigned i = 0; i < 4; i++) assert_int_equal(check_child_code(pids[i]), 0);
    cache *self = open_cache();
    works_anew(self);
    cache_free(self);
    assert_false(is_there(".damaged"));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, check_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(nobody_else_may_read_it),
        IN_FOLDER(database_of_something_else_is_refused_and_not_touched),
        IN_FOLDER(cache_of_another_version_is_refused),
        IN_FOLDER(path_that_cannot_be_a_file_is_refused),
        IN_FOLDER(path_is_meant_from_where_the_app_was_then),
        IN_FOLDER(answers_outlive_the_cache_that_took_them),
        IN_FOLDER(answer_from_the_future_is_too_old),
        IN_FOLDER(limit_that_was_lowered_is_kept_to_soon),
        IN_FOLDER(file_that_is_no_database_is_set_aside),
        IN_FOLDER(file_cut_off_while_in_use_is_begun_anew),
        IN_FOLDER(damage_anywhere_gives_misses_but_no_wrong_answer),
        IN_FOLDER(file_removed_while_in_use_is_begun_anew),
        IN_FOLDER(others_who_have_it_open_go_on_with_the_new_one),
        IN_FOLDER(process_that_writes_holds_up_one_put_and_no_get),
        IN_FOLDER(file_held_for_one_process_alone_is_a_miss),
        IN_FOLDER(process_stopped_while_it_reads_does_not_let_the_log_grow),
        IN_FOLDER(processes_share_it_and_one_may_be_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
