/* The five events of a call (EVENTS.md). What they share is encoded once. Invariant: the key is wiped from the encoded bytes before they
 * leave this room, whatever field it is in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/call.h"
#include "client/hook_thread.h"
#include "client/mask.h"
#include "client/request.h"
#include "client/usage.h"
#include "schema/draft.h"
#include "schema/json.h"

/* How much of an event is written. */
typedef enum extent {
    WHOLE,
    CUT, /* without content, which has too many values to be an event's */
    BARE /* without anything that was the application's or the provider's own: the redactor failed */
} extent;

/* Writes the fields of one event beyond the shared ones. */
typedef void (*fill_fn)(call *self, extent how, const void *ctx);

/* ---- what is shared ---- */

static void write_if(steno_draft *draft, const char *name, const char *value) {
    if (value) steno_draft_string(draft, name, value);
}

static void write_ids(call *self, const steno_request *request) {
    static const char *const types[CALL_KINDS] = {
        [CALL_CHAT] = "completion", [CALL_TEXT] = "text_completion", [CALL_EMBEDDING] = "embedding"};
    steno_draft *draft = self->ids;
    char type[64];
    const char *name = self->to.by->call_type ? self->to.by->call_type : types[self->kind];
    snprintf(type, sizeof type, "%s%s", self->async ? "a" : "", name);
    steno_draft_start(draft);
    steno_draft_string(draft, "call_id", self->call_id);
    write_if(draft, "trace_id", request->trace_id);
    write_if(draft, "parent_id", request->parent_id);
    steno_draft_string(draft, "call_type", type);
    steno_draft_bool(draft, "stream", self->stream);
    steno_draft_double(draft, "start_time", self->start_time);
    client_write_app(self->client, draft);
}

static void write_labels(call *self, const steno_request *request) {
    steno_draft *draft = self->labels;
    steno_draft_start(draft);
    write_if(draft, "session_id", request->session_id);
    write_if(draft, "user",
             request->user ? request->user : json_string_value(json_object_get(request->params, "user")));
    if (json_array_size(request->tags)) draft_json(draft, "tags", request->tags);
    if (json_object_size(request->metadata)) draft_json(draft, "metadata", request->metadata);
}

/* Parameters that are no texts of the application's. */
static bool is_plain(const char *name, const json_t *value) {
    static const char *const words[] = {"reasoning_effort", "service_tier", "tool_choice", "verbosity",
                                        "encoding_format"};
    if (json_is_number(value) || json_is_boolean(value)) return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (json_is_string(value) && !strcmp(name, words[i])) return true;
    return false;
}

static void write_content(call *self, const steno_request *request) {
    static const char *const asked[] = {"messages", "input", "prompt"};
    const bool private = self->privacy & STENO_NO_MESSAGES;
    json_t *optional = json_copy(request->params);
    steno_draft_start(self->content);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        const json_t *value = json_object_get(optional, asked[i]);
        if (value && !private) draft_json(self->content, asked[i], value);
        json_object_del(optional, asked[i]);
    }
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(optional, next, name, value) {
        if (private && !is_plain(name, value)) json_object_del(optional, name);
    }
    draft_json(self->content, "optional_params", optional);
    json_decref(optional);
}

/* What is said of the body as sent, for each attempt's pre_api_call. */
static void write_sent(const call *self, steno_draft *draft, bool whole) {
    steno_draft_map_begin(draft, "additional_args");
    if (whole && self->to.body && !(self->privacy & STENO_NO_MESSAGES))
        draft_json(draft, "complete_input_dict", self->to.body);
    steno_draft_string(draft, "api_base", self->to.api_base);
    steno_draft_map_begin(draft, "headers");
    target_write_headers(&self->to, draft);
    steno_draft_map_end(draft);
    steno_draft_map_end(draft);
}

void call_events_retarget(call *self) {
    char key[MASK_KEY_BYTES];
    steno_draft *draft = self->common;
    steno_draft_start(draft);
    steno_draft_string(draft, "model", self->to.model);
    steno_draft_string(draft, "provider", self->to.provider->name);
    if (self->fallbacks_used) write_if(draft, "fallback_from", self->first_asked);
    mask_key(self->to.api_key, key);
    if (self->to.api_key) steno_draft_string(draft, "api_key", key);
    steno_draft_start(self->sent);
    write_sent(self, self->sent, true);
}

void call_events_begin(call *self, const steno_request *request) {
    write_ids(self, request);
    write_labels(self, request);
    write_content(self, request);
    call_events_retarget(self);
}

/* ---- publishing ---- */

static void drop(kept_event *kept) {
    steno_event_free(kept->event);
    free(kept->body);
    *kept = (kept_event){0};
}

void call_events_free(call *self) {
    drop(&self->post);
    drop(&self->pre);
}

