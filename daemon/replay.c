/* Reading the journal for subscribers. Invariant: everything up to the reply's `last` was looked at, and what matched is in it. */
#include "daemon/replay.h"

#include <stdio.h>
#include <string.h>

typedef struct selection {
    steno_draft *reply;
    const char *topics[CONTROL_TOPICS_MAX]; /* prefixes, borrowed from the request */
    size_t topic_count;                     /* 0: everything */
    const char *call_id;                    /* NULL: of any call, or none */
    size_t limit, count, bytes;
} selection;

static bool wanted(const selection *self, const char *topic) {
    if (self->topic_count == 0) return true;
    for (size_t i = 0; i < self->topic_count; i++)
        if (!strncmp(topic, self->topics[i], strlen(self->topics[i]))) return true;
    return false;
}

static bool add(void *ctx, uint64_t offset, const char *topic, const void *body, size_t size) {
    selection *self = ctx;
    if (!wanted(self, topic)) return true;
    if (self->count == self->limit) return false;
    if (self->count > 0 && self->bytes + size > CONTROL_REPLAY_BYTES_MAX) return false;
    self->count++;
    self->bytes += size;
    steno_draft_array_begin(self->reply, NULL);
    steno_draft_int(self->reply, NULL, (int64_t)offset);
    steno_draft_string(self->reply, NULL, topic);
    steno_draft_bytes(self->reply, NULL, body, size);
    steno_draft_array_end(self->reply);
    return true;
}

/* Reads the request's fields. Returns what is wrong with them, or NULL. */
static const char *read_request(const control_message *request, uint64_t *after, selection *out) {
    const steno_value *from = control_get(request, "after"), *limit = control_get(request, "limit");
    const steno_value *topics = control_get(request, "topics"), *call = control_get(request, "call_id");
    if (steno_value_type(from) != STENO_TYPE_INT || steno_value_int(from, -1) < 0)
        return "`after` must be an integer, 0 or above";
    *after = (uint64_t)steno_value_int(from, 0);
    out->limit = CONTROL_REPLAY_EVENTS_MAX;
    if (steno_value_type(limit) != STENO_TYPE_NIL) {
        int64_t most = steno_value_int(limit, -1);
        if (steno_value_type(limit) != STENO_TYPE_INT || most < 1) return "`limit` must be an integer, 1 or above";
        if (most < CONTROL_REPLAY_EVENTS_MAX) out->limit = (size_t)most;
    }
    out->call_id = steno_value_string(call, NULL);
    if (steno_value_type(call) != STENO_TYPE_NIL && steno_value_type(call) != STENO_TYPE_STRING)
        return "`call_id` must be a string";
    if (steno_value_type(topics) == STENO_TYPE_NIL) return NULL;
    if (steno_value_type(topics) != STENO_TYPE_ARRAY || steno_value_count(topics) > CONTROL_TOPICS_MAX)
        return "`topics` must be an array of at most 64 strings";
    for (size_t i = 0; i < steno_value_count(topics); i++) {
        const steno_value *topic = steno_value_at(topics, i);
        if (steno_value_type(topic) != STENO_TYPE_STRING) return "`topics` must be an array of at most 64 strings";
        out->topics[out->topic_count++] = steno_value_string(topic, NULL);
    }
    return NULL;
}

const char *replay_answer(const verb_view *view, const control_message *request, steno_draft *reply,
                          char message[STENO_ERROR_MESSAGE_BYTES]) {
    selection selected = {.reply = reply};
    uint64_t after, last;
    const char *wrong = read_request(request, &after, &selected);
    if (wrong) {
        snprintf(message, STENO_ERROR_MESSAGE_BYTES, "%s", wrong);
        return "invalid";
    }
    steno_error error;
    control_reply_begin(reply, request);
    steno_draft_array_begin(reply, "events");
    steno_status status =
        store_read(view->store, after, selected.call_id, VERBS_REPLAY_ROWS_MAX, add, &selected, &last, &error);
    steno_draft_array_end(reply);
    if (status) {
        snprintf(message, STENO_ERROR_MESSAGE_BYTES, "%s", error.message);
        return "internal";
    }
    steno_draft_int(reply, "last", (int64_t)last);
    steno_draft_int(reply, "first", (int64_t)store_first_offset(view->store));
    steno_draft_bool(reply, "end", last >= store_last_offset(view->store));
    return NULL;
}
