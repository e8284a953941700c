/* Writing the last word on calls of apps that died. */
#include "daemon/endings.h"

#include "daemon/clock.h"
#include "schema/clean.h"
#include "schema/identity.h"
#include <stdio.h>
#include <string.h>

CLEANUP_FUNCTION(clean_draft, steno_draft, steno_draft_free)

typedef struct closing {
    intake *intake;
    const publisher *dead;
    steno_draft *draft;
    unsigned count;
} closing;

static void text_field(steno_draft *draft, const char *name, const char *value) {
    if (value && *value) steno_draft_string(draft, name, value);
}

static void json_field(steno_draft *draft, const char *name, const char *json) {
    if (json) steno_draft_json(draft, name, json, strlen(json));
}

/* EVENTS.md, `failure`. */
static void write_failure(steno_draft *draft, const pending_call *call, const publisher *dead) {
    double now = identity_now();
    char message[256];
    snprintf(message, sizeof message, "the process (pid %lld) ended before the call did", (long long)dead->pid);
    steno_draft_start(draft);
    steno_draft_int(draft, "v", STENO_EVENT_VERSION);
    steno_draft_string(draft, "event", steno_event_kind_name(STENO_FAILURE));
    steno_draft_string(draft, "log_event_type", steno_event_kind_log_type(STENO_FAILURE));
    steno_draft_string(draft, "call_id", call->call_id);
    text_field(draft, "trace_id", call->trace_id);
    text_field(draft, "parent_id", call->parent_id);
    text_field(draft, "session_id", call->session_id);
    text_field(draft, "call_type", call->call_type);
    text_field(draft, "model", call->model);
    text_field(draft, "provider", call->provider);
    steno_draft_bool(draft, "stream", call->stream);
    text_field(draft, "user", call->user);
    json_field(draft, "tags", call->tags);
    json_field(draft, "metadata", call->metadata);
    steno_draft_double(draft, "time", now);
    steno_draft_double(draft, "start_time", call->started);
    steno_draft_double(draft, "end_time", now);
    steno_draft_int(draft, "attempts", call->attempts);
    steno_draft_map_begin(draft, "error");
    steno_draft_string(draft, "type", "ProcessDied");
    steno_draft_string(draft, "message", message);
    text_field(draft, "provider", call->provider);
    steno_draft_bool(draft, "retryable", true);
    steno_draft_map_end(draft);
    steno_draft_map_begin(draft, "app");
    text_field(draft, "name", dead->app);
    text_field(draft, "host", dead->host);
    if (dead->pid) steno_draft_int(draft, "pid", dead->pid);
    text_field(draft, "version", dead->version);
    steno_draft_map_end(draft);
}

static bool close_call(void *ctx, const pending_call *call) {
    closing *self = ctx;
    const void *body;
    size_t size;
    steno_error error;
    write_failure(self->draft, call, self->dead);
    if (steno_draft_finish(self->draft, &body, &size, &error)) return false;
    if (!batch_fits(&self->intake->batch, size)) return false;
    if (intake_own_event(self->intake, body, size, &error)) return false;
    self->count++;
    return true;
}

bool endings_take(intake *self, publisher *dead) {
    if (dead->ended) return true;
    /* What the log does not have yet might end a call. */
    if (dead->dirty || dead->stored != dead->next || dead->closing) return true;
    if (!batch_fits(&self->batch, 0)) return false;
    if (!dead->id) {
        dead->ended = true; /* it never said anything */
        return true;
    }
    cleanup(clean_draft) steno_draft *draft = steno_draft_new();
    closing state = {.intake = self, .dead = dead, .draft = draft};
    steno_error error;
    if (!draft || store_each_pending(self->store, dead, ENDINGS_A_BATCH, close_call, &state, &error)) {
        dead->retry_ms = clock_ms() + ENDINGS_RETRY_MS;
        return true;
    }
    if (state.count == 0 && self->batch.count > 0)
        return true; /* no room now, or none open: asked again when it is empty */
    if (state.count > 0)
        dead->closing = true;
    else
        dead->ended = true;
    batch_touch(&self->batch, dead);
    return true;
}