/* Shows the event to the hooks, joined to the stages before it. *keep (may be NULL) then holds it. */
static void run_hooks(call *self, const void *body, size_t size, const kept_event *earlier, kept_event *keep) {
    kept_event now = {.body = malloc(size)};
    if (now.body) memcpy(now.body, body, size);
    if (!now.body || steno_event_decode(now.body, size, &now.event, NULL)) {
        drop(&now);
        return;
    }
    if (earlier && earlier->event) steno_event_join(now.event, earlier->event);
    client_run_hooks(self->client, now.event);
    if (keep) {
        drop(keep);
        *keep = now;
    } else {
        drop(&now);
    }
}

static void write_redacted(const call *self, steno_draft *draft, extent how) {
    if (!self->privacy && how != BARE) return;
    steno_draft_array_begin(draft, "redacted");
    if (how == BARE || self->privacy & STENO_NO_MESSAGES) steno_draft_string(draft, NULL, "messages");
    if (how == BARE || self->privacy & STENO_NO_REPLIES) steno_draft_string(draft, NULL, "replies");
    if (how == BARE) steno_draft_string(draft, NULL, "labels");
    steno_draft_array_end(draft);
}

static steno_status encode(call *self, steno_event_kind kind, fill_fn fill, const void *ctx, extent how,
                           const void **body, size_t *size) {
    steno_draft *draft = self->event;
    steno_draft_start(draft);
    steno_draft_int(draft, "v", STENO_EVENT_VERSION);
    steno_draft_string(draft, "event", steno_event_kind_name(kind));
    steno_draft_string(draft, "log_event_type", steno_event_kind_log_type(kind));
    draft_fields(draft, self->ids);
    draft_fields(draft, self->common);
    if (how != BARE) draft_fields(draft, self->labels);
    steno_draft_double(draft, "time", identity_now());
    if (self->first_token_time > 0) steno_draft_double(draft, "completion_start_time", self->first_token_time);
    if (how == CUT) steno_draft_bool(draft, "truncated", true); /* steno_draft_finish could not cut it to size */
    write_redacted(self, draft, how);
    fill(self, how, ctx);
    return steno_draft_finish(draft, body, size, NULL);
}

/* An event that may stand for `given`: its form is right, and it is the same one of the same call. */
static bool stands_for(const steno_event *given, const void *body, size_t size) {
    steno_event *event;
    if (steno_event_decode(body, size, &event, NULL)) return false;
    const char *call_id = steno_event_string(event, "call_id");
    bool good = !steno_event_validate(event, NULL) && !strcmp(steno_event_name(event), steno_event_name(given)) &&
                call_id && !strcmp(call_id, steno_event_string(given, "call_id"));
    steno_event_free(event);
    return good;
}

/* Lets the redactor see the event. False: it failed, or what it wrote is no such event. */
static bool redact(call *self, const void **body, size_t *size) {
    steno_event *event;
    if (steno_event_decode(*body, *size, &event, NULL)) return false;
    steno_draft_start(self->redacted);
    int verdict = self->client->redact(event, self->redacted, self->client->redact_ctx);
    const void *other;
    size_t other_size;
    bool good = verdict == STENO_REDACT_KEEP;
    if (verdict == STENO_REDACT_REPLACE && !steno_draft_finish(self->redacted, &other, &other_size, NULL) &&
        stands_for(event, other, other_size)) {
        *body = other;
        *size = other_size;
        good = true;
    }
    steno_event_free(event);
    return good;
}

static void publish(call *self, steno_event_kind kind, fill_fn fill, const void *ctx, const kept_event *earlier,
                    kept_event *keep) {
    const void *body;
    size_t size;
    const steno_client *client = self->client;
    if (self->privacy & STENO_NO_EVENTS) return;
    if (encode(self, kind, fill, ctx, WHOLE, &body, &size) && encode(self, kind, fill, ctx, CUT, &body, &size)) return;
    target_mask(&self->to, (void *)(uintptr_t)body, size); /* the bytes are the draft's, and the draft is ours */
    if (client->redact && !redact(self, &body, &size) && encode(self, kind, fill, ctx, BARE, &body, &size)) return;
    if (kind == STENO_POST_API_CALL) /* the terminal event, or the next attempt, is about to follow */
        publisher_publish_first(client->publisher, body, size, NULL);
    else
        publisher_publish(client->publisher, body, size, NULL, NULL);
    if (client->hook_thread) hook_thread_add(client->hook_thread, body, size);
    /* Later stages show the fields of the kept ones: those are decoded for any hook, a chunk for its own only. */
    if (client_has_hook(client, kind) || (keep && client->hooks_count)) run_hooks(self, body, size, earlier, keep);
}

/* ---- each event's own fields ---- */

/* A message that quotes neither the application nor the provider. */
static bool is_ours(const steno_error *error) {
    return !error->http_status && (!strcmp(error->type, "Connection") || !strcmp(error->type, "Timeout") ||
                                   !strcmp(error->type, "Cancelled") || !strcmp(error->type, "Authentication"));
}

