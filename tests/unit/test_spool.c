/* Tests of schema/spool_*.c: what is appended is read, once, in order, whatever happens to the writer or its files. */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "schema/identity.h"
#include "schema/spool_format.h"

static char base[PATH_MAX];
static uint8_t publisher[16];

static int make_base(void **state) {
    (void)state;
    strcpy(base, "/tmp/steno-spool-XXXXXX");
    identity_random(publisher);
    return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state) {
    (void)state;
    char command[PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -r %s", base);
    return system(command);
}

static spool_writer *writer_open(size_t bytes_max) {
    spool_writer *writer;
    steno_error error;
    if (spool_writer_open(base, publisher, bytes_max, &writer, &error)) fail_msg("%s", error.message);
    return writer;
}

static spool_reader *reader_open(uint64_t from) {
    spool_reader *reader;
    steno_error error;
    if (spool_reader_open(base, publisher, from, &reader, &error)) fail_msg("%s", error.message);
    return reader;
}

/* The bytes of record `seq`: their length and content follow from it. */
static size_t pattern(uint64_t seq, uint8_t *out) {
    size_t size = 1 + (size_t)(seq * 2654435761u % 4000);
    for (size_t i = 0; i < size; i++) out[i] = (uint8_t)(seq + i);
    return size;
}

static void append(spool_writer *writer, uint64_t expected_seq) {
    uint8_t bytes[4096];
    uint64_t seq;
    steno_error error;
    size_t size = pattern(expected_seq, bytes);
    if (spool_append(writer, bytes, size, &seq, &error)) fail_msg("%s", error.message);
    assert_int_equal(seq, expected_seq);
}

static void expect(spool_reader *reader, uint64_t seq) {
    uint8_t bytes[4096];
    spool_record record;
    steno_error error;
    if (spool_read(reader, &record, &error)) fail_msg("record %llu: %s", (unsigned long long)seq, error.message);
    assert_int_equal(record.seq, seq);
    assert_int_equal(record.size, pattern(seq, bytes));
    assert_memory_equal(record.bytes, bytes, record.size);
}

static void expect_end(spool_reader *reader) {
    spool_record record;
    assert_int_equal(spool_read(reader, &record, NULL), STENO_END);
}

static unsigned segments(void) {
    char folder[SPOOL_PATH_BYTES];
    spool_folder_path(folder, base, publisher, false);
    unsigned count = 0;
    for (uint32_t index = 0; (index = spool_segment_find(folder, index + 1));) count++;
    return count;
}

static void segment_path(char out[SPOOL_PATH_BYTES], uint32_t index) {
    char folder[SPOOL_PATH_BYTES];
    spool_folder_path(folder, base, publisher, false);
    spool_segment_path(out, folder, index);
}

static void records_are_read_in_order_across_segments(void **state) {
    (void)state;
    spool_writer *writer = writer_open(SPOOL_BYTES_MAX);
    spool_reader *reader = reader_open(1);
    expect_end(reader);
    uint64_t last = 20000, read = 0;
    for (uint64_t seq = 1; seq <= last; seq++) {
        append(writer, seq);
        if (seq % 3 == 0) spool_prepare(writer);
        while (seq % 7 == 0 && read < seq) expect(reader, ++read);
    }
    while (read < last) expect(reader, ++read);
    expect_end(reader);
    assert_in_range(segments(), 8, 14);
    assert_int_equal(spool_last_seq(writer), last);
    spool_reader_close(reader);
    reader = reader_open(14321);
    expect(reader, 14321);
    spool_reader_close(reader);
    spool_writer_close(writer);
}

static void a_record_larger_than_a_segment_gets_one_of_its_own(void **state) {
    (void)state;
    size_t size = 3 * SPOOL_SEGMENT_BYTES + 5;
    uint8_t *large = malloc(size);
    memset(large, 'x', size);
    spool_writer *writer = writer_open(SPOOL_BYTES_MAX);
    for (uint64_t seq = 1; seq <= 300; seq++) append(writer, seq);
    spool_prepare(writer); /* an ordinary segment is ready, and must give way */
    uint64_t seq;
    assert_int_equal(spool_append(writer, large, size, &seq, NULL), STENO_OK);
    assert_int_equal(seq, 301);
    append(writer, 302);
    spool_reader *reader = reader_open(300);
    expect(reader, 300);
    spool_record record;
    assert_int_equal(spool_read(reader, &record, NULL), STENO_OK);
    assert_int_equal(record.seq, 301);
    assert_int_equal(record.size, size);
    assert_memory_equal(record.bytes, large, size);
    expect(reader, 302);
    expect_end(reader);
    spool_reader_close(reader);
    spool_writer_close(writer);
    free(large);
}

static void at_its_limit_the_spool_refuses_and_goes_on_when_there_is_room(void **state) {
    (void)state;
    spool_writer *writer = writer_open(3 * SPOOL_SEGMENT_BYTES);
    uint8_t bytes[4096] = {0};
    uint64_t seq = 0;
    steno_error error;
    steno_status status;
    do status = spool_append(writer, bytes, sizeof bytes, &seq, &error);
    while (!status);
    assert_int_equal(status, STENO_LIMIT);
    assert_non_null(strstr(error.message, "stenod"));
    assert_in_range(seq, 3 * (SPOOL_SEGMENT_BYTES / 4200), 3 * (SPOOL_SEGMENT_BYTES / 4096) + 1);
    uint64_t refused = seq;
    /* Who reads on learns of it, though nothing follows. */
    spool_reader *reader = reader_open(1);
    spool_record record;
    for (uint64_t i = 1; i < refused; i++) assert_int_equal(spool_read(reader, &record, NULL), STENO_OK);
    assert_int_equal(spool_read(reader, &record, NULL), STENO_END);
    assert_int_equal(spool_reader_refused(reader), refused);
    spool_reader_close(reader);
    /* The daemon takes over all but the segment that is being written. In a process of its own: it asks for the lock. */
    pid_t daemon = fork();
    if (daemon == 0) {
        bool gone;
        _exit(spool_release(base, publisher, refused, true, &gone, NULL) || gone ? 1 : 0);
    }
    int ended;
    waitpid(daemon, &ended, 0);
    assert_int_equal(ended, 0);
    assert_int_equal(segments(), 1);
    for (int i = 0; i < 100 && (status = spool_append(writer, bytes, sizeof bytes, &seq, NULL)); i++) {
        usleep(10000); /* the count is renewed at intervals */
        spool_prepare(writer);
    }
    assert_int_equal(status, STENO_OK);
    reader = reader_open(refused);
    assert_int_equal(spool_read(reader, &record, NULL), STENO_OK);
    assert_int_equal(record.seq, seq); /* the refused ones are a gap */
    assert_int_equal(spool_read(reader, &record, NULL), STENO_END);
    assert_int_equal(spool_reader_refused(reader), 0);
    spool_reader_close(reader);
    spool_writer_close(writer);
}

static void a_full_disk_is_an_error_and_no_signal(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        /* No file may grow beyond 512 KiB: allocating a segment fails as it does on a full disk. */
        struct rlimit limit = {512u << 10, 512u << 10};
        setrlimit(RLIMIT_FSIZE, &limit);
        signal(SIGXFSZ, SIG_IGN);
        spool_writer *writer;
        if (spool_writer_open(base, publisher, SPOOL_BYTES_MAX, &writer, NULL)) _exit(1);
        uint64_t seq;
        steno_error error;
        if (spool_append(writer, "x", 1, &seq, &error) != STENO_SYSTEM || seq != 1) _exit(2);
        if (spool_append(writer, "x", 1, &seq, &error) != STENO_SYSTEM || seq != 2) _exit(3);
        _exit(segments() == 0 ? 0 : 4);
    }
    int ended;
    waitpid(child, &ended, 0);
    assert_int_equal(ended, 0);
}

