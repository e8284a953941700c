/* The control client: sends requests with ids and finds each one's reply. May touch one DEALER socket.
 * Invariant: a reply reaches only the request whose id it carries.
 */
#include "subscribers/control_client.h"

#include <errno.h>
#include <string.h>

#include "schema/clean.h"
#include "schema/place.h"
#include "subscribers/clock.h"

/* Requests on their way to one daemon at once; callers have one or two, and a stopped daemon must not collect more. */
#define REQUESTS_QUEUED_MAX 16
/* Replies not yet read: those to requests that timed out, at most. */
#define REPLIES_QUEUED_MAX 16
/* A reply holds at least one event, however large, and what is around it. */
#define REPLY_BYTES_MAX ((int64_t)STENO_EVENT_BYTES_MAX + (1 << 20))
/* How soon a daemon that was restarted is found again. */
#define RECONNECT_MS 50
#define RECONNECT_MAX_MS 500

struct steno_control {
    void *own_context; /* NULL: the caller's is used */
    void *socket;
    uint64_t last_id;
    control_reply *reply; /* of steno_control_call */
    char endpoint[PLACE_ENDPOINT_BYTES];
};

CLEANUP_FUNCTION(clean_control, steno_control, steno_control_free)
CLEANUP_FUNCTION(clean_reply, control_reply, control_reply_free)

void control_reply_free(control_reply *reply) {
    if (!reply) return;
    control_free(reply->message);
    zmq_msg_close(&reply->frame);
    free(reply);
}

bool control_reply_ok(const control_reply *reply, steno_error *error) {
    if (steno_value_bool(control_get(reply->message, "ok"), false)) return true;
    const steno_value *details = control_get(reply->message, "error");
    const char *code = steno_value_string(steno_value_get(details, "code"), NULL);
    const char *message = steno_value_string(steno_value_get(details, "message"), NULL);
    steno_fail(error, STENO_FAILED, "stenod refused: %s (%s)", message ? message : "it gave no reason",
               code ? code : "no code");
    if (error && code) strncpy(error->type, code, sizeof error->type - 1);
    return false;
}

