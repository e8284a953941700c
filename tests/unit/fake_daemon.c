/* The fake daemon: ROUTER and XPUB in one thread. */
#include "tests/unit/fake_daemon.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "schema/control.h"

static void *bind_socket(fake_daemon *fake, int type, const char *name) {
    void *socket = zmq_socket(fake->context, type);
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/%s", fake->dir, name);
    int zero = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    int failed = zmq_bind(socket, endpoint);
    assert(socket && !failed);
    (void)failed;
    return socket;
}

static void open_sockets(fake_daemon *fake) {
    fake->context = zmq_ctx_new();
    fake->router = bind_socket(fake, ZMQ_ROUTER, "control");
    fake->publisher = bind_socket(fake, ZMQ_XPUB, "events.out");
}

static void close_sockets(fake_daemon *fake) {
    zmq_close(fake->router);
    zmq_close(fake->publisher);
    zmq_ctx_term(fake->context);
}

fake_daemon *fake_new(void) {
    fake_daemon *fake = calloc(1, sizeof *fake);
    assert(fake);
    strcpy(fake->dir, "/tmp/steno-fake-XXXXXX");
    char *made = mkdtemp(fake->dir);
    assert(made);
    (void)made;
    fake->replay_events = 10;
    open_sockets(fake);
    return fake;
}

void fake_free(fake_daemon *fake) {
    close_sockets(fake);
    static const char *const names[] = {"/control", "/events.out", "/spool", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", fake->dir, names[i]);
        remove(path); /* what is not there need not go */
    }
    free(fake);
}

void fake_restart(fake_daemon *fake) {
    close_sockets(fake);
    open_sockets(fake);
}

uint64_t fake_append_raw(fake_daemon *fake, const char *topic, const void *body, size_t size) {
    assert(fake->last < FAKE_EVENTS_MAX && size <= sizeof fake->events[0].body);
    snprintf(fake->events[fake->last].topic, sizeof fake->events[0].topic, "%s", topic);
    memcpy(fake->events[fake->last].body, body, size);
    fake->events[fake->last].size = size;
    return ++fake->last;
}

uint64_t fake_append(fake_daemon *fake, const char *name, const char *call_id) {
    steno_draft *draft = steno_draft_new();
    const void *body;
    size_t size;
    char topic[64];
    steno_draft_start(draft);
    steno_draft_string(draft, "event", name);
    steno_draft_string(draft, "call_id", call_id);
    steno_draft_finish(draft, &body, &size, NULL);
    snprintf(topic, sizeof topic, "%s.unknown.unknown", name);
    fake_append_raw(fake, topic, body, size);
    steno_draft_free(draft);
    return fake->last;
}

static void offset_frame(uint64_t offset, uint8_t out[8]) {
    for (int i = 7; i >= 0; i--, offset >>= 8) out[i] = (uint8_t)offset;
}

void fake_publish_raw(fake_daemon *fake, size_t count, const char *const frames[], const size_t sizes[]) {
    for (size_t i = 0; i < count; i++)
        zmq_send(fake->publisher, frames[i], sizes[i], ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0));
}

void fake_publish(fake_daemon *fake, uint64_t offset) {
    uint8_t number[8];
    offset_frame(offset, number);
    const char *const topic = fake->events[offset - 1].topic;
    fake_publish_raw(fake, 3,
                     (const char *const[]){topic, (const char *)number, (const char *)fake->events[offset - 1].body},
                     (const size_t[]){strlen(topic), 8, fake->events[offset - 1].size});
}

void fake_heartbeat(fake_daemon *fake, uint64_t offset) {
    uint8_t number[8];
    offset_frame(offset, number);
    fake_publish_raw(fake, 3, (const char *const[]){"steno.heartbeat", (const char *)number, "\x80"},
                     (const size_t[]){15, 8, 1});
}

void fake_wait_for_subscriber(fake_daemon *fake) {
    zmq_pollitem_t item = {.socket = fake->publisher, .events = ZMQ_POLLIN};
    char subscription[64];
    int count = zmq_poll(&item, 1, 10000);
    assert(count == 1);
    /* A second one may follow on its heels, or not at all. */
    while (count > 0) {
        zmq_recv(fake->publisher, subscription, sizeof subscription, 0);
        count = zmq_poll(&item, 1, 20);
    }
}

/* ---- verbs ---- */

static bool matches(const steno_value *topics, const char *topic) {
    for (size_t i = 0; i < steno_value_count(topics); i++) {
        const char *prefix = steno_value_string(steno_value_at(topics, i), NULL);
        if (prefix && !strncmp(prefix, topic, strlen(prefix))) return true;
    }
    return steno_value_count(topics) == 0;
}

