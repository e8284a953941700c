/* Replies. Invariant: a call succeeds only on a reply that was whole and of the right form; whatever had arrived otherwise is kept. */
#include "client/call_reply.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/failure.h"
#include "schema/json.h"

/* Headers worth logging: who served it, and how near the limits are. A '-' at the end makes it a prefix. */
static const char *const logged_headers[] = {
    "x-request-id", "request-id",           "openai-processing-ms", "openai-organization", "openai-version",
    "x-ratelimit-", "anthropic-ratelimit-", "retry-after",          "content-type",        "cf-ray",
};
#define HEADERS_MAX 64
#define HEADER_BYTES_MAX 1024

static steno_status on_event(const char *name, const char *data, size_t size, void *ctx);

void call_reply_begin(call *self) { self->parser = (sse){.on_event = on_event, .ctx = self}; }

void call_reply_free(call *self) {
    buffer_free(&self->reply);
    sse_free(&self->parser);
    assembly_free(&self->assembly);
    json_decref(self->reply_headers);
}

/* ---- headers ---- */

static bool is_logged(const char *name) {
    for (size_t i = 0; i < sizeof logged_headers / sizeof *logged_headers; i++) {
        size_t length = strlen(logged_headers[i]);
        if (!strncmp(name, logged_headers[i], length) && (!name[length] || logged_headers[i][length - 1] == '-'))
            return true;
    }
    return false;
}

static void note_header(call *self, const char *name, const char *value, size_t size) {
    if (!strcmp(name, "content-type")) {
        static const char stream_type[] = "text/event-stream";
        bool json = memmem(value, size, "json", 4);
        /* Servers that stream under another name are known; those that answer in one piece say JSON. */
        self->sse =
            self->stream &&
            (!json || (size >= sizeof stream_type - 1 && !strncasecmp(value, stream_type, sizeof stream_type - 1)));
    }
    if (!is_logged(name) || json_object_size(self->reply_headers) >= HEADERS_MAX) return;
    json_t *text = json_stringn(value, size); /* NULL if it is no UTF-8 */
    if (text) json_object_set_new(self->reply_headers, name, text);
}

size_t call_reply_header(char *line, size_t size, size_t count, void *ctx) {
    call *self = ctx;
    size_t length = size * count;
    if (length >= 5 && !memcmp(line, "HTTP/", 5)) { /* a new reply: what came before was a 1xx or a proxy's */
        json_decref(self->reply_headers);
        self->reply_headers = json_object();
        self->sse = self->stream;
        const char *space = memchr(line, ' ', length);
        self->http_status = space ? (int)strtol(space, NULL, 10) : 0; /* the line ends with CRLF */
        return length;
    }
    const char *colon = memchr(line, ':', length);
    char name[128];
    if (!colon || (size_t)(colon - line) >= sizeof name || length > HEADER_BYTES_MAX) return length;
    size_t name_size = (size_t)(colon - line);
    for (size_t i = 0; i < name_size; i++) name[i] = (char)tolower((unsigned char)line[i]);
    name[name_size] = '\0';
    const char *value = colon + 1, *end = line + length;
    while (value < end && isspace((unsigned char)*value)) value++;
    while (end > value && isspace((unsigned char)end[-1])) end--;
    note_header(self, name, value, (size_t)(end - value));
    return length;
}

/* ---- chunks ---- */

static steno_status malformed(call *self, const char *what, const char *detail) {
    failure_set(&self->error, "MalformedResponse", self->http_status, true, "%s from %s: %s", what, self->api_base,
                detail);
    return STENO_FAILED;
}

static bool is_error(const json_t *json) {
    return json_object_get(json, "error") && !json_is_null(json_object_get(json, "error"));
}

/* One event of the stream. */
static steno_status on_event(const char *name, const char *data, size_t size, void *ctx) {
    call *self = ctx;
    (void)name;
    if (self->done) return STENO_OK;
    if (size == 6 && !memcmp(data, "[DONE]", 6)) {
        self->done = true;
        return STENO_OK;
    }
    steno_error reason = {0};
    json_t *chunk = json_parse(data, size, &reason);
    /* The piece of an event at which a stream was cut is no event. */
    if (!chunk) return self->ending ? STENO_OK : malformed(self, "a chunk of the stream", reason.message);
    steno_status status = STENO_OK;
    const char *text = "";
    if (is_error(chunk) && !json_object_get(chunk, "choices")) {
        failure_from_reply(&self->error, self->http_status, chunk, data);
        status = STENO_FAILED;
    } else if (assembly_add(&self->assembly, chunk, &text, &reason)) {
        status = malformed(self, "a chunk of the stream", reason.message);
    } else {
        if (self->assembly.has_content && self->first_token_time == 0) self->first_token_time = identity_now();
        call_publish_chunk(self, chunk);
        self->chunks++;
        if (self->on_chunk && self->on_chunk(text, data, self->on_chunk_ctx)) {
            atomic_store(&self->cancelled, true);
            status = STENO_FAILED;
        }
    }
    json_decref(chunk);
    return status;
}

static bool is_accepted(const call *self) { return self->http_status >= 200 && self->http_status < 300; }

