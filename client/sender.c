/* Spool to PUB, on a thread of its own. What PUB drops (no daemon yet, high-water mark) the daemon reads from the spool.
 * Invariant: frames leave in order of sequence, spooled and unspooled ones merged.
 */
#include "client/sender.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "schema/clean.h"
#include "schema/event.h"

/* Records sent before the next segment is looked after again. */
#define ROUND_RECORDS 256
/* With more than this to send, the bus carries marks alone. */
#define BEHIND_RECORDS 64
#define MARK_TOPIC "steno.mark"
/* ZeroMQ's first and longest pause between attempts to reach a daemon that is not there. */
#define RECONNECT_MS 100
#define RECONNECT_MS_MAX 2000

typedef struct unspooled {
    struct unspooled *next;
    uint64_t seq;
    size_t size;
    unsigned char body[];
} unspooled;

struct sender {
    uint8_t publisher[SPOOL_PUBLISHER_BYTES];
    char endpoint[PLACE_ENDPOINT_BYTES];
    spool_writer *writer; /* borrowed */
    pthread_t thread;
    int wake_fd;
    atomic_bool asleep;
    atomic_bool stop;

    pthread_mutex_t mutex; /* guards the queue of unspooled events */
    unspooled *head, **tail;
    size_t count, bytes;

    /* The thread's own. */
    spool_reader *reader;
    void *context, *socket;
    uint64_t sent; /* everything up to it has been dealt with */
};

/* ---- the app's side ---- */

