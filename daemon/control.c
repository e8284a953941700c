/* Requests and replies over ROUTER: envelope, dispatch, and the list of flushes that wait. */
#include "daemon/control.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "daemon/clock.h"
#include "daemon/frames.h"
#include "daemon/spools.h"
#include "schema/clean.h"
#include "schema/draft.h"

/* ZeroMQ's own limit for a routing id. */
#define IDENTITY_BYTES_MAX 255
/* How long replies may still go out when the daemon ends. */
#define LINGER_MS 200

CLEANUP_FUNCTION(clean_message, control_message, control_free)

/* Who asked. */
typedef struct envelope {
    unsigned char identity[IDENTITY_BYTES_MAX];
    size_t identity_size;
    bool delimiter;
} envelope;

/* A flush that waits. */
typedef struct flush {
    struct flush *after;
    envelope from;
    control_message *request; /* owned */
    bool everyone;            /* all spools; else the one publisher */
    uint8_t publisher[SPOOL_PUBLISHER_BYTES];
    uint64_t seq;        /* 0: what is in its spool */
    uint64_t generation; /* of intake: everything read since then */
    int64_t deadline_ms;
} flush;

struct control {
    void *socket;
    steno_draft *draft;
    flush *flushes;
    size_t flush_count;
    atomic_size_t waiting; /* bytes of replies that ZeroMQ holds; lowered by its threads */
};

steno_status control_open(void *zmq_context, const char *endpoint, control **out, steno_error *error) {
    *out = NULL;
    control *self = calloc(1, sizeof *self);
    if (!self || !(self->draft = steno_draft_new())) {
        free(self);
        return steno_fail(error, STENO_NO_MEMORY, "no memory for the control socket");
    }
    self->socket = zmq_socket(zmq_context, ZMQ_ROUTER);
    int mark = CONTROL_HIGH_WATER_MARK, linger = LINGER_MS;
    int64_t largest = CONTROL_REQUEST_BYTES_MAX;
    if (!self->socket || zmq_setsockopt(self->socket, ZMQ_RCVHWM, &mark, sizeof mark) ||
        zmq_setsockopt(self->socket, ZMQ_SNDHWM, &mark, sizeof mark) ||
        zmq_setsockopt(self->socket, ZMQ_LINGER, &linger, sizeof linger) ||
        zmq_setsockopt(self->socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest) || zmq_bind(self->socket, endpoint)) {
        steno_status status = steno_fail(error, STENO_SYSTEM, "cannot listen on %s: %s", endpoint, zmq_strerror(errno));
        control_close(self);
        control_dispose(self);
        return status;
    }
    *out = self;
    return STENO_OK;
}

static void flush_free(flush *one) {
    control_free(one->request);
    free(one);
}

void control_close(control *self) {
    if (self && self->socket) zmq_close(self->socket);
    if (self) self->socket = NULL;
}

void control_dispose(control *self) {
    if (!self) return;
    for (flush *one; (one = self->flushes);) {
        self->flushes = one->after;
        flush_free(one);
    }
    steno_draft_free(self->draft);
    free(self);
}

void *control_socket(const control *self) { return self->socket; }

/* ---- replies ---- */

/* A copy of the reply, which ZeroMQ gives back through reply_sent. */
typedef struct outgoing {
    control *owner;
    size_t size;
    unsigned char bytes[];
} outgoing;

static void reply_sent(void *bytes, void *hint) {
    (void)bytes;
    outgoing *reply = hint;
    atomic_fetch_sub(&reply->owner->waiting, reply->size);
    free(reply);
}