static void answer_replay(fake_daemon *fake, const control_message *request, steno_draft *draft) {
    fake->replays++;
    const steno_value *topics = control_get(request, "topics");
    fake->topics[0] = 0;
    for (size_t i = 0; i < steno_value_count(topics); i++) {
        strncat(fake->topics, steno_value_string(steno_value_at(topics, i), NULL), 64);
        strcat(fake->topics, " ");
    }
    uint64_t at = (uint64_t)steno_value_int(control_get(request, "after"), 0);
    if (fake->first && at + 1 < fake->first) at = fake->first - 1;
    size_t count = 0;
    steno_draft_array_begin(draft, "events");
    while (at < fake->last && count < fake->replay_events && !fake->stuck) {
        at++;
        if (!matches(topics, fake->events[at - 1].topic)) continue;
        count++;
        steno_draft_array_begin(draft, NULL);
        steno_draft_int(draft, NULL, (int64_t)at);
        steno_draft_string(draft, NULL, fake->events[at - 1].topic);
        steno_draft_bytes(draft, NULL, fake->events[at - 1].body, fake->events[at - 1].size);
        steno_draft_array_end(draft);
    }
    steno_draft_array_end(draft);
    steno_draft_int(draft, "last", (int64_t)at);
    steno_draft_int(draft, "first", (int64_t)(fake->first ? fake->first : 1));
    steno_draft_bool(draft, "end", at >= fake->last && !fake->stuck);
}

static void answer(fake_daemon *fake, const control_message *request, steno_draft *draft) {
    const char *verb = control_string(request, "verb");
    control_reply_begin(draft, request);
    if (!strcmp(verb, "replay"))
        answer_replay(fake, request, draft);
    else if (!strcmp(verb, "cursor")) {
        steno_draft_int(draft, "offset", (int64_t)fake->cursor);
        steno_draft_bool(draft, "exists", fake->cursor_exists);
    } else if (!strcmp(verb, "commit")) {
        fake->cursor = (uint64_t)steno_value_int(control_get(request, "offset"), 0);
        fake->cursor_exists = true;
        fake->commits++;
    } else if (!strcmp(verb, "report")) {
        const char *problem = control_string(request, "problem");
        snprintf(fake->problem, sizeof fake->problem, "%s", problem ? problem : "");
        fake->dead_letters = steno_value_int(control_get(request, "dead_letters"), -1);
        fake->reports++;
    } else if (!strcmp(verb, "status")) {
        fake->statuses++;
        steno_draft_int(draft, "last_offset", (int64_t)fake->last);
    } else if (!strcmp(verb, "ping")) {
        steno_draft_value(draft, "echo", control_get(request, "echo"));
    } else {
        control_reply_error(draft, request, "unknown_verb", "no such verb");
    }
}

static void send_reply(fake_daemon *fake, const void *to, size_t to_size, const void *body, size_t size) {
    zmq_send(fake->router, to, to_size, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    zmq_send(fake->router, body, size, ZMQ_DONTWAIT);
}

static void handle(fake_daemon *fake, const void *to, size_t to_size, const control_message *request) {
    steno_draft *draft = steno_draft_new();
    const void *body;
    size_t size;
    answer(fake, request, draft);
    steno_draft_finish(draft, &body, &size, NULL);
    for (int i = 0; i < fake->garbage; i++) send_reply(fake, to, to_size, "\xc1garbage", 8);
    if (fake->hold_one) {
        assert(size <= sizeof fake->held && to_size <= sizeof fake->held_to);
        memcpy(fake->held, body, fake->held_size = size);
        memcpy(fake->held_to, to, fake->held_to_size = to_size);
        fake->hold_one = false;
    } else {
        if (fake->held_size) send_reply(fake, fake->held_to, fake->held_to_size, fake->held, fake->held_size);
        fake->held_size = 0;
        send_reply(fake, to, to_size, body, size);
    }
    steno_draft_free(draft);
}

void fake_pump(fake_daemon *fake) {
    uint8_t to[64], body[2048];
    int to_size, size;
    while ((to_size = zmq_recv(fake->router, to, sizeof to, ZMQ_DONTWAIT)) >= 0) {
        size = zmq_recv(fake->router, body, sizeof body, ZMQ_DONTWAIT);
        fake->requests++;
        control_message *request = NULL;
        if (!fake->mute && size > 0 && !control_decode(body, (size_t)size, &request, NULL))
            handle(fake, to, (size_t)to_size, request);
        control_free(request);
    }
}
