/* A call's course: made, attempted, repeated, ended. What arrives is read in call_reply.c, its events are in call_events.c. */
#include "client/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "client/budgets.h"
#include "client/call_reply.h"
#include "client/deadline.h"
#include "client/failure.h"
#include "client/mask.h"
#include "client/request.h"
#include "schema/clean.h"

CLEANUP_FUNCTION(clean_request, steno_request, steno_request_free)

/* ---- making it ---- */

/* Opens the target for `asked`. STENO_FAILED with `error`: it can't be called. STENO_NO_MEMORY. */
static steno_status aim(const call *self, const char *asked, const steno_request *own, const json_t *params,
                        const json_t *headers, target *out, steno_error *error) {
    target_wish wish = {.client = self->client,
                        .asked = asked,
                        .api_key = own ? own->api_key : NULL,
                        .base_url = own ? own->base_url : NULL,
                        .params = params,
                        .extra_headers = headers,
                        .secrets_base = own ? NULL : self->first_base,
                        .kind = self->kind,
                        .stream = self->stream,
                        .drop = self->drop};
    return target_open(&wish, out, error);
}

/* What the request says, and where it does not, the client. */
static void read_policy(call *self, const steno_request *request) {
    const steno_client *client = self->client;
    self->timeout_ms = request->timeout_ms ? request->timeout_ms : client->timeout_ms;
    self->try_timeout_ms = request->try_timeout_ms ? request->try_timeout_ms : client->try_timeout_ms;
    self->retries = request->retries >= 0 ? (unsigned)request->retries : client->retries;
    self->drop = request->drop_params || client->drop_params;
    self->privacy = request->privacy | client->privacy;
    self->cache_ttl_ms = request->cache_ttl_ms;
}

/* The models that may take over, and what a body for them is made of. */
static bool keep_for_fallbacks(call *self, const steno_request *request) {
    const steno_client *client = self->client;
    if (!json_array_size(request->fallbacks) && !client->fallbacks_count) return true;
    self->fallbacks = json_array_size(request->fallbacks) ? json_deep_copy(request->fallbacks) : json_array();
    for (size_t i = 0; i < client->fallbacks_count && !json_array_size(request->fallbacks); i++)
        json_array_append_new(self->fallbacks, json_string(client->fallbacks[i]));
    self->params = json_deep_copy(request->params);
    self->extra_headers = json_deep_copy(request->headers);
    self->first_asked = strdup(request->model);
    return self->fallbacks && self->params && self->extra_headers && self->first_asked;
}

/* What its costs depend on, and whose budgets it may use up. */
static bool keep_for_costs(call *self, const steno_request *request) {
    const json_t *search = json_object_get(request->params, "web_search_options");
    const char *context = json_string_value(json_object_get(search, "search_context_size"));
    snprintf(self->search_context, sizeof self->search_context, "%s", context ? context : "");
    if (!self->client->budgets) return true;
    if (request->user && !(self->user = strdup(request->user))) return false;
    return !request->tags || (self->tags = json_deep_copy(request->tags));
}

static bool make(call *self, const steno_request *request) {
    self->ids = steno_draft_new();
    self->labels = steno_draft_new();
    self->common = steno_draft_new();
    self->content = steno_draft_new();
    self->sent = steno_draft_new();
    self->event = steno_draft_new();
    if (!self->ids || !self->labels || !self->common || !self->content || !self->sent || !self->event) return false;
    if (self->client->redact && !(self->redacted = steno_draft_new())) return false;
    call_reply_begin(self);
    read_policy(self, request);
    if (!keep_for_costs(self, request) || !keep_for_fallbacks(self, request) ||
        aim(self, request->model, request, request->params, request->headers, &self->to, &self->now.error) ==
            STENO_NO_MEMORY)
        return false;
    if (self->fallbacks && !(self->first_base = strdup(self->to.base ? self->to.base : ""))) return false;
    if (request->error.status) failure_set(&self->now.error, "BadRequest", 0, false, "%s", request->error.message);
    return true;
}

/* Shows a copy of the request to those who may change it. *refused: one does not want the call. NULL when memory is short. */
static steno_request *shown_to_hooks(const steno_client *client, const steno_request *request, bool *refused) {
    steno_request *copy = request_copy(request);
    for (size_t i = 0; copy && !*refused && i < client->request_hooks_count; i++)
        *refused = client->request_hooks[i].fn(copy, client->request_hooks[i].ctx) != 0;
    return copy;
}

static void decide(call *self);

