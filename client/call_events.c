/* The five events of a call (EVENTS.md). What they share is encoded once. Invariant: the key is wiped from the encoded bytes before they
 * leave this room, whatever field it is in.
 */
#include <stdlib.h>
#include <string.h>

#include "client/call.h"
#include "client/mask.h"
#include "client/request.h"
#include "client/usage.h"
#include "schema/draft.h"
#include "schema/json.h"

/* Writes the fields of one event beyond the shared ones. `whole` false: without content, which has too many values to be an event's. */
typedef void (*fill_fn)(call *self, bool whole, const void *ctx);

/* ---- what is shared ---- */

static void write_if(steno_draft *draft, const char *name, const char *value) {
    if (value) steno_draft_string(draft, name, value);
}

static void write_common(call *self, const steno_request *request) {
    steno_draft *draft = self->common;
    char key[MASK_KEY_BYTES];
    static const char *const types[][2] = {[CALL_CHAT] = {"completion", "acompletion"},
                                           [CALL_TEXT] = {"text_completion", "atext_completion"},
                                           [CALL_EMBEDDING] = {"embedding", "aembedding"}};
    steno_draft_start(draft);
    steno_draft_string(draft, "call_id", self->call_id);
    write_if(draft, "trace_id", request->trace_id);
    write_if(draft, "parent_id", request->parent_id);
    write_if(draft, "session_id", request->session_id);
    steno_draft_string(draft, "call_type", types[self->kind][self->async]);
    steno_draft_string(draft, "model", self->model);
    steno_draft_string(draft, "provider", self->provider->name);
    steno_draft_bool(draft, "stream", self->stream);
    write_if(draft, "user",
             request->user ? request->user : json_string_value(json_object_get(request->params, "user")));
    if (json_array_size(request->tags)) draft_json(draft, "tags", request->tags);
    if (json_object_size(request->metadata)) draft_json(draft, "metadata", request->metadata);
    steno_draft_double(draft, "start_time", self->start_time);
    mask_key(self->api_key, key);
    if (self->api_key) steno_draft_string(draft, "api_key", key);
    client_write_app(self->client, draft);
}

static void write_content(call *self) {
    static const char *const asked[] = {"messages", "input"}, *const own[] = {"model", "messages", "input"};
    steno_draft_start(self->content);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        const json_t *value = json_object_get(self->body, asked[i]);
        if (value) draft_json(self->content, asked[i], value);
    }
    json_t *optional = json_copy(self->body);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) json_object_del(optional, own[i]);
    draft_json(self->content, "optional_params", optional);
    json_decref(optional);
}

/* What is said of the body as sent, for each attempt's pre_api_call. */
static void write_sent(const call *self, steno_draft *draft, bool whole) {
    char key[MASK_KEY_BYTES], bearer[MASK_KEY_BYTES + 16] = "Bearer ";
    steno_draft_map_begin(draft, "additional_args");
    if (whole) draft_json(draft, "complete_input_dict", self->body);
    steno_draft_string(draft, "api_base", self->api_base);
    steno_draft_map_begin(draft, "headers");
    steno_draft_string(draft, "Content-Type", "application/json");
    mask_key(self->api_key, key);
    if (self->api_key) steno_draft_string(draft, "Authorization", strcat(bearer, key));
    steno_draft_map_end(draft);
    steno_draft_map_end(draft);
}