static void write_error(const call *self, steno_draft *draft, extent how) {
    const steno_error *error = &self->now.error;
    bool shown = (!self->privacy && how != BARE) || is_ours(error);
    steno_draft_map_begin(draft, "error");
    steno_draft_string(draft, "type", error->type);
    steno_draft_string(draft, "message", shown ? error->message : "(not recorded)");
    if (error->http_status) steno_draft_int(draft, "status", error->http_status);
    steno_draft_string(draft, "provider", self->to.provider->name);
    steno_draft_bool(draft, "retryable", error->retryable);
    if (*self->now.trace) steno_draft_string(draft, "traceback", self->now.trace);
    steno_draft_map_end(draft);
}

static void fill_pre(call *self, extent how, const void *ctx) {
    (void)ctx;
    steno_draft *draft = self->event;
    if (how == WHOLE) {
        draft_fields(draft, self->content);
        draft_fields(draft, self->sent);
    } else {
        write_sent(self, draft, false);
    }
    steno_draft_int(draft, "attempt", self->attempts);
}

void call_publish_pre(call *self) { publish(self, STENO_PRE_API_CALL, fill_pre, NULL, NULL, &self->pre); }

/* What a reply says may be written. */
static bool shows_reply(const call *self, extent how) { return how == WHOLE && !(self->privacy & STENO_NO_REPLIES); }

static void fill_chunk(call *self, extent how, const void *chunk) {
    if (shows_reply(self, how)) draft_json(self->event, "chunk", chunk);
    steno_draft_int(self->event, "chunk_index", (int64_t)self->now.chunks);
}

void call_publish_chunk(call *self, const json_t *chunk) {
    publish(self, STENO_STREAM_EVENT, fill_chunk, chunk, &self->pre, NULL);
}

static void fill_post(call *self, extent how, const void *handle) {
    static const struct {
        const char *name;
        CURLINFO info;
    } timings[] = {{"dns", CURLINFO_NAMELOOKUP_TIME_T},
                   {"connect", CURLINFO_CONNECT_TIME_T},
                   {"tls", CURLINFO_APPCONNECT_TIME_T},
                   {"first_byte", CURLINFO_STARTTRANSFER_TIME_T},
                   {"total", CURLINFO_TOTAL_TIME_T}};
    steno_draft *draft = self->event;
    const attempt *now = &self->now;
    if (shows_reply(self, how))
        steno_draft_string_n(draft, "original_response", buffer_text(&now->bytes), now->bytes.size);
    if (now->http_status) steno_draft_int(draft, "http_status", now->http_status);
    if (now->headers && how != BARE) draft_json(draft, "response_headers", now->headers);
    steno_draft_map_begin(draft, "timing");
    for (size_t i = 0; i < sizeof timings / sizeof *timings; i++) {
        curl_off_t us = 0;
        curl_easy_getinfo((CURL *)(uintptr_t)handle, timings[i].info, &us);
        steno_draft_double(draft, timings[i].name, (double)us * 1e-6);
    }
    steno_draft_map_end(draft);
    steno_draft_double(draft, "end_time", self->end_time);
    steno_draft_int(draft, "attempt", self->attempts);
    if (now->error.status) write_error(self, draft, how);
}

void call_publish_post(call *self, CURL *handle) {
    publish(self, STENO_POST_API_CALL, fill_post, handle, &self->pre, &self->post);
}

static void write_costs(const call *self, steno_draft *draft, const steno_response *response) {
    if (response->pico_dollars == STENO_UNKNOWN)
        steno_draft_nil(draft, "response_cost");
    else
        steno_draft_double(draft, "response_cost", self->cache_hit ? 0 : steno_response_cost(response));
    if (self->cache_hit && response->pico_dollars != STENO_UNKNOWN)
        steno_draft_double(draft, "saved_cost", (double)response->pico_dollars / 1e12);
}

static void fill_end(call *self, extent how, const void *ctx) {
    (void)ctx;
    const steno_response *response = self->now.response;
    const bool failed = self->now.error.status;
    steno_draft *draft = self->event;
    if (how == WHOLE) draft_fields(draft, self->content);
    steno_draft_string(draft, "api_base", self->to.api_base);
    steno_draft_double(draft, "end_time", self->end_time);
    steno_draft_int(draft, "attempts", self->attempts);
    if (response) {
        if (shows_reply(self, how)) draft_json(draft, "response", response->json);
        if (shows_reply(self, how) && self->stream && !failed)
            draft_json(draft, "complete_streaming_response", response->json);
        usage_write(draft, &response->usage, response->raw_usage);
        write_if(draft, "finish_reason", steno_response_finish_reason(response));
    }
    if (*self->cache_key) steno_draft_string(draft, "cache_key", self->cache_key);
    if (failed) {
        write_error(self, draft, how);
        return;
    }
    steno_draft_bool(draft, "cache_hit", self->cache_hit);
    if (response) write_costs(self, draft, response);
}

void call_publish_end(call *self) {
    publish(self, self->now.error.status ? STENO_FAILURE : STENO_SUCCESS, fill_end, NULL,
            self->post.event ? &self->post : &self->pre, NULL);
}
