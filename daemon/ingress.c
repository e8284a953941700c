/* The bus: messages of two or three frames. Invariant: every message is received to its last frame, whatever is wrong with it. */
#include "daemon/ingress.h"

#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

#include "daemon/frames.h"
#include "daemon/order.h"

struct ingress {
    void *socket;
};

steno_status ingress_open(void *zmq_context, const char *endpoint, ingress **out, steno_error *error) {
    *out = NULL;
    ingress *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for events in");
    self->socket = zmq_socket(zmq_context, ZMQ_SUB);
    int mark = INGRESS_HIGH_WATER_MARK;
    int64_t largest = STENO_EVENT_BYTES_MAX;
    if (!self->socket || zmq_setsockopt(self->socket, ZMQ_RCVHWM, &mark, sizeof mark) ||
        zmq_setsockopt(self->socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest) ||
        zmq_setsockopt(self->socket, ZMQ_SUBSCRIBE, "", 0) || zmq_bind(self->socket, endpoint)) {
        steno_status status = steno_fail(error, STENO_SYSTEM, "cannot listen on %s: %s", endpoint, zmq_strerror(errno));
        ingress_close(self);
        return status;
    }
    *out = self;
    return STENO_OK;
}

void ingress_close(ingress *self) {
    if (!self) return;
    if (self->socket) zmq_close(self->socket);
    free(self);
}

void *ingress_socket(const ingress *self) { return self->socket; }

static void take_numbered(intake *into, zmq_msg_t *header, zmq_msg_t *body) {
    uint8_t uuid[SPOOL_PUBLISHER_BYTES];
    uint64_t seq;
    if (!ingress_header(zmq_msg_data(header), zmq_msg_size(header), uuid, &seq)) {
        intake_malformed(into, "the bus", "its second frame is not [1, publisher, seq]");
        return;
    }
    publisher *from = intake_publisher(into, uuid, false);
    if (from && from != into->own) order_frame(into, from, seq, zmq_msg_data(body), zmq_msg_size(body));
}

static void take_message(intake *into, zmq_msg_t frames[FRAMES_MAX], size_t count) {
    steno_error error;
    if (count == 3)
        take_numbered(into, &frames[1], &frames[2]);
    else if (count != 2)
        intake_malformed(into, "the bus", "it has neither two nor three frames");
    else if (batch_add(&into->batch, NULL, 0, zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]), &error))
        intake_malformed(into, "the bus", error.message);
}

bool ingress_take(ingress *self, intake *into) {
    zmq_msg_t frames[FRAMES_MAX];
    for (int i = 0; i < FRAMES_MAX; i++) zmq_msg_init(&frames[i]);
    bool there = true;
    for (unsigned turn = 0; turn < INGRESS_TURN_MESSAGES && there && batch_fits(&into->batch, 0); turn++) {
        size_t count;
        there = frames_receive(self->socket, frames, &count);
        if (there) take_message(into, frames, count);
    }
    for (int i = 0; i < FRAMES_MAX; i++) zmq_msg_close(&frames[i]);
    return there;
}