/* Appends until it is killed, and says by pipe which sequence was accepted last. */
static pid_t start_appender(int *accepted) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        spool_writer *writer;
        if (spool_writer_open(base, publisher, SPOOL_BYTES_MAX, &writer, NULL)) _exit(1);
        for (uint64_t seq = 1;; seq++) {
            append(writer, seq);
            spool_prepare(writer);
            if (write(ends[1], &seq, sizeof seq) != sizeof seq) _exit(2);
        }
    }
    close(ends[1]);
    *accepted = ends[0];
    return child;
}

static void what_a_killed_writer_was_told_is_kept_is_there(void **state) {
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        identity_random(publisher);
        int accepted;
        pid_t child = start_appender(&accepted);
        uint64_t last = 0, seq, stop_at = 1 + round * 97;
        while (last < stop_at && read(accepted, &seq, sizeof seq) == sizeof seq) last = seq;
        assert_true(spool_owner_alive(base, publisher));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(accepted, &seq, sizeof seq) == sizeof seq) last = seq;
        close(accepted);
        assert_false(spool_owner_alive(base, publisher));
        spool_reader *reader = reader_open(1);
        for (seq = 1; seq <= last; seq++) expect(reader, seq);
        spool_record record;
        steno_status status = spool_read(reader, &record, NULL);
        if (!status) { /* one more was committed, but not reported */
            assert_int_equal(record.seq, last + 1);
            status = spool_read(reader, &record, NULL);
        }
        assert_int_equal(status, STENO_END);
        spool_reader_close(reader);
        bool gone;
        assert_int_equal(spool_release(base, publisher, last, true, &gone, NULL), STENO_OK);
        assert_false(gone); /* something is left */
        assert_int_equal(spool_release(base, publisher, last + 2, false, &gone, NULL), STENO_OK);
        assert_false(gone); /* something is to be said of it yet */
        assert_true(segments() > 0);
        assert_int_equal(spool_release(base, publisher, last + 2, true, &gone, NULL), STENO_OK);
        assert_true(gone);
        assert_int_equal(segments(), 0);
    }
}