void call_events_begin(call *self, const steno_request *request) {
    write_common(self, request);
    write_content(self);
    steno_draft_start(self->sent);
    write_sent(self, self->sent, true);
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

static steno_status encode(call *self, steno_event_kind kind, fill_fn fill, const void *ctx, bool whole,
                           const void **body, size_t *size) {
    steno_draft *draft = self->event;
    steno_draft_start(draft);
    steno_draft_int(draft, "v", STENO_EVENT_VERSION);
    steno_draft_string(draft, "event", steno_event_kind_name(kind));
    steno_draft_string(draft, "log_event_type", steno_event_kind_log_type(kind));
    draft_fields(draft, self->common);
    steno_draft_double(draft, "time", identity_now());
    if (self->first_token_time > 0) steno_draft_double(draft, "completion_start_time", self->first_token_time);
    if (!whole) steno_draft_bool(draft, "truncated", true); /* steno_draft_finish could not cut it to size */
    fill(self, whole, ctx);
    return steno_draft_finish(draft, body, size, NULL);
}

static void publish(call *self, steno_event_kind kind, fill_fn fill, const void *ctx, const kept_event *earlier,
                    kept_event *keep) {
    const void *body;
    size_t size;
    if (encode(self, kind, fill, ctx, true, &body, &size) && encode(self, kind, fill, ctx, false, &body, &size)) return;
    mask_bytes(self->api_key, (void *)(uintptr_t)body, size); /* the bytes are the draft's, and the draft is ours */
    if (kind == STENO_POST_API_CALL) /* the terminal event, or the next attempt, is about to follow */
        publisher_publish_first(self->client->publisher, body, size, NULL);
    else
        publisher_publish(self->client->publisher, body, size, NULL, NULL);
    /* Later stages show the fields of the kept ones: those are decoded for any hook, a chunk for its own only. */
    if (client_has_hook(self->client, kind) || (keep && self->client->hooks_count))
        run_hooks(self, body, size, earlier, keep);
}

/* ---- each event's own fields ---- */

static void write_error(const call *self, steno_draft *draft) {
    const steno_error *error = &self->error;
    steno_draft_map_begin(draft, "error");
    steno_draft_string(draft, "type", error->type);
    steno_draft_string(draft, "message", error->message);
    if (error->http_status) steno_draft_int(draft, "status", error->http_status);
    steno_draft_string(draft, "provider", self->provider->name);
    steno_draft_bool(draft, "retryable", error->retryable);
    if (*self->trace) steno_draft_string(draft, "traceback", self->trace);
    steno_draft_map_end(draft);
}

static void fill_pre(call *self, bool whole, const void *ctx) {
    (void)ctx;
    steno_draft *draft = self->event;
    if (whole) {
        draft_fields(draft, self->content);
        draft_fields(draft, self->sent);
    } else {
        write_sent(self, draft, false);
    }
    steno_draft_int(draft, "attempt", self->attempts);
}

void call_publish_pre(call *self) { publish(self, STENO_PRE_API_CALL, fill_pre, NULL, NULL, &self->pre); }

static void fill_chunk(call *self, bool whole, const void *chunk) {
    if (whole) draft_json(self->event, "chunk", chunk);
    steno_draft_int(self->event, "chunk_index", (int64_t)self->chunks);
}

void call_publish_chunk(call *self, const json_t *chunk) {
    publish(self, STENO_STREAM_EVENT, fill_chunk, chunk, &self->pre, NULL);
}

static void fill_post(call *self, bool whole, const void *handle) {
    static const struct {
        const char *name;
        CURLINFO info;
    } timings[] = {{"dns", CURLINFO_NAMELOOKUP_TIME_T},
                   {"connect", CURLINFO_CONNECT_TIME_T},
                   {"tls", CURLINFO_APPCONNECT_TIME_T},
                   {"first_byte", CURLINFO_STARTTRANSFER_TIME_T},
                   {"total", CURLINFO_TOTAL_TIME_T}};
    steno_draft *draft = self->event;
    if (whole) steno_draft_string_n(draft, "original_response", buffer_text(&self->reply), self->reply.size);
    if (self->http_status) steno_draft_int(draft, "http_status", self->http_status);
    if (self->reply_headers) draft_json(draft, "response_headers", self->reply_headers);
    steno_draft_map_begin(draft, "timing");
    for (size_t i = 0; i < sizeof timings / sizeof *timings; i++) {
        curl_off_t us = 0;
        curl_easy_getinfo((CURL *)(uintptr_t)handle, timings[i].info, &us);
        steno_draft_double(draft, timings[i].name, (double)us * 1e-6);
    }
    steno_draft_map_end(draft);
    steno_draft_double(draft, "end_time", self->end_time);
    steno_draft_int(draft, "attempt", self->attempts);
    if (self->error.status) write_error(self, draft);
}

void call_publish_post(call *self, CURL *handle) {
    publish(self, STENO_POST_API_CALL, fill_post, handle, &self->pre, &self->post);
}

static void fill_end(call *self, bool whole, const void *ctx) {
    const steno_response *response = ctx;
    steno_draft *draft = self->event;
    if (whole) draft_fields(draft, self->content);
    steno_draft_string(draft, "api_base", self->api_base);
    steno_draft_double(draft, "end_time", self->end_time);
    steno_draft_int(draft, "attempts", self->attempts);
    if (response) {
        if (whole) draft_json(draft, "response", response->json);
        if (whole && self->stream && !self->error.status)
            draft_json(draft, "complete_streaming_response", response->json);
        usage_write(draft, &response->usage, json_object_get(response->json, "usage"));
        write_if(draft, "finish_reason", steno_response_finish_reason(response));
    }
    if (self->error.status) {
        write_error(self, draft);
        return;
    }
    steno_draft_bool(draft, "cache_hit", false);
    if (response && response->pico_dollars != STENO_UNKNOWN)
        steno_draft_double(draft, "response_cost", steno_response_cost(response));
    else
        steno_draft_nil(draft, "response_cost");
}

void call_publish_end(call *self, const steno_response *response) {
    publish(self, self->error.status ? STENO_FAILURE : STENO_SUCCESS, fill_end, response,
            self->post.event ? &self->post : &self->pre, NULL);
}
