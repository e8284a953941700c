/* A call's beginning and end. What arrives in between is in call_reply.c, its events are in call_events.c. */
#include "client/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/call_reply.h"
#include "client/failure.h"
#include "client/mask.h"
#include "client/request.h"
#include "schema/clean.h"
#include "schema/json_text.h"
#include "schema/utf8.h"

static void reject(call *self, const char *type, const char *message) {
    if (!self->error.status) failure_set(&self->error, type, 0, false, "%s", message);
}

/* ---- where it goes ---- */

static const char *first_of(const char *one, const char *two, const char *three) {
    if (one && *one) return one;
    if (two && *two) return two;
    return three && *three ? three : NULL;
}

static void find_key(call *self, const steno_request *request) {
    const char *variable = "OPENAI_API_KEY";
    const char *key = first_of(request->api_key, self->client->api_key, variable ? getenv(variable) : NULL);
    char message[512];
    if (!key) {
        if (!variable) return;
        snprintf(message, sizeof message, "no API key for %s: set %s (to any word for a server that needs none)",
                 self->provider->name, variable);
        reject(self, "Authentication", message);
        return;
    }
    for (const char *c = key; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7F) {
            snprintf(message, sizeof message,
                     "the API key for %s has white space or a control character in it: check where it comes from",
                     self->provider->name);
            reject(self, "Authentication", message);
            return;
        }
    self->api_key = strdup(key);
}

/* The provider, its key and the URL. */
static bool find_provider(call *self, const steno_request *request) {
    static const char *const paths[] = {[CALL_CHAT] = "/chat/completions", [CALL_EMBEDDING] = "/embeddings"};
    const char *given = first_of(request->base_url, self->client->base_url, getenv("OPENAI_BASE_URL"));
    steno_error error = {0};
    self->asked_model = strdup(request->model);
    if (!self->asked_model) return false;
    if (utf8_valid_prefix(request->model, strlen(request->model)) != strlen(request->model))
        reject(self, "BadRequest", "the model's name is not UTF-8");
    if (provider_find(self->asked_model, given != NULL, &self->provider, &self->by, &self->model, &error))
        reject(self, "BadRequest", error.message);
    const char *base = first_of(request->base_url, self->client->base_url, getenv("OPENAI_BASE_URL"));
    if (!base) base = self->provider->base_url;
    int end = (int)strcspn(base, "?#"), length = end; /* a query stays behind the path */
    while (length > 0 && base[length - 1] == '/') length--;
    if (asprintf(&self->url, "%.*s%s%s", length, base, paths[self->kind], base + end) < 0) self->url = NULL;
    self->api_base = mask_url(base);
    find_key(self, request);
    return self->url && self->api_base;
}

/* ---- what is sent ---- */

static bool make_body(call *self, const steno_request *request) {
    self->body = json_object();
    if (!self->body || json_object_set_new_nocheck(self->body, "model", json_string_nocheck(self->model)) ||
        json_object_update(self->body, request->params))
        return false;
    if (self->error.status) return true; /* it is not sent */
    if (self->stream) {
        json_object_set_new(self->body, "stream", json_true());
        /* Without it there is no usage, and so no cost, in a stream. */
        if (!json_object_get(self->body, "stream_options"))
            json_object_set_new(self->body, "stream_options", json_pack("{s:b}", "include_usage", 1));
    }
    const char *needed = self->kind == CALL_EMBEDDING ? "input" : "messages";
    if (!json_object_get(self->body, needed))
        reject(self, "BadRequest",
               self->kind == CALL_EMBEDDING ? "the request has no input to embed" : "the request has no messages");
    return json_text_add(&self->body_text, self->body);
}

static bool add_header(call *self, const char *name, const char *value) {
    cleanup_free char *line = NULL;
    if (asprintf(&line, "%s: %s", name, value) < 0) return false;
    struct curl_slist *longer = curl_slist_append(self->headers, line);
    if (longer) self->headers = longer;
    return longer;
}