static void a_child_does_not_keep_a_dead_owner_alive(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t owner = fork();
    if (owner == 0) {
        spool_writer *writer = writer_open(SPOOL_BYTES_MAX);
        append(writer, 1);
        pid_t heir = fork();
        if (heir == 0) {
            close(ends[0]);
            for (;;) pause();
        }
        if (write(ends[1], &heir, sizeof heir) != sizeof heir) _exit(1);
        for (;;) pause();
    }
    pid_t heir;
    assert_int_equal(read(ends[0], &heir, sizeof heir), sizeof heir);
    assert_true(spool_owner_alive(base, publisher));
    kill(owner, SIGKILL);
    waitpid(owner, NULL, 0);
    assert_false(spool_owner_alive(base, publisher));
    assert_int_equal(kill(heir, 0), 0);
    kill(heir, SIGKILL);
    close(ends[0]);
    close(ends[1]);
}

/* Damages byte `at` of segment 1 and reads: everything before the damage, then the error, then segment 2. */
static void records_before_and_after_the_damage_are_read(void **state) {
    (void)state;
    spool_writer *writer = writer_open(SPOOL_BYTES_MAX);
    uint64_t last = 4000;
    for (uint64_t seq = 1; seq <= last; seq++) append(writer, seq);
    spool_writer_close(writer);
    char path[SPOOL_PATH_BYTES];
    segment_path(path, 1);
    int fd = open(path, O_RDWR);
    off_t at = 100000;
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x55;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
    spool_reader *reader = reader_open(1);
    spool_record record = {0};
    steno_error error;
    uint64_t before = 0, after = 0;
    steno_status status;
    while (!(status = spool_read(reader, &record, &error))) before = record.seq;
    assert_int_equal(status, STENO_CORRUPT);
    assert_non_null(strstr(error.message, "segment 1"));
    assert_in_range(before, 30, 80);
    char aside[PATH_MAX];
    assert_int_equal(spool_reader_set_aside(reader, aside, &error), STENO_OK);
    assert_int_equal(access(aside, F_OK), 0);
    assert_int_equal(access(path, F_OK), -1);
    while (!(status = spool_read(reader, &record, &error))) {
        assert_true(record.seq > before);
        if (!after) after = record.seq;
    }
    assert_int_equal(status, STENO_END);
    assert_in_range(after, 1600, 2800); /* the first of segment 2 */
    assert_int_equal(record.seq, last);
    spool_reader_close(reader);
}

