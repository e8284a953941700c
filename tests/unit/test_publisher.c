/* Tests of client/publisher.c and sender.c: spool first, then the bus, in order, and nothing shared with a fork. */
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

#include "client/publisher.h"
#include "client/sender.h"
#include "schema/spool.h"

static char base[64];
static place where;

static int make_base(void **state) {
    (void)state;
    strcpy(base, "/tmp/steno-publisher-XXXXXX");
    return mkdtemp(base) && !place_open(&where, base, NULL) ? 0 : -1;
}

static int remove_base(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", base);
    return system(command);
}

/* What the daemon binds. */
typedef struct bus {
    void *context, *socket;
} bus;

static bus bus_bind(void) {
    bus in = {.context = zmq_ctx_new()};
    in.socket = zmq_socket(in.context, ZMQ_SUB);
    zmq_setsockopt(in.socket, ZMQ_SUBSCRIBE, "", 0);
    int timeout = 20000;
    zmq_setsockopt(in.socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    assert_int_equal(zmq_bind(in.socket, where.events_in), 0);
    return in;
}

static void bus_close(bus *in) {
    zmq_close(in->socket);
    zmq_ctx_term(in->context);
}

typedef struct frames {
    char topic[STENO_TOPIC_BYTES];
    uint8_t publisher[16];
    uint64_t seq;
    size_t body_size;
    char body[4096];
} frames;

/* Receives one message and checks its form: topic, [1, publisher, seq], body. */
static void receive(bus *in, frames *out) {
    uint8_t header[64];
    int size = zmq_recv(in->socket, out->topic, sizeof out->topic - 1, 0);
    assert_true(size > 0);
    out->topic[size] = '\0';
    assert_int_equal(zmq_recv(in->socket, header, sizeof header, 0), 29);
    assert_memory_equal(header, "\x93\x01\xC4\x10", 4);
    memcpy(out->publisher, header + 4, 16);
    assert_int_equal(header[20], 0xCF);
    out->seq = 0;
    for (int i = 21; i < 29; i++) out->seq = out->seq << 8 | header[i];
    size = zmq_recv(in->socket, out->body, sizeof out->body, 0);
    assert_true(size >= 0);
    out->body_size = (size_t)size;
    int more;
    size_t more_size = sizeof more;
    zmq_getsockopt(in->socket, ZMQ_RCVMORE, &more, &more_size);
    assert_int_equal(more, 0);
}

static steno_status publish(publisher *self, size_t padding, steno_receipt *receipt) {
    steno_draft *draft = steno_draft_new();
    steno_draft_string(draft, "event", "success");
    steno_draft_string(draft, "provider", "openai");
    steno_draft_string(draft, "model", "gpt-4o");
    char *text = calloc(1, padding + 1);
    memset(text, 'p', padding);
    steno_draft_string(draft, "padding", text);
    free(text);
    const void *body;
    size_t size;
    assert_int_equal(steno_draft_finish(draft, &body, &size, NULL), STENO_OK);
    steno_error error;
    steno_status status = publisher_publish(self, body, size, receipt, &error);
    steno_draft_free(draft);
    return status;
}

static publisher *open_publisher(void) {
    publisher *self;
    steno_error error;
    if (publisher_open(&where, 0, &self, &error)) fail_msg("%s", error.message);
    return self;
}

/* Publishes until the bus delivers: before that PUB drops, because it does not know of a subscriber yet. */
static uint64_t connect_to(bus *in, publisher *self) {
    int timeout = 20;
    zmq_setsockopt(in->socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    steno_receipt receipt = {{0}, 0};
    char topic[STENO_TOPIC_BYTES];
    do assert_int_equal(publish(self, 10, &receipt), STENO_OK);
    while (zmq_recv(in->socket, topic, sizeof topic, 0) < 0 && receipt.seq < 1000);
    timeout = 20000;
    zmq_setsockopt(in->socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    char rest[64];
    uint8_t header[32];
    assert_int_equal(zmq_recv(in->socket, header, sizeof header, 0), 29);
    zmq_recv(in->socket, rest, sizeof rest, 0);
    uint64_t seq = 0;
    for (int i = 21; i < 29; i++) seq = seq << 8 | header[i];
    /* What was published meanwhile is on its way. */
    while (seq < receipt.seq) {
        frames got;
        receive(in, &got);
        seq = got.seq;
    }
    return receipt.seq;
}

static void events_reach_the_bus_in_order_with_their_sequence(void **state) {
    (void)state;
    bus in = bus_bind();
    publisher *self = open_publisher();
    uint64_t seq = connect_to(&in, self);
    for (int i = 0; i < 100; i++) {
        steno_receipt receipt;
        assert_int_equal(publish(self, 100, &receipt), STENO_OK);
        assert_int_equal(receipt.seq, ++seq);
        frames got;
        receive(&in, &got);
        assert_string_equal(got.topic, "success.openai.gpt-4o");
        assert_memory_equal(got.publisher, receipt.publisher, 16);
        assert_int_equal(got.seq, seq);
        steno_event *event;
        assert_int_equal(steno_event_decode(got.body, got.body_size, &event, NULL), STENO_OK);
        steno_event_free(event);
    }
    publisher_close(self);
    bus_close(&in);
}

static void without_a_daemon_everything_is_in_the_spool(void **state) {
    (void)state;
    publisher *self = open_publisher();
    steno_receipt receipt;
    for (int i = 0; i < 2000; i++) assert_int_equal(publish(self, 1000, &receipt), STENO_OK);
    publisher_close(self);
    spool_reader *reader;
    assert_int_equal(spool_reader_open(where.spool, receipt.publisher, 1, &reader, NULL), STENO_OK);
    spool_record record;
    for (uint64_t seq = 1; seq <= 2000; seq++) {
        assert_int_equal(spool_read(reader, &record, NULL), STENO_OK);
        assert_int_equal(record.seq, seq);
    }
    assert_int_equal(spool_read(reader, &record, NULL), STENO_END);
    spool_reader_close(reader);
}

static void a_large_event_rings_the_bell_only(void **state) {
    (void)state;
    bus in = bus_bind();
    publisher *self = open_publisher();
    uint64_t seq = connect_to(&in, self);
    steno_receipt receipt;
    assert_int_equal(publish(self, SENDER_BODY_BYTES_MAX, &receipt), STENO_OK);
    frames got;
    receive(&in, &got);
    assert_int_equal(got.seq, seq + 1);
    assert_int_equal(got.body_size, 0);
    publisher_close(self);
    bus_close(&in);
}

#define FLOOD_EVENTS 20000
#define FLOOD_ROUNDS_MAX 20

/* Sends a flood, and reads it back: how many messages it came as, and how many of them were marks. */
static unsigned flood(bus *in, publisher *self, uint64_t *seq, unsigned *marks) {
    steno_receipt receipt;
    unsigned count = 0;
    for (int i = 0; i < FLOOD_EVENTS; i++) assert_int_equal(publish(self, 1000, &receipt), STENO_OK);
    while (*seq < receipt.seq) {
        frames got;
        /* The bus may drop the last of a flood: then there is nothing more until the next event. */
        zmq_pollitem_t item = {.socket = in->socket, .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, 500) == 0) assert_int_equal(publish(self, 1000, &receipt), STENO_OK);
        receive(in, &got);
        assert_true(got.seq > *seq);
        *seq = got.seq;
        count++;
        *marks += got.body_size == 0;
    }
    assert_int_equal(*seq, receipt.seq); /* the last is an event or a mark, and reaches to the end */
    return count;
}

static void an_app_that_floods_sends_marks(void **state) {
    (void)state;
    bus in = bus_bind();
    publisher *self = open_publisher();
    uint64_t seq = connect_to(&in, self);
    unsigned count = 0, marks = 0;
    /* The sender may keep up with a slow flood (sanitizers): then there is nothing to mark. */
    for (int round = 0; marks == 0 && round < FLOOD_ROUNDS_MAX; round++) count = flood(&in, self, &seq, &marks);
    assert_true(marks > 0);
    assert_in_range(count, 1, FLOOD_EVENTS - 1);
    publisher_close(self);
    bus_close(&in);
}

static void an_event_that_the_disk_has_no_room_for_goes_by_the_bus(void **state) {
    (void)state;
    bus in = bus_bind();
    publisher *self = open_publisher();
    uint64_t seq = connect_to(&in, self);
    /* The open segment has room for some more; making another fails as on a full disk. */
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    unsigned refused = 0;
    for (unsigned i = 0; i < 4800; i++) {
        steno_receipt receipt;
        steno_status status = publish(self, 1000, &receipt);
        assert_true(status == STENO_OK || status == STENO_SYSTEM);
        assert_int_equal(receipt.seq, ++seq);
        refused += status != STENO_OK;
        frames got;
        receive(&in, &got);
        assert_int_equal(got.seq, seq);
        assert_true(got.body_size > 1000);
    }
    assert_in_range(refused, 400, 4400);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    publisher_close(self);
    bus_close(&in);
}

static void a_forked_child_is_a_publisher_of_its_own(void **state) {
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* gcc 12's takes the child's sender for its parent's, whose stack it has */
#endif
    publisher *self = open_publisher();
    steno_receipt mine, childs;
    assert_int_equal(publish(self, 10, &mine), STENO_OK);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        steno_receipt receipt;
        if (publish(self, 10, &receipt) || publish(self, 10, &receipt)) _exit(1);
        if (write(ends[1], &receipt, sizeof receipt) != sizeof receipt) _exit(2);
        publisher_close(self);
        _exit(0);
    }
    int ended;
    waitpid(child, &ended, 0);
    assert_int_equal(ended, 0);
    assert_int_equal(read(ends[0], &childs, sizeof childs), sizeof childs);
    close(ends[0]);
    close(ends[1]);
    assert_memory_not_equal(mine.publisher, childs.publisher, 16);
    assert_int_equal(childs.seq, 2);
    assert_int_equal(publish(self, 10, &mine), STENO_OK);
    assert_int_equal(mine.seq, 2);
    for (int i = 0; i < 2; i++) {
        spool_reader *reader;
        assert_int_equal(spool_reader_open(where.spool, i ? childs.publisher : mine.publisher, 1, &reader, NULL),
                         STENO_OK);
        spool_record record;
        assert_int_equal(spool_read(reader, &record, NULL), STENO_OK);
        assert_int_equal(spool_read(reader, &record, NULL), STENO_OK);
        assert_int_equal(record.seq, 2);
        assert_int_equal(spool_read(reader, &record, NULL), STENO_END);
        spool_reader_close(reader);
    }
    publisher_close(self);
}

enum { THREADS = 4, EACH = 500 };

static void *publish_many(void *self) {
    for (int i = 0; i < EACH; i++)
        if (publish(self, 500, NULL)) return self;
    return NULL;
}

static void threads_share_a_publisher(void **state) {
    (void)state;
    publisher *self = open_publisher();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, publish_many, self);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    steno_receipt receipt;
    assert_int_equal(publish(self, 1, &receipt), STENO_OK);
    assert_int_equal(receipt.seq, THREADS * EACH + 1);
    publisher_close(self);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_base, remove_base)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(events_reach_the_bus_in_order_with_their_sequence),
        TEST(without_a_daemon_everything_is_in_the_spool),
        TEST(a_large_event_rings_the_bell_only),
        TEST(an_app_that_floods_sends_marks),
        TEST(an_event_that_the_disk_has_no_room_for_goes_by_the_bus),
        TEST(a_forked_child_is_a_publisher_of_its_own),
        TEST(threads_share_a_publisher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