call *call_new(steno_client *client, const steno_request *request, call_kind kind, bool stream, bool async,
               steno_chunk_fn on_chunk, void *ctx) {
    call *self = request ? calloc(1, sizeof *self) : NULL; /* there was no memory for a request */
    if (!self) return NULL;
    cleanup(clean_request) steno_request *changed = NULL;
    bool refused = false;
    self->start_time = identity_now();
    if (client->request_hooks_count) {
        request = changed = shown_to_hooks(client, request, &refused);
        if (!changed) {
            free(self);
            return NULL;
        }
    }
    self->client = client;
    self->kind = kind == CALL_CHAT && json_object_get(request->params, "prompt") ? CALL_TEXT : kind;
    self->stream = stream;
    self->async = async;
    self->on_chunk = on_chunk;
    self->on_chunk_ctx = ctx;
    identity_call_id(self->call_id);
    if (!make(self, request)) {
        call_free(self);
        return NULL;
    }
    if (refused) failure_set(&self->now.error, "Cancelled", 0, false, "a hook of the application refused the request");
    call_events_begin(self, request);
    if (self->now.error.status)
        decide(self); /* a fallback may do what this target can't */
    else
        call_cache_ask(self, request);
    json_decref(self->to.body); /* its values are the request's, which may change from now on */
    self->to.body = NULL;
    return self;
}

void call_free(call *self) {
    if (!self) return;
    call_events_free(self);
    call_reply_free(self);
    steno_draft_free(self->ids);
    steno_draft_free(self->labels);
    steno_draft_free(self->redacted);
    steno_draft_free(self->common);
    steno_draft_free(self->content);
    steno_draft_free(self->sent);
    steno_draft_free(self->event);
    target_close(&self->to);
    json_decref(self->params);
    json_decref(self->extra_headers);
    json_decref(self->fallbacks);
    json_decref(self->tags);
    free(self->user);
    free(self->first_asked);
    free(self->first_base);
    free(self);
}

/* ---- an attempt ---- */

static int watch_cancel(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load_explicit(&((call *)ctx)->cancelled, memory_order_relaxed);
}

/* How long this attempt may take. */
static int64_t time_left(const call *self) {
    int64_t left = self->deadline_ms - deadline_in(0);
    if (self->try_timeout_ms && self->try_timeout_ms < left) left = self->try_timeout_ms;
    return left > 1 ? left : 1;
}

static CURLcode prepare(call *self, CURL *handle) {
    CURLcode code = CURLE_OK;
    const long timeout_ms = (long)time_left(self);
    self->now.time_ms = timeout_ms;
#define SET(option, value) \
    if (!code) code = curl_easy_setopt(handle, option, value)
    SET(CURLOPT_URL, self->to.url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TIMEOUT_MS, timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    SET(CURLOPT_HTTPHEADER, self->to.headers);
    SET(CURLOPT_USERAGENT, "libsteno/" STENO_VERSION);
    SET(CURLOPT_ACCEPT_ENCODING, "");
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)self->to.body_text.size);
    SET(CURLOPT_POSTFIELDS, self->to.body_text.bytes);
    SET(CURLOPT_ERRORBUFFER, self->curl_error);
    SET(CURLOPT_WRITEFUNCTION, call_reply_bytes);
    SET(CURLOPT_WRITEDATA, self);
    SET(CURLOPT_HEADERFUNCTION, call_reply_header);
    SET(CURLOPT_HEADERDATA, self);
    SET(CURLOPT_XFERINFOFUNCTION, watch_cancel);
    SET(CURLOPT_XFERINFODATA, self);
    SET(CURLOPT_NOPROGRESS, 0L);
    /* OpenSSL's own variable for further certificates, which libcurl's default overrides. */
    const char *certificates = getenv("SSL_CERT_FILE");
    if (certificates && *certificates) SET(CURLOPT_CAINFO, certificates);
#undef SET
    return code;
}

bool call_goes_on(call *self) {
    const steno_client *client = self->client;
    while (!self->over && client->budgets) {
        const budget_scope scope = {.model = self->to.model,
                                    .provider = self->to.provider->name,
                                    .app = client->app_name,
                                    .user = self->user,
                                    .tags = self->tags};
        if (!budgets_check(client->budgets, &scope, &self->now.error)) break;
        decide(self); /* another model may have a budget of its own */
    }
    return !self->over;
}

steno_status call_start(call *self, CURL *handle) {
    if (!self->attempts) self->deadline_ms = deadline_in(self->timeout_ms);
    call_reply_begin(self);
    self->attempts++;
    self->tries++;
    if (target_sign(&self->to, &self->now.error)) {
        call_publish_pre(self);
        return STENO_FAILED;
    }
    CURLcode code = prepare(self, handle);
    if (code) failure_from_curl(&self->now.error, code, self->to.api_base, self->curl_error, self->now.time_ms);
    call_publish_pre(self);
    return code ? STENO_FAILED : STENO_OK;
}