size_t call_reply_bytes(char *bytes, size_t size, size_t count, void *ctx) {
    call *self = ctx;
    size_t length = size * count;
    if (atomic_load_explicit(&self->cancelled, memory_order_relaxed)) return CURL_WRITEFUNC_ERROR;
    if (length > CALL_REPLY_BYTES_MAX - self->reply.size) {
        failure_set(&self->error, "MalformedResponse", self->http_status, false,
                    "the reply from %s is larger than %u MiB", self->api_base, CALL_REPLY_BYTES_MAX >> 20);
        return CURL_WRITEFUNC_ERROR;
    }
    if (!buffer_add(&self->reply, bytes, length)) {
        failure_set(&self->error, "Connection", self->http_status, true, "no memory for the reply from %s",
                    self->api_base);
        return CURL_WRITEFUNC_ERROR;
    }
    if (!self->sse || !is_accepted(self)) return length;
    steno_error reason = {0};
    if (!sse_feed(&self->parser, bytes, length, &reason)) return length;
    if (!self->error.status && !atomic_load(&self->cancelled)) malformed(self, "the stream", reason.message);
    return CURL_WRITEFUNC_ERROR;
}

/* ---- the end ---- */

/* A reply in one piece. */
static steno_response *whole_reply(call *self) {
    steno_error reason = {0};
    const char *needed = self->kind == CALL_EMBEDDING ? "data" : "choices";
    if (self->reply.size == 0) {
        malformed(self, "the reply", "it is empty");
        return NULL;
    }
    json_t *json = json_parse(self->reply.bytes, self->reply.size, &reason);
    if (!json) {
        malformed(self, "the reply", reason.message);
        return NULL;
    }
    if (json_is_array(json_object_get(json, needed))) return response_new(json, self->call_id);
    if (is_error(json)) {
        failure_from_reply(&self->error, self->http_status, json, self->reply.bytes);
    } else {
        char detail[64];
        snprintf(detail, sizeof detail, "it is JSON, but has no `%s`", needed);
        malformed(self, "the reply", detail);
    }
    json_decref(json);
    return NULL;
}

static steno_response *streamed_reply(call *self) {
    json_t *json = assembly_response(&self->assembly);
    return json ? response_new(json, self->call_id) : NULL;
}

/* [DONE] is optional, and what breaks off behind the last choice's finish_reason is at most the usage. */
static bool is_complete(const call *self) { return self->done || assembly_is_finished(&self->assembly); }

/* A server that answers in one piece, whatever it calls it. */
static bool is_json(const call *self) {
    const char *text = buffer_text(&self->reply);
    return text[strspn(text, " \t\r\n")] == '{';
}

static void cut_off(call *self, const char *reason) {
    failure_set(&self->error, "Connection", self->http_status, true,
                "the stream from %s broke off after %zu chunks, before the reply was complete: %s", self->api_base,
                self->chunks, reason);
}

/* The provider refused. */
static void refused(call *self) {
    json_t *json = json_parse(buffer_text(&self->reply), self->reply.size, NULL);
    failure_from_reply(&self->error, self->http_status, json, buffer_text(&self->reply));
    json_decref(json);
}

static void trace(call *self, CURLcode code) {
    int length = snprintf(self->trace, sizeof self->trace, "POST %s%s", self->api_base,
                          self->kind == CALL_EMBEDDING ? "/embeddings" : "/chat/completions");
    if (length < 0 || length >= (int)sizeof self->trace) return;
    size_t used = (size_t)length, left = sizeof self->trace - used;
    if (code && code != CURLE_WRITE_ERROR && code != CURLE_ABORTED_BY_CALLBACK)
        snprintf(self->trace + used, left, ": libcurl %d: %s", code,
                 *self->curl_error ? self->curl_error : curl_easy_strerror(code));
    else if (self->http_status)
        snprintf(self->trace + used, left, ": HTTP %d", self->http_status);
}

steno_response *call_reply_end(call *self, CURLcode code) {
    bool accepted = is_accepted(self), stream = self->sse && accepted && !is_json(self);
    /* The last event may lack its blank line. */
    self->ending = true;
    if (stream && !self->error.status && !self->done && !self->cancelled) sse_end(&self->parser, NULL);
    steno_response *response = NULL;
    if (atomic_load(&self->cancelled))
        failure_set(&self->error, "Cancelled", self->http_status, false, "the call was cancelled");
    else if (self->error.status) {
        /* said while the reply came in */
    } else if (code && !(stream && is_complete(self))) {
        if (stream && self->chunks && code != CURLE_OPERATION_TIMEDOUT)
            cut_off(self, *self->curl_error ? self->curl_error : curl_easy_strerror(code));
        else
            failure_from_curl(&self->error, code, self->api_base, self->curl_error, self->timeout_ms);
    } else if (!accepted) {
        refused(self);
    } else if (!stream) {
        response = whole_reply(self);
        /* A server that does not stream answers in one chunk; it is too late to cancel. */
        if (response && self->on_chunk)
            self->on_chunk(steno_response_text(response), steno_response_json(response), self->on_chunk_ctx);
    } else if (!is_complete(self)) {
        cut_off(self, "the server closed it");
    }
    if (stream) response = streamed_reply(self);
    if (!response && !self->error.status) malformed(self, "the reply", "it has no chunks");
    if (self->error.status) {
        self->error.http_status = self->http_status;
        trace(self, code);
    }
    return response;
}
