/* The live stream: takes the frames topic · offset · body apart. May touch one SUB socket. */
#include "subscribers/stream.h"

#include <errno.h>
#include <string.h>

#include "schema/clean.h"
#include "schema/event.h"

#define HEARTBEAT_TOPIC "steno.heartbeat"
#define OFFSET_BYTES 8
/* Messages held for a subscriber that is busy. Few, for each may be large; what is dropped beyond them is replayed. */
#define LIVE_QUEUED_MAX 256
/* How soon a daemon that was restarted is found again. */
#define RECONNECT_MS 50
#define RECONNECT_MAX_MS 500

struct stream {
    void *socket;
};

CLEANUP_FUNCTION(clean_stream, stream, stream_free)

void stream_item_clear(stream_item *item) {
    if (item->held) zmq_msg_close(&item->body);
    *item = (stream_item){0};
}

static bool set_options(void *socket) {
    struct {
        int option;
        int value;
    } options[] = {{ZMQ_LINGER, 0},
                   {ZMQ_RCVHWM, LIVE_QUEUED_MAX},
                   {ZMQ_RECONNECT_IVL, RECONNECT_MS},
                   {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (zmq_setsockopt(socket, options[i].option, &options[i].value, sizeof options[i].value)) return false;
    int64_t size_max = STENO_EVENT_BYTES_MAX;
    return !zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &size_max, sizeof size_max);
}

static bool subscribe(void *socket, const char *prefix) {
    return !zmq_setsockopt(socket, ZMQ_SUBSCRIBE, prefix, strlen(prefix));
}

static bool subscribe_all(void *socket, char *const *topics) {
    if (!topics) return subscribe(socket, "");
    for (; *topics; topics++)
        if (!subscribe(socket, *topics)) return false;
    return subscribe(socket, HEARTBEAT_TOPIC);
}

steno_status stream_open(void *context, const char *endpoint, char *const *topics, stream **out, steno_error *error) {
    *out = NULL;
    cleanup(clean_stream) stream *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for the live stream");
    self->socket = zmq_socket(context, ZMQ_SUB);
    if (!self->socket || !set_options(self->socket) || !subscribe_all(self->socket, topics) ||
        zmq_connect(self->socket, endpoint))
        return steno_fail(error, STENO_SYSTEM, "cannot subscribe at %s: %s", endpoint, zmq_strerror(errno));
    *out = self;
    self = NULL;
    return STENO_OK;
}

void stream_free(stream *self) {
    if (!self) return;
    if (self->socket) zmq_close(self->socket);
    free(self);
}

void *stream_socket(const stream *self) { return self->socket; }

static uint64_t offset_of(const uint8_t bytes[OFFSET_BYTES]) {
    uint64_t offset = 0;
    for (size_t i = 0; i < OFFSET_BYTES; i++) offset = offset << 8 | bytes[i];
    return offset;
}

/* Reads the frames of one message: the first three into `frames`, the rest away. Returns how many there were, 0 if no message is
 * there. All three are initialised in any case.
 */
static size_t receive_frames(void *socket, zmq_msg_t frames[3]) {
    for (size_t i = 0; i < 3; i++) zmq_msg_init(&frames[i]);
    zmq_msg_t rest;
    zmq_msg_init(&rest);
    size_t count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t *frame = count < 3 ? &frames[count] : &rest;
        if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) break;
        more = zmq_msg_more(frame);
        count++;
    }
    zmq_msg_close(&rest);
    return count;
}

steno_status stream_receive(stream *self, stream_item *out, uint64_t *malformed) {
    for (;;) {
        zmq_msg_t frames[3];
        const size_t count = receive_frames(self->socket, frames);
        const bool framed = count == 3 && zmq_msg_size(&frames[1]) == OFFSET_BYTES;
        const uint64_t offset = framed ? offset_of(zmq_msg_data(&frames[1])) : 0;
        const bool heartbeat = zmq_msg_size(&frames[0]) == strlen(HEARTBEAT_TOPIC) &&
                               !memcmp(zmq_msg_data(&frames[0]), HEARTBEAT_TOPIC, strlen(HEARTBEAT_TOPIC));
        /* A heartbeat of an empty log carries offset 0; an event never does. */
        const bool whole = framed && (offset > 0 || heartbeat);
        if (whole) {
            *out = (stream_item){.offset = offset, .heartbeat = heartbeat, .held = true};
            zmq_msg_init(&out->body);
            zmq_msg_move(&out->body, &frames[2]);
        } else if (count > 0) {
            ++*malformed;
        }
        for (size_t i = 0; i < 3; i++) zmq_msg_close(&frames[i]);
        if (whole) return STENO_OK;
        if (count == 0) return STENO_END;
    }
}