/* Sends what is in the draft; a ROUTER drops it if the peer is gone. */
static void send_reply(control *self, const envelope *to, const control_message *request) {
    const void *body;
    size_t size;
    steno_error error;
    if (draft_finish_whole(self->draft, CONTROL_BYTES_MAX, &body, &size, &error)) {
        control_reply_error(self->draft, request, "limit", error.message);
        if (draft_finish_whole(self->draft, CONTROL_BYTES_MAX, &body, &size, &error)) return;
    }
    outgoing *reply = malloc(sizeof *reply + size);
    if (!reply) return;
    *reply = (outgoing){.owner = self, .size = size};
    memcpy(reply->bytes, body, size);
    zmq_msg_t message;
    if (zmq_msg_init_data(&message, reply->bytes, size, reply_sent, reply)) {
        free(reply);
        return;
    }
    atomic_fetch_add(&self->waiting, size);
    bool sent = zmq_send(self->socket, to->identity, to->identity_size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;
    if (sent && to->delimiter) sent = zmq_send(self->socket, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;
    if (!sent || zmq_msg_send(&message, self->socket, ZMQ_DONTWAIT) < 0) zmq_msg_close(&message);
}

static void reply_error(control *self, const envelope *to, const control_message *request, const char *code,
                        const char *why) {
    control_reply_error(self->draft, request, code, why);
    send_reply(self, to, request);
}

/* ---- flush ---- */

/* Fills in what is waited for. Returns what is wrong with the request, or NULL. */
static const char *read_flush(const control_message *request, flush *out) {
    const steno_value *whose = control_get(request, "publisher"), *seq = control_get(request, "seq");
    const steno_value *timeout = control_get(request, "timeout_ms");
    size_t size = 0;
    const char *bytes = steno_value_string(whose, &size);
    switch (steno_value_type(whose)) {
    case STENO_TYPE_NIL: out->everyone = true; break;
    case STENO_TYPE_BYTES:
        if (size != SPOOL_PUBLISHER_BYTES) return "`publisher` must have 16 bytes or 32 hex digits";
        memcpy(out->publisher, bytes, size);
        break;
    default:
        if (!bytes || !spool_publisher_parse(bytes, out->publisher))
            return "`publisher` must have 16 bytes or 32 hex digits";
    }
    if (steno_value_type(seq) != STENO_TYPE_NIL) {
        if (steno_value_type(seq) != STENO_TYPE_INT || steno_value_int(seq, -1) < 0 || out->everyone)
            return "`seq` must be an integer, 0 or above, and needs `publisher`";
        out->seq = (uint64_t)steno_value_int(seq, 0);
    }
    int64_t wait = steno_value_int(timeout, CONTROL_FLUSH_TIMEOUT_MS);
    if (wait < 0 || wait > CONTROL_FLUSH_TIMEOUT_MS) wait = CONTROL_FLUSH_TIMEOUT_MS;
    out->deadline_ms = clock_ms() + wait;
    return NULL;
}

/* Takes the request over, unless it answers it with an error. */
static void begin_flush(control *self, const envelope *from, control_message **request, intake *into) {
    if (self->flush_count == CONTROL_FLUSHES_MAX) {
        reply_error(self, from, *request, "limit", "too many flushes wait already");
        return;
    }
    flush *one = calloc(1, sizeof *one);
    if (!one) {
        reply_error(self, from, *request, "internal", "no memory");
        return;
    }
    const char *wrong = read_flush(*request, one);
    if (wrong) {
        reply_error(self, from, *request, "invalid", wrong);
        free(one);
        return;
    }
    one->from = *from;
    one->request = *request;
    *request = NULL;
    one->generation = spools_want(into);
    one->after = self->flushes;
    self->flushes = one;
    self->flush_count++;
}

static bool flushed(const flush *one, const intake *from_spools) {
    if (one->everyone) return spools_read_since(from_spools, one->generation);
    const publisher *from = publishers_find(from_spools->table, one->publisher);
    if (one->seq) return from && from->stored > one->seq;
    /* Without a folder there is nothing to wait for. */
    if (!from || !from->spooled) return from_spools->scanned >= one->generation;
    return from->looked >= one->generation && from->stored == from->next;
}

bool control_flushing(const control *self) { return self->flush_count > 0; }

/* True if it has been answered. */
static bool settle(control *self, const flush *one, const verb_view *view) {
    bool done = flushed(one, view->intake);
    publisher past = {0};
    const publisher *whose = publishers_find(view->intake->table, one->publisher);
    if (!one->everyone && !whose) {
        /* Not in memory any more: the log knows. */
        memcpy(past.uuid, one->publisher, sizeof past.uuid);
        if (!store_load_publisher(view->store, &past, NULL)) whose = &past;
        done |= one->seq && whose && whose->stored > one->seq;
    }
    if (done) {
        if (one->everyone) store_checkpoint(view->store);
        control_reply_begin(self->draft, one->request);
        steno_draft_int(self->draft, "last_offset", (int64_t)store_last_offset(view->store));
        if (!one->everyone) steno_draft_int(self->draft, "losses", whose ? (int64_t)whose->losses : 0);
        send_reply(self, &one->from, one->request);
    } else if (clock_ms() >= one->deadline_ms) {
        reply_error(self, &one->from, one->request, "timeout",
                    view->problem ? view->problem : "not everything asked for has been stored in time");
    } else {
        return false;
    }
    return true;
}

int64_t control_settle(control *self, const verb_view *view) {
    int64_t next = INT64_MAX;
    for (flush **link = &self->flushes; *link;) {
        flush *one = *link;
        if (settle(self, one, view)) {
            *link = one->after;
            self->flush_count--;
            flush_free(one);
        } else {
            if (one->deadline_ms < next) next = one->deadline_ms;
            link = &one->after;
        }
    }
    return next;
}

/* ---- requests ---- */

static void answer(control *self, const envelope *from, const void *bytes, size_t size, const verb_view *view,
                   intake *into) {
    cleanup(clean_message) control_message *request = NULL;
    steno_error error;
    if (size > CONTROL_REQUEST_BYTES_MAX || control_decode(bytes, size, &request, &error)) {
        reply_error(self, from, NULL, "invalid", "a request is a msgpack map of at most 64 KiB");
        return;
    }
    const char *name = control_string(request, "verb");
    if (!name) {
        reply_error(self, from, request, "invalid", "field `verb` is missing");
        return;
    }
    if (!strcmp(name, "flush")) {
        begin_flush(self, from, &request, into);
        return;
    }
    verb_fn verb = verb_find(name);
    if (!verb) {
        snprintf(error.message, sizeof error.message, "there is no verb %.64s", name);
        reply_error(self, from, request, "unknown_verb", error.message);
        return;
    }
    if (atomic_load(&self->waiting) > CONTROL_WAITING_BYTES_MAX) {
        reply_error(self, from, request, "limit", "too many replies wait to be fetched");
        return;
    }
    const char *code = verb(view, request, self->draft, error.message);
    if (code)
        reply_error(self, from, request, code, error.message);
    else
        send_reply(self, from, request);
}

bool control_take(control *self, const verb_view *view, intake *into) {
    zmq_msg_t frames[FRAMES_MAX];
    for (int i = 0; i < FRAMES_MAX; i++) zmq_msg_init(&frames[i]);
    bool there = true;
    const int64_t until = clock_ms() + CONTROL_TURN_MS;
    for (unsigned turn = 0; turn < CONTROL_TURN_REQUESTS && there && clock_ms() < until; turn++) {
        size_t count;
        there = frames_receive(self->socket, frames, &count);
        if (!there || count < 2 || count > FRAMES_MAX || zmq_msg_size(&frames[0]) > IDENTITY_BYTES_MAX) continue;
        if (count == 3 && zmq_msg_size(&frames[1]) > 0) continue;
        envelope from = {.identity_size = zmq_msg_size(&frames[0]), .delimiter = count == 3};
        memcpy(from.identity, zmq_msg_data(&frames[0]), from.identity_size);
        zmq_msg_t *body = &frames[count - 1];
        answer(self, &from, zmq_msg_data(body), zmq_msg_size(body), view, into);
    }
    for (int i = 0; i < FRAMES_MAX; i++) zmq_msg_close(&frames[i]);
    return there;
}
