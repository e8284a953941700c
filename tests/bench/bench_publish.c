/* What publishing a 2 KB event costs the app's thread, beside two floors measured in the same run: encoding and copying the same
 * event (no spool, no thread), and one bare zmq_send of it. Prints one JSON object. `bench_publish [SAMPLES]`
 */
#include <msgpack.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "client/publisher.h"
#include "tests/bench/samples.h"

/* Batches whose mean is one sample: a clock read costs as much as a few percent of one publish. */
enum { WARM_UP = 2000, SAMPLES = 100000, THREADS = 8 };

static char text[1400];
static uint8_t copy[8192];

/* The fields of an ordinary `success` event, about 2 KB. */
static void draft_event(steno_draft *draft) {
    double time = 1700000000.25;
    steno_draft_start(draft);
    steno_draft_int(draft, "v", 1);
    steno_draft_string(draft, "event", "success");
    steno_draft_string(draft, "log_event_type", "successful_api_call");
    steno_draft_string(draft, "call_id", "01936f2a-7c1e-7a53-9f0e-5b1f6a2c9d10");
    steno_draft_string(draft, "call_type", "completion");
    steno_draft_string(draft, "model", "gpt-4o-mini");
    steno_draft_string(draft, "provider", "openai");
    steno_draft_bool(draft, "stream", false);
    steno_draft_double(draft, "time", time);
    steno_draft_double(draft, "start_time", time);
    steno_draft_double(draft, "end_time", time);
    steno_draft_int(draft, "attempts", 1);
    steno_draft_map_begin(draft, "app");
    steno_draft_string(draft, "name", "bench");
    steno_draft_string(draft, "host", "localhost");
    steno_draft_int(draft, "pid", 4242);
    steno_draft_map_end(draft);
    steno_draft_map_begin(draft, "usage");
    steno_draft_int(draft, "prompt_tokens", 200);
    steno_draft_int(draft, "completion_tokens", 100);
    steno_draft_int(draft, "total_tokens", 300);
    steno_draft_map_end(draft);
    steno_draft_string_n(draft, "text", text, sizeof text);
    steno_draft_string(draft, "finish_reason", "stop");
}

static void pack_string(msgpack_packer *packer, const char *string, size_t size) {
    msgpack_pack_str(packer, size);
    msgpack_pack_str_body(packer, string, size);
}

#define KEY(packer, name) pack_string(packer, name, sizeof name - 1)

/* The same event with msgpack-c alone. */
static void pack_event(msgpack_sbuffer *buffer) {
    msgpack_packer packer;
    msgpack_sbuffer_clear(buffer);
    msgpack_packer_init(&packer, buffer, msgpack_sbuffer_write);
    static const char *const strings[][2] = {{"event", "success"},
                                             {"log_event_type", "successful_api_call"},
                                             {"call_id", "01936f2a-7c1e-7a53-9f0e-5b1f6a2c9d10"},
                                             {"call_type", "completion"},
                                             {"model", "gpt-4o-mini"},
                                             {"provider", "openai"},
                                             {"finish_reason", "stop"}};
    msgpack_pack_map(&packer, 16);
    KEY(&packer, "v");
    msgpack_pack_int(&packer, 1);
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        pack_string(&packer, strings[i][0], strlen(strings[i][0]));
        pack_string(&packer, strings[i][1], strlen(strings[i][1]));
    }
    KEY(&packer, "stream");
    msgpack_pack_false(&packer);
    KEY(&packer, "time");
    msgpack_pack_double(&packer, 1700000000.25);
    KEY(&packer, "start_time");
    msgpack_pack_double(&packer, 1700000000.25);
    KEY(&packer, "end_time");
    msgpack_pack_double(&packer, 1700000000.25);
    KEY(&packer, "attempts");
    msgpack_pack_int(&packer, 1);
    KEY(&packer, "app");
    msgpack_pack_map(&packer, 3);
    KEY(&packer, "name");
    KEY(&packer, "bench");
    KEY(&packer, "host");
    KEY(&packer, "localhost");
    KEY(&packer, "pid");
    msgpack_pack_int(&packer, 4242);
    KEY(&packer, "usage");
    msgpack_pack_map(&packer, 3);
    KEY(&packer, "prompt_tokens");
    msgpack_pack_int(&packer, 200);
    KEY(&packer, "completion_tokens");
    msgpack_pack_int(&packer, 100);
    KEY(&packer, "total_tokens");
    msgpack_pack_int(&packer, 300);
    KEY(&packer, "text");
    pack_string(&packer, text, sizeof text);
}