static steno_status set_options(steno_control *self, steno_error *error) {
    struct {
        int option;
        int value;
    } options[] = {
        {ZMQ_LINGER, 0},
        {ZMQ_IMMEDIATE, 1},
        {ZMQ_SNDHWM, REQUESTS_QUEUED_MAX},
        {ZMQ_RCVHWM, REPLIES_QUEUED_MAX},
        {ZMQ_RECONNECT_IVL, RECONNECT_MS},
        {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (zmq_setsockopt(self->socket, options[i].option, &options[i].value, sizeof options[i].value))
            return steno_fail(error, STENO_SYSTEM, "cannot set up the control socket: %s", zmq_strerror(errno));
    int64_t size_max = REPLY_BYTES_MAX;
    if (zmq_setsockopt(self->socket, ZMQ_MAXMSGSIZE, &size_max, sizeof size_max))
        return steno_fail(error, STENO_SYSTEM, "cannot set up the control socket: %s", zmq_strerror(errno));
    return STENO_OK;
}

steno_status control_client_open(void *context, const char *endpoint, steno_control **out, steno_error *error) {
    *out = NULL;
    cleanup(clean_control) steno_control *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for a control client");
    if (strlen(endpoint) >= sizeof self->endpoint)
        return steno_fail(error, STENO_INVALID, "endpoint %s: longer than a socket's name may be", endpoint);
    strcpy(self->endpoint, endpoint);
    self->socket = zmq_socket(context, ZMQ_DEALER);
    if (!self->socket) return steno_fail(error, STENO_SYSTEM, "cannot make a socket: %s", zmq_strerror(errno));
    steno_status status = set_options(self, error);
    if (status) return status;
    if (zmq_connect(self->socket, endpoint))
        return steno_fail(error, STENO_SYSTEM, "cannot connect to %s: %s", endpoint, zmq_strerror(errno));
    *out = self;
    self = NULL;
    return STENO_OK;
}

void *control_client_socket(const steno_control *self) { return self->socket; }

bool control_client_ready(const steno_control *self) {
    int events = 0;
    size_t size = sizeof events;
    return !zmq_getsockopt(self->socket, ZMQ_EVENTS, &events, &size) && events & ZMQ_POLLOUT;
}

steno_status control_client_post(steno_control *self, steno_draft *request, uint64_t *id, steno_error *error) {
    const void *body;
    size_t size;
    steno_draft_int(request, "id", (int64_t)++self->last_id);
    steno_status status = steno_draft_finish(request, &body, &size, error);
    if (status) return status;
    if (zmq_send(self->socket, body, size, ZMQ_DONTWAIT) < 0)
        return steno_fail(error, errno == EAGAIN ? STENO_BUSY : STENO_SYSTEM, "cannot send to %s: %s", self->endpoint,
                          errno == EAGAIN ? "no stenod is connected" : zmq_strerror(errno));
    *id = self->last_id;
    return STENO_OK;
}

/* Receives one message and keeps its last frame: a delimiter may stand before it. */
static bool receive_last_frame(void *socket, zmq_msg_t *frame) {
    do {
        if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) return false;
    } while (zmq_msg_more(frame));
    return true;
}

control_reply *control_client_take(steno_control *self) {
    for (;;) {
        cleanup(clean_reply) control_reply *reply = calloc(1, sizeof *reply);
        if (!reply) return NULL;
        zmq_msg_init(&reply->frame);
        if (!receive_last_frame(self->socket, &reply->frame)) return NULL;
        /* What is no reply to anything is dropped: whoever asked times out and asks again. */
        if (control_decode(zmq_msg_data(&reply->frame), zmq_msg_size(&reply->frame), &reply->message, NULL)) continue;
        const int64_t id = steno_value_int(control_get(reply->message, "id"), 0);
        if (id <= 0) continue;
        reply->id = (uint64_t)id;
        control_reply *taken = reply;
        reply = NULL;
        return taken;
    }
}

/* ---- the public face ---- */

steno_status steno_control_new(const char *dir, steno_control **out, steno_error *error) {
    *out = NULL;
    place where;
    steno_status status = place_open(&where, dir, error);
    if (status) return status;
    void *context = zmq_ctx_new();
    if (!context) return steno_fail(error, STENO_SYSTEM, "cannot make a ZeroMQ context: %s", zmq_strerror(errno));
    status = control_client_open(context, where.control, out, error);
    if (status)
        zmq_ctx_term(context);
    else
        (*out)->own_context = context;
    return status;
}

void steno_control_free(steno_control *control) {
    if (!control) return;
    control_reply_free(control->reply);
    if (control->socket) zmq_close(control->socket);
    if (control->own_context) zmq_ctx_term(control->own_context);
    free(control);
}

steno_status steno_control_call(steno_control *control, steno_draft *request, int64_t timeout_ms,
                                const steno_value **reply, steno_error *error) {
    *reply = NULL;
    control_reply_free(control->reply);
    control->reply = NULL;
    const int64_t deadline = clock_after(timeout_ms);
    const void *body;
    size_t size;
    steno_draft_int(request, "id", (int64_t)++control->last_id);
    steno_status status = steno_draft_finish(request, &body, &size, error);
    bool sent = false;
    while (!status) {
        if (!sent && zmq_send(control->socket, body, size, ZMQ_DONTWAIT) >= 0)
            sent = true;
        else if (!sent && errno != EAGAIN && errno != EINTR)
            return steno_fail(error, STENO_SYSTEM, "cannot send to %s: %s", control->endpoint, zmq_strerror(errno));
        while ((control->reply = control_client_take(control))) {
            if (control->reply->id == control->last_id) {
                if (!control_reply_ok(control->reply, error)) return STENO_FAILED;
                *reply = control_value(control->reply->message);
                return STENO_OK;
            }
            control_reply_free(control->reply); /* late: its request has timed out */
        }
        long wait_ms = clock_until(deadline);
        if (wait_ms == 0)
            return steno_fail(error, STENO_TIMEOUT, "no answer from stenod on %s: is it running?", control->endpoint);
        zmq_pollitem_t item = {.socket = control->socket, .events = sent ? ZMQ_POLLIN : ZMQ_POLLOUT};
        if (zmq_poll(&item, 1, wait_ms) < 0 && errno != EINTR)
            status = steno_fail(error, STENO_SYSTEM, "cannot wait for %s: %s", control->endpoint, zmq_strerror(errno));
    }
    return status;
}