static bool make_headers(call *self) {
    cleanup_free char *bearer = NULL;
    if (self->api_key && asprintf(&bearer, "Bearer %s", self->api_key) < 0) return false;
    struct curl_slist *no_expect;
    return add_header(self, "Content-Type", "application/json") &&
           (!bearer || add_header(self, "Authorization", bearer)) &&
           (!self->stream || add_header(self, "Accept", "text/event-stream")) &&
           (no_expect = curl_slist_append(self->headers, "Expect:")) && (self->headers = no_expect);
}

call *call_new(steno_client *client, const steno_request *request, call_kind kind, bool stream, bool async,
               steno_chunk_fn on_chunk, void *ctx) {
    call *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->client = client;
    self->kind = kind;
    self->stream = stream;
    self->async = async;
    self->on_chunk = on_chunk;
    self->on_chunk_ctx = ctx;
    self->timeout_ms = request->timeout_ms ? request->timeout_ms : client->timeout_ms;
    self->start_time = identity_now();
    identity_call_id(self->call_id);
    if (request->error.status) reject(self, "BadRequest", request->error.message);
    self->common = steno_draft_new();
    self->content = steno_draft_new();
    self->sent = steno_draft_new();
    self->event = steno_draft_new();
    if (!self->common || !self->content || !self->sent || !self->event || !find_provider(self, request) ||
        !make_body(self, request) || !make_headers(self)) {
        call_free(self);
        return NULL;
    }
    call_reply_begin(self);
    call_events_begin(self, request);
    json_decref(self->body);
    self->body = NULL;
    return self;
}

void call_free(call *self) {
    if (!self) return;
    call_events_free(self);
    call_reply_free(self);
    steno_draft_free(self->common);
    steno_draft_free(self->content);
    steno_draft_free(self->sent);
    steno_draft_free(self->event);
    json_decref(self->body);
    buffer_free(&self->body_text);
    free(self->asked_model);
    free(self->api_key);
    free(self->url);
    free(self->api_base);
    curl_slist_free_all(self->headers);
    free(self);
}

/* ---- sending ---- */

static int watch_cancel(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load_explicit(&((call *)ctx)->cancelled, memory_order_relaxed);
}

static CURLcode prepare(call *self, CURL *handle) {
    CURLcode code = CURLE_OK;
#define SET(option, value) \
    if (!code) code = curl_easy_setopt(handle, option, value)
    SET(CURLOPT_URL, self->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TIMEOUT_MS, (long)self->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)self->timeout_ms);
    SET(CURLOPT_HTTPHEADER, self->headers);
    SET(CURLOPT_USERAGENT, "libsteno/" STENO_VERSION);
    SET(CURLOPT_ACCEPT_ENCODING, "");
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)self->body_text.size);
    SET(CURLOPT_POSTFIELDS, self->body_text.bytes);
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

steno_status call_start(call *self, CURL *handle) {
    CURLcode code = prepare(self, handle);
    if (code) {
        failure_from_curl(&self->error, code, self->api_base, self->curl_error, self->timeout_ms);
        return STENO_FAILED;
    }
    self->attempts++;
    call_publish_pre(self);
    return STENO_OK;
}

/* ---- the end ---- */

static void price(call *self, steno_response *response) {
    int64_t pico_dollars;
    const char *named = steno_response_model(response);
    if (!steno_cost_of(self->provider->name, self->model, &response->usage, &pico_dollars, NULL) ||
        (named && !steno_cost_of(self->provider->name, named, &response->usage, &pico_dollars, NULL)))
        response->pico_dollars = pico_dollars;
}

steno_status call_finish(call *self, CURL *handle, CURLcode code, steno_response **out, steno_error *error) {
    *out = NULL;
    self->end_time = identity_now();
    if (handle) {
        *out = call_reply_end(self, code);
        self->end_time = identity_now();
        call_publish_post(self, handle);
    }
    if (self->error.status)
        snprintf(self->error.provider, sizeof self->error.provider, "%s", self->provider->name);
    else if (*out)
        price(self, *out);
    call_publish_end(self, *out);
    if (error) *error = self->error;
    if (error) mask_bytes(self->api_key, error->message, strlen(error->message));
    return self->error.status;
}