static void fail(const char *what, const steno_error *error) {
    fprintf(stderr, "bench_publish: %s: %s\n", what, error ? error->message : zmq_strerror(zmq_errno()));
    exit(1);
}

/* Sorted samples → median and p99.9, as JSON. */
static void report(const char *name, double *samples, size_t count, const char *end) {
    qsort(samples, count, sizeof *samples, compare);
    printf("\"%s\": {\"median_us\": %.3f, \"p999_us\": %.3f}%s", name, samples[count / 2],
           samples[count - 1 - count / 1000], end);
}

/* ---- the floor of publishing to a sender that sleeps: an eventfd that wakes a thread ---- */

static void *sleep_on(void *fd) {
    struct pollfd wake = {.fd = *(int *)fd, .events = POLLIN};
    uint64_t count;
    do {
        poll(&wake, 1, -1);
        if (read(wake.fd, &count, sizeof count) < 0) count = 0;
    } while (count < 1000); /* that many at once: the end */
    return NULL;
}

static void run_wake(double *samples, size_t count) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_t sleeper;
    if (fd < 0 || pthread_create(&sleeper, NULL, sleep_on, &fd)) fail("thread", NULL);
    for (size_t i = 0; i <= count; i++) {
        const uint64_t last = i == count ? 1000 : 1;
        poll(NULL, 0, 1);
        double start = now_us();
        if (write(fd, &last, sizeof last) < 0) fail("eventfd", NULL);
        if (i < count) samples[i] = now_us() - start;
    }
    pthread_join(sleeper, NULL);
    close(fd);
    report("floor_wake", samples, count, ", ");
}

/* ---- many threads at once ---- */

typedef struct worker {
    pthread_t thread;
    pthread_barrier_t *start;
    publisher *publisher; /* NULL: the floor, encode and copy */
    double *samples;
    size_t count;
    double begin, end;
} worker;

static void *work(void *argument) {
    worker *self = argument;
    uint8_t mine[8192];
    steno_error error;
    steno_draft *draft = steno_draft_new();
    msgpack_sbuffer buffer;
    msgpack_sbuffer_init(&buffer);
    pthread_barrier_wait(self->start);
    self->begin = now_us();
    for (size_t i = 0; i < self->count; i++) {
        const void *body;
        size_t size;
        double start = now_us();
        if (!self->publisher) {
            pack_event(&buffer);
            memcpy(mine, buffer.data, buffer.size);
            __asm__ volatile("" ::"r"(mine) : "memory"); /* the copy is made, though nobody reads it */
        } else {
            draft_event(draft);
            if (steno_draft_finish(draft, &body, &size, &error) ||
                publisher_publish(self->publisher, body, size, NULL, &error))
                fail("publish", &error);
        }
        self->samples[i] = now_us() - start;
    }
    self->end = now_us();
    msgpack_sbuffer_destroy(&buffer);
    steno_draft_free(draft);
    return NULL;
}

/* All threads together: each sample is one call in one of them. */
static void run_threads(const char *name, publisher *into, double *samples, size_t count, const char *end) {
    worker workers[THREADS];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, THREADS + 1);
    const size_t each = count / THREADS;
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){.start = &start, .publisher = into, .samples = samples + i * each, .count = each};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i])) fail("thread", NULL);
    }
    pthread_barrier_wait(&start);
    double begin = 0, finish = 0;
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        if (begin == 0 || workers[i].begin < begin) begin = workers[i].begin;
        if (workers[i].end > finish) finish = workers[i].end;
    }
    printf("\"%s_per_s\": %.0f, ", name, (double)(each * THREADS) * 1e6 / (finish - begin));
    report(name, samples, each * THREADS, end);
    pthread_barrier_destroy(&start);
}

