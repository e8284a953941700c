/* Sending to subscribers. Bodies are handed to ZeroMQ without a copy and counted until its last reference is gone. */
#include "daemon/fanout.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "daemon/clock.h"
#include "schema/identity.h"

#define HEARTBEAT_TOPIC "steno.heartbeat"
/* Subscriptions are read at most so many at a time. */
#define LISTEN_MESSAGES_MAX 1000
/* A subscription is a topic prefix; longer is hostile. */
#define SUBSCRIPTION_BYTES_MAX 1024

struct fanout {
    void *socket;
    steno_draft *draft;
    int64_t heartbeat_ms;
    atomic_size_t waiting; /* bytes of bodies that ZeroMQ holds; lowered by its threads */
};

steno_status fanout_open(void *zmq_context, const char *endpoint, fanout **out, steno_error *error) {
    *out = NULL;
    fanout *self = calloc(1, sizeof *self);
    if (!self || !(self->draft = steno_draft_new())) {
        free(self);
        return steno_fail(error, STENO_NO_MEMORY, "no memory for events out");
    }
    self->socket = zmq_socket(zmq_context, ZMQ_XPUB);
    int mark = FANOUT_HIGH_WATER_MARK, linger = 0;
    int64_t largest = SUBSCRIPTION_BYTES_MAX;
    if (!self->socket || zmq_setsockopt(self->socket, ZMQ_SNDHWM, &mark, sizeof mark) ||
        zmq_setsockopt(self->socket, ZMQ_LINGER, &linger, sizeof linger) ||
        zmq_setsockopt(self->socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest) || zmq_bind(self->socket, endpoint)) {
        steno_status status = steno_fail(error, STENO_SYSTEM, "cannot listen on %s: %s", endpoint, zmq_strerror(errno));
        fanout_close(self);
        fanout_free(self);
        return status;
    }
    *out = self;
    return STENO_OK;
}

void fanout_close(fanout *self) {
    if (self && self->socket) zmq_close(self->socket);
    if (self) self->socket = NULL;
}

void fanout_free(fanout *self) {
    if (!self) return;
    steno_draft_free(self->draft);
    free(self);
}

void *fanout_socket(const fanout *self) { return self->socket; }

/* Called by ZeroMQ, in any thread, with the last reference. */
static void body_sent(void *bytes, void *hint) {
    fanout *self = hint;
    event_body *body = (event_body *)(void *)((char *)bytes - offsetof(event_body, bytes));
    atomic_fetch_sub(&self->waiting, body->size);
    free(body);
}

/* The frames before the body. An XPUB socket neither blocks nor refuses: it drops for whom is too slow. */
static void send_head(fanout *self, const char *topic, uint64_t offset) {
    uint8_t stamp[8];
    for (unsigned i = 0; i < sizeof stamp; i++) stamp[i] = (uint8_t)(offset >> (56 - 8 * i));
    zmq_send(self->socket, topic, strlen(topic), ZMQ_SNDMORE);
    zmq_send(self->socket, stamp, sizeof stamp, ZMQ_SNDMORE);
}

static void send_event(fanout *self, batch_event *entry) {
    size_t size = entry->body->size;
    /* One body may always go, however large. */
    if (atomic_load(&self->waiting) > 0 && atomic_load(&self->waiting) + size > FANOUT_BYTES_MAX) return;
    zmq_msg_t message;
    if (zmq_msg_init_data(&message, entry->body->bytes, size, body_sent, self)) return;
    atomic_fetch_add(&self->waiting, size);
    entry->body = NULL;
    send_head(self, entry->topic, entry->offset);
    if (zmq_msg_send(&message, self->socket, 0) < 0) zmq_msg_close(&message);
}

void fanout_send(fanout *self, batch *committed) {
    for (size_t i = 0; i < committed->count; i++) send_event(self, &committed->events[i]);
}

int64_t fanout_heartbeat(fanout *self, uint64_t last_offset) {
    int64_t now = clock_ms();
    if (now < self->heartbeat_ms) return self->heartbeat_ms;
    self->heartbeat_ms = now + FANOUT_HEARTBEAT_MS;
    const void *body;
    size_t size;
    steno_draft_start(self->draft);
    steno_draft_string(self->draft, "event", HEARTBEAT_TOPIC);
    steno_draft_double(self->draft, "time", identity_now());
    steno_draft_int(self->draft, "offset", (int64_t)last_offset);
    if (!steno_draft_finish(self->draft, &body, &size, NULL)) {
        send_head(self, HEARTBEAT_TOPIC, last_offset);
        zmq_send(self->socket, body, size, 0);
    }
    return self->heartbeat_ms;
}

void fanout_listen(fanout *self) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    for (unsigned i = 0; i < LISTEN_MESSAGES_MAX && zmq_msg_recv(&message, self->socket, ZMQ_DONTWAIT) >= 0; i++) {
    }
    zmq_msg_close(&message);
}