void sender_wake(sender *self) {
    /* Two exchanges, here and in wait_for_work, have an order: the second sees what came before the first. So either the
     * thread sees the new record, or this sees it asleep.
     */
    if (!atomic_exchange(&self->asleep, false)) return;
    uint64_t one = 1;
    while (write(self->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

bool sender_offer_unspooled(sender *self, uint64_t seq, const void *body, size_t size) {
    unspooled *entry = size <= SENDER_BODY_BYTES_MAX ? malloc(sizeof *entry + size) : NULL;
    if (!entry) return false;
    *entry = (unspooled){.seq = seq, .size = size};
    memcpy(entry->body, body, size);
    pthread_mutex_lock(&self->mutex);
    bool room = self->count < SENDER_UNSPOOLED_MAX && self->bytes + size <= SENDER_UNSPOOLED_BYTES_MAX;
    if (room) {
        *self->tail = entry;
        self->tail = &entry->next;
        self->count++;
        self->bytes += size;
    }
    pthread_mutex_unlock(&self->mutex);
    if (!room) free(entry);
    return room;
}

/* The first unspooled event, taken off the queue and owned by the caller, if its sequence is below `before`. */
static unspooled *take_unspooled(sender *self, uint64_t before) {
    pthread_mutex_lock(&self->mutex);
    unspooled *entry = self->head && self->head->seq < before ? self->head : NULL;
    if (entry) {
        self->head = entry->next;
        if (!self->head) self->tail = &self->head;
        self->count--;
        self->bytes -= entry->size;
    }
    pthread_mutex_unlock(&self->mutex);
    return entry;
}

/* ---- the thread's side ---- */

/* EVENTS.md, "The bus". A PUB socket never blocks and never refuses. */
static void send_frames(sender *self, const char *topic, uint64_t seq, const void *body, size_t size) {
    /* msgpack [1, publisher, seq]: array of 3, 1, bin 8 of 16 bytes, uint 64. */
    uint8_t header[4 + SPOOL_PUBLISHER_BYTES + 9] = {0x93, 0x01, 0xC4, SPOOL_PUBLISHER_BYTES};
    memcpy(header + 4, self->publisher, SPOOL_PUBLISHER_BYTES);
    header[4 + SPOOL_PUBLISHER_BYTES] = 0xCF;
    for (unsigned i = 0; i < 8; i++) header[5 + SPOOL_PUBLISHER_BYTES + i] = (uint8_t)(seq >> (56 - 8 * i));
    zmq_send(self->socket, topic, strlen(topic), ZMQ_SNDMORE);
    zmq_send(self->socket, header, sizeof header, ZMQ_SNDMORE);
    zmq_send(self->socket, body, size, 0);
}

static void send_event(sender *self, uint64_t seq, const void *body, size_t size) {
    steno_event *event;
    if (steno_event_decode(body, size, &event, NULL)) return;
    char topic[STENO_TOPIC_BYTES];
    steno_event_topic(event, topic);
    steno_event_free(event);
    send_frames(self, topic, seq, body, size <= SENDER_BODY_BYTES_MAX ? size : 0);
}

/* Says "read my spool up to `mark`", if there is a mark. */
static void send_mark(sender *self, uint64_t *mark) {
    if (*mark) send_frames(self, MARK_TOPIC, *mark, "", 0);
    *mark = 0;
}

/* Sends what is not in the spool; whatever comes before it there is marked first. */
static void send_unspooled_below(sender *self, uint64_t before, uint64_t *mark) {
    for (unspooled *entry; (entry = take_unspooled(self, before)); free(entry)) {
        send_mark(self, mark);
        send_event(self, entry->seq, entry->body, entry->size);
    }
}

/* Deals with up to ROUND_RECORDS records. True if there may be more. An app that floods gets one mark a round: the daemon reads many
 * records from a file faster than one by one from the bus, and the app's other threads keep the processor.
 */
static bool send_round(sender *self) {
    const bool behind = spool_last_seq(self->writer) - self->sent > BEHIND_RECORDS;
    uint64_t mark = 0;
    bool more = true;
    for (unsigned count = 0; count < ROUND_RECORDS && more; count++) {
        const uint64_t last = spool_last_seq(self->writer);
        spool_record record;
        more = !spool_read(self->reader, &record, NULL);
        /* What had been given out and is not in the spool never will be (or it can't be read: then the daemon will tell). */
        send_unspooled_below(self, more ? record.seq : last + 1, &mark);
        self->sent = more ? record.seq : last;
        if (more && behind)
            mark = record.seq;
        else if (more)
            send_event(self, record.seq, record.bytes, record.size);
    }
    send_mark(self, &mark);
    return more;
}

static void wait_for_work(sender *self) {
    atomic_exchange(&self->asleep, true);
    if (spool_last_seq(self->writer) == self->sent && !atomic_load(&self->stop)) {
        struct pollfd wake = {.fd = self->wake_fd, .events = POLLIN};
        poll(&wake, 1, -1);
    }
    atomic_store(&self->asleep, false);
    uint64_t count;
    if (read(self->wake_fd, &count, sizeof count) < 0) {
    } /* non-blocking: nothing to read is fine */
}

static void open_socket(sender *self) {
    self->context = zmq_ctx_new();
    if (!self->context) return;
    zmq_ctx_set(self->context, ZMQ_BLOCKY, 0);
    self->socket = zmq_socket(self->context, ZMQ_PUB);
    if (!self->socket) return;
    int mark = SENDER_HIGH_WATER_MARK, linger = 0, pause = RECONNECT_MS, longest = RECONNECT_MS_MAX;
    zmq_setsockopt(self->socket, ZMQ_SNDHWM, &mark, sizeof mark);
    zmq_setsockopt(self->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(self->socket, ZMQ_RECONNECT_IVL, &pause, sizeof pause);
    zmq_setsockopt(self->socket, ZMQ_RECONNECT_IVL_MAX, &longest, sizeof longest);
    zmq_connect(self->socket, self->endpoint);
}

static void close_socket(sender *self) {
    if (self->socket) zmq_close(self->socket);
    if (self->context) zmq_ctx_term(self->context);
}

/* Without a socket (no file descriptors left, say) the spool alone still gets everything to the daemon. */
static void *sender_run(void *argument) {
    sender *self = argument;
    open_socket(self);
    for (;;) {
        bool stop = atomic_load(&self->stop);
        bool more = send_round(self);
        spool_prepare(self->writer);
        if (stop) break;
        if (!more) wait_for_work(self);
    }
    close_socket(self);
    return NULL;
}

/* ---- start and stop ---- */

static void sender_free(sender *self) {
    for (unspooled *entry; (entry = self->head);) {
        self->head = entry->next;
        free(entry);
    }
    spool_reader_close(self->reader);
    if (self->wake_fd >= 0) close(self->wake_fd);
    free(self);
}

steno_status sender_start(const place *where, const uint8_t publisher[SPOOL_PUBLISHER_BYTES], spool_writer *writer,
                          sender **out, steno_error *error) {
    *out = NULL;
    sender *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for the sender thread");
    memcpy(self->publisher, publisher, SPOOL_PUBLISHER_BYTES);
    memcpy(self->endpoint, where->events_in, sizeof self->endpoint);
    self->writer = writer;
    self->tail = &self->head;
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    steno_status status = STENO_OK;
    if (self->wake_fd < 0)
        status = steno_fail(error, STENO_SYSTEM, "cannot make an eventfd: %s", strerror(errno));
    else
        status = spool_reader_open(where->spool, publisher, 1, &self->reader, error);
    if (!status) {
        pthread_mutex_init(&self->mutex, NULL);
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the thread and by ZeroMQ's */
        int failed = pthread_create(&self->thread, NULL, sender_run, self);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (failed) status = steno_fail(error, STENO_SYSTEM, "cannot start the sender thread: %s", strerror(failed));
    }
    if (status) {
        sender_free(self);
        return status;
    }
    *out = self;
    return STENO_OK;
}

void sender_stop(sender *self) {
    if (!self) return;
    atomic_store(&self->stop, true);
    sender_wake(self);
    pthread_join(self->thread, NULL);
    pthread_mutex_destroy(&self->mutex);
    sender_free(self);
}

void sender_abandon(sender *self) {
    /* The socket's descriptors are the parent's too: ZeroMQ has no way to give back only our copies. */
    if (self) sender_free(self);
}