int main(int argc, char **argv) {
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : SAMPLES;
    if (count < 1000 || count > 10000000) {
        fprintf(stderr, "bench_publish: the number of samples must be 1,000 to 10,000,000\n");
        return 2;
    }
    memset(text, 'x', sizeof text);
    double *samples = calloc(count, sizeof *samples);
    steno_draft *draft = steno_draft_new();
    static place where;
    steno_error error;
    publisher *self;
    if (!samples || !draft) fail("memory", &(steno_error){.message = "there is none"});
    if (place_open(&where, NULL, &error)) fail("folder", &error);
    if (publisher_open(&where, (size_t)8 << 30, &self, &error)) fail("publisher", &error);
    const void *body = NULL;
    size_t size = 0;

    msgpack_sbuffer buffer;
    msgpack_sbuffer_init(&buffer);
    for (size_t i = 0; i < count + WARM_UP; i++) {
        double start = now_us();
        pack_event(&buffer);
        memcpy(copy, buffer.data, buffer.size);
        if (i >= WARM_UP) samples[i - WARM_UP] = now_us() - start;
    }
    printf("{\"event_bytes\": %zu, ", buffer.size);
    report("floor_encode_copy", samples, count, ", ");

    void *context = zmq_ctx_new(), *receiver = zmq_socket(context, ZMQ_SUB), *socket = zmq_socket(context, ZMQ_PUB);
    char endpoint[sizeof where.events_in + 8];
    snprintf(endpoint, sizeof endpoint, "%s.bench", where.events_in);
    int none = 0;
    zmq_setsockopt(receiver, ZMQ_SUBSCRIBE, "", 0);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(receiver, ZMQ_LINGER, &none, sizeof none);
    if (zmq_bind(receiver, endpoint) || zmq_connect(socket, endpoint)) fail(endpoint, NULL);
    char received[4096];
    while (zmq_recv(receiver, received, sizeof received, ZMQ_DONTWAIT) < 0) zmq_send(socket, "hello", 5, 0);
    for (size_t i = 0; i < count + WARM_UP; i++) {
        double start = now_us();
        zmq_send(socket, buffer.data, buffer.size, 0);
        if (i >= WARM_UP) samples[i - WARM_UP] = now_us() - start;
        while (zmq_recv(receiver, received, sizeof received, ZMQ_DONTWAIT) >= 0) {
        }
    }
    report("floor_zmq_send", samples, count, ", ");
    zmq_close(socket);
    zmq_close(receiver);
    zmq_ctx_term(context);

    for (size_t i = 0; i < count + WARM_UP; i++) {
        double start = now_us();
        draft_event(draft);
        if (steno_draft_finish(draft, &body, &size, &error) || publisher_publish(self, body, size, NULL, &error))
            fail("publish", &error);
        if (i >= WARM_UP) samples[i - WARM_UP] = now_us() - start;
    }
    report("publish_awake", samples, count, ", ");

    size_t few = count / 100;
    run_wake(samples, few);
    for (size_t i = 0; i < few; i++) {
        poll(NULL, 0, 1); /* long enough for the sender to fall asleep */
        double start = now_us();
        draft_event(draft);
        if (steno_draft_finish(draft, &body, &size, &error) || publisher_publish(self, body, size, NULL, &error))
            fail("publish", &error);
        samples[i] = now_us() - start;
    }
    report("publish_asleep", samples, few, ", ");
    run_threads("floor_threads", NULL, samples, count, ", ");
    run_threads("publish_threads", self, samples, count, "}\n");
    publisher_close(self);
    msgpack_sbuffer_destroy(&buffer);
    steno_draft_free(draft);
    free(samples);
    return 0;
}