/* Every place of the file, damaged or cut: reading ends, and never hands out bytes that were not appended. */
static void no_damage_gets_through(void **state) {
    (void)state;
    spool_writer *writer = writer_open(SPOOL_BYTES_MAX);
    for (uint64_t seq = 1; seq <= 5; seq++) append(writer, seq);
    spool_writer_close(writer);
    char path[SPOOL_PATH_BYTES];
    segment_path(path, 1);
    int fd = open(path, O_RDWR);
    for (off_t at = 0; at < 12000; at += at < 600 ? 1 : 37) {
        uint8_t byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        uint8_t other = (uint8_t)(byte ^ (1u << at % 8));
        assert_int_equal(pwrite(fd, &other, 1, at), 1);
        spool_reader *reader = reader_open(1);
        spool_record record;
        uint64_t seq = 0;
        while (!spool_read(reader, &record, NULL)) {
            uint8_t bytes[4096];
            assert_true(record.seq > seq && record.seq <= 5);
            seq = record.seq;
            assert_int_equal(record.size, pattern(seq, bytes));
            assert_memory_equal(record.bytes, bytes, record.size);
        }
        spool_reader_close(reader);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    for (off_t size = 12024; size >= 0; size -= 501) {
        assert_int_equal(ftruncate(fd, size), 0);
        spool_reader *reader = reader_open(1);
        spool_record record;
        steno_status status;
        uint64_t seq = 0;
        while (!(status = spool_read(reader, &record, NULL))) assert_int_equal(record.seq, ++seq);
        assert_true(status == STENO_CORRUPT || (status == STENO_END && size == 0));
        assert_true(seq > 0 || size < 4096);
        spool_reader_close(reader);
    }
    close(fd);
}

/* The writer puts the magic last: a header without it is one that is being written, whatever of the rest is there already. */
static void a_header_without_its_magic_is_waited_for(void **state) {
    (void)state;
    spool_writer *writer = writer_open(SPOOL_BYTES_MAX);
    append(writer, 1);
    char path[SPOOL_PATH_BYTES];
    segment_path(path, 1);
    const int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    const uint64_t none = 0;
    assert_int_equal(pwrite(fd, &none, sizeof none, 0), sizeof none);
    spool_reader *reader = reader_open(1);
    expect_end(reader);
    expect_end(reader);
    assert_int_equal(pwrite(fd, SPOOL_MAGIC, sizeof none, 0), sizeof none);
    expect(reader, 1);
    close(fd);
    spool_reader_close(reader);
    spool_writer_close(writer);
}

static void a_publisher_that_wrote_nothing_leaves_nothing(void **state) {
    (void)state;
    spool_writer_close(writer_open(SPOOL_BYTES_MAX));
    char folder[SPOOL_PATH_BYTES];
    spool_folder_path(folder, base, publisher, false);
    assert_int_equal(access(folder, F_OK), -1);
}

static void count(const uint8_t which[16], void *ctx) {
    if (!memcmp(which, publisher, 16)) ++*(unsigned *)ctx;
}

/* So many folders are swept away under their maker's hands: by a daemon whose clock is ahead of the file system's, they have been there for long. */
static unsigned sweeps;

/* In place of the system's, for this program. */
int rename(const char *from, const char *to) {
    int (*systems)(const char *, const char *);
    *(void **)&systems = dlsym(RTLD_NEXT, "rename");
    if (sweeps > 0 && strstr(from, SPOOL_NEW_PREFIX)) {
        char lock[PATH_MAX];
        sweeps--;
        snprintf(lock, sizeof lock, "%s/" SPOOL_LOCK_NAME, from);
        unlink(lock);
        rmdir(from);
    }
    return systems(from, to);
}

static void a_folder_that_is_swept_away_is_made_again(void **state) {
    (void)state;
    sweeps = 2;
    spool_writer *writer = writer_open(SPOOL_BYTES_MAX);
    assert_int_equal(sweeps, 0);
    append(writer, 1);
    spool_reader *reader = reader_open(1);
    expect(reader, 1);
    spool_reader_close(reader);
    spool_writer_close(writer);
}

static void a_folder_in_the_making_is_left_alone_whatever_its_age(void **state) {
    (void)state;
    char fresh[SPOOL_PATH_BYTES], lock[SPOOL_PATH_BYTES + 8];
    int ends[2];
    spool_folder_path(fresh, base, publisher, true);
    snprintf(lock, sizeof lock, "%s/" SPOOL_LOCK_NAME, fresh);
    assert_int_equal(pipe(ends), 0);
    pid_t maker = fork();
    if (maker == 0) {
        const int fd = mkdir(fresh, 0700) ? -1 : open(lock, O_RDWR | O_CREAT, 0600);
        struct flock taken = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
        char ready = fd >= 0 && !fcntl(fd, F_SETLK, &taken) && !utimensat(AT_FDCWD, fresh, old, 0) ? 'y' : 'n';
        if (write(ends[1], &ready, 1) != 1) _exit(1);
        alarm(30);
        for (;;) pause();
    }
    char ready;
    assert_int_equal(read(ends[0], &ready, 1), 1);
    assert_int_equal(ready, 'y');
    unsigned found = 0;
    assert_int_equal(spool_each(base, count, &found, NULL, NULL), STENO_OK);
    assert_int_equal(access(lock, F_OK), 0);
    kill(maker, SIGKILL);
    waitpid(maker, NULL, 0);
    assert_int_equal(spool_each(base, count, &found, NULL, NULL), STENO_OK);
    assert_int_equal(access(fresh, F_OK), -1); /* its maker was killed over it */
    close(ends[0]);
    close(ends[1]);
}

static void foreign_files_are_passed_over(void **state) {
    (void)state;
    spool_writer *writer = writer_open(SPOOL_BYTES_MAX);
    append(writer, 1);
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/notes.txt", base);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    snprintf(path, sizeof path, "%s/ABCDEF", base);
    mkdir(path, 0700);
    unsigned found = 0;
    size_t foreign;
    assert_int_equal(spool_each(base, count, &found, &foreign, NULL), STENO_OK);
    assert_int_equal(found, 1);
    assert_int_equal(foreign, 2);
    spool_writer_close(writer);
}

enum { THREADS = 4, EACH = 3000 };

static void *append_many(void *writer) {
    for (int i = 0; i < EACH; i++) {
        uint64_t seq;
        char bytes[64];
        memset(bytes, i, sizeof bytes);
        if (spool_append(writer, bytes, sizeof bytes, &seq, NULL)) return writer;
    }
    return NULL;
}

static void threads_append_at_once_while_the_sender_prepares(void **state) {
    (void)state;
    spool_writer *writer = writer_open(SPOOL_BYTES_MAX);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, append_many, writer);
    spool_reader *reader = reader_open(1);
    spool_record record;
    for (uint64_t seq = 0; seq < THREADS * EACH;) {
        spool_prepare(writer);
        steno_status status = spool_read(reader, &record, NULL);
        if (status == STENO_END) continue;
        assert_int_equal(status, STENO_OK);
        assert_int_equal(record.seq, ++seq);
        for (size_t i = 1; i < record.size; i++)
            assert_int_equal(((const char *)record.bytes)[i], ((const char *)record.bytes)[0]);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    spool_reader_close(reader);
    spool_writer_close(writer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_base, remove_base)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(records_are_read_in_order_across_segments),
        TEST(a_record_larger_than_a_segment_gets_one_of_its_own),
        TEST(at_its_limit_the_spool_refuses_and_goes_on_when_there_is_room),
        TEST(a_full_disk_is_an_error_and_no_signal),
        TEST(what_a_killed_writer_was_told_is_kept_is_there),
        TEST(a_child_does_not_keep_a_dead_owner_alive),
        TEST(records_before_and_after_the_damage_are_read),
        TEST(no_damage_gets_through),
        TEST(a_header_without_its_magic_is_waited_for),
        TEST(a_publisher_that_wrote_nothing_leaves_nothing),
        TEST(a_folder_that_is_swept_away_is_made_again),
        TEST(a_folder_in_the_making_is_left_alone_whatever_its_age),
        TEST(foreign_files_are_passed_over),
        TEST(threads_append_at_once_while_the_sender_prepares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