void call_end_attempt(call *self, CURL *handle, CURLcode code) {
    self->end_time = identity_now();
    call_reply_end(self, code);
    self->end_time = identity_now();
    if (self->now.error.status)
        snprintf(self->now.error.provider, sizeof self->now.error.provider, "%s", self->to.provider->name);
    call_publish_post(self, handle);
    decide(self);
}

/* ---- what is next ---- */

/* The pause before another attempt: what the provider asks for, else twice as long each time, less up to a half by chance so that many callers
 * don't come back at once.
 */
static int64_t pause_ms(const call *self) {
    if (self->now.retry_after_ms >= 0) return self->now.retry_after_ms;
    int64_t pause = self->client->retry_delay_ms;
    for (unsigned i = 1; i < self->tries && pause < CALL_RETRY_DELAY_MS_MAX; i++) pause *= 2;
    if (pause > CALL_RETRY_DELAY_MS_MAX) pause = CALL_RETRY_DELAY_MS_MAX;
    uint32_t chance = 0;
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) < 0) chance = (uint32_t)deadline_in(0) * 2654435761u;
    return pause - (int64_t)((double)pause / 2 * ((double)chance / 4294967296.0));
}

static bool may_retry(const call *self, int64_t *pause) {
    if (!self->now.error.retryable || self->tries > self->retries || !self->tries) return false;
    *pause = pause_ms(self);
    return *pause <= CALL_RETRY_AFTER_MS_MAX && deadline_in(*pause) < self->deadline_ms;
}

/* Says in the error of the call why a fallback could not take over. */
static void add_reason(steno_error *error, const char *asked, const char *reason) {
    size_t size = strlen(error->message);
    snprintf(error->message + size, sizeof error->message - size, " (fallback %s: %s)", asked, reason);
}

/* Goes on to the next model that can be called. False: there is none. */
static bool fall_back(call *self) {
    while (self->fallbacks_used < json_array_size(self->fallbacks)) {
        if (self->attempts && deadline_in(0) >= self->deadline_ms) return false;
        const char *asked = json_string_value(json_array_get(self->fallbacks, self->fallbacks_used++));
        target next;
        steno_error error;
        steno_status status = aim(self, asked, NULL, self->params, self->extra_headers, &next, &error);
        if (status) {
            add_reason(&self->now.error, asked, error.message);
            target_close(&next);
            continue;
        }
        target_close(&self->to);
        self->to = next;
        self->tries = 0;
        call_events_retarget(self);
        json_decref(self->to.body);
        self->to.body = NULL;
        return true;
    }
    return false;
}

/* After an attempt, or a target that can't be called: another one, another model, or the end. What the application has seen of a stream can't be
 * taken back, so a stream that broke off is over.
 */
static void decide(call *self) {
    const steno_error *error = &self->now.error;
    self->rest_ms = 0;
    self->over = !error->status || self->now.chunks || !strcmp(error->type, "Cancelled") ||
                 !(may_retry(self, &self->rest_ms) || fall_back(self));
}

void call_cancel(call *self) {
    self->over = true;
    self->end_time = identity_now();
    failure_set(&self->now.error, "Cancelled", self->now.http_status, false, "the call was cancelled%s",
                self->attempts ? " before its next attempt" : " before it began");
}

void call_fail(call *self, const char *reason) {
    self->over = true;
    self->end_time = identity_now();
    failure_set(&self->now.error, "Connection", 0, true, "%s", reason);
}

/* ---- the end ---- */

steno_status call_finish(call *self, steno_response **out, steno_error *error) {
    attempt *last = &self->now;
    self->over = true;
    if (self->cache_hit && !call_cache_replay(self))
        failure_set(&last->error, "Cancelled", 0, false, "the call was cancelled");
    if (self->end_time == 0) self->end_time = identity_now();
    if (last->error.status)
        snprintf(last->error.provider, sizeof last->error.provider, "%s", self->to.provider->name);
    else if (last->response && !self->cache_hit)
        last->response->pico_dollars = call_price(self, last->response);
    call_publish_end(self);
    if (!last->error.status && !self->cache_hit) call_cache_keep(self);
    *out = last->response;
    last->response = NULL;
    if (error) *error = last->error;
    if (error) target_mask(&self->to, error->message, strlen(error->message));
    return last->error.status;
}
