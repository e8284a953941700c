/* Replies. Invariant: a call succeeds only on a reply that was whole and of the right form; whatever had arrived otherwise is kept. */
#include "client/call_reply.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "client/failure.h"
#include "client/mask.h"
#include "client/usage.h"
#include "schema/clean.h"
#include "schema/json.h"
#include "schema/json_text.h"

/* Headers worth logging: who served it, and how near the limits are. A '-' at the end makes it a prefix. */
static const char *const logged_headers[] = {
    "x-request-id",     "request-id",           "openai-processing-ms", "openai-organization", "openai-version",
    "x-ratelimit-",     "anthropic-ratelimit-", "retry-after",          "content-type",        "cf-ray",
    "x-amzn-requestid", "apim-request-id",      "x-ms-region",          "retry-after-ms",
};
#define HEADERS_MAX 64
#define HEADER_BYTES_MAX 1024
/* A day: any longer is as good as never. */
#define RETRY_AFTER_SECONDS_MAX 86400

static steno_status on_event(const char *name, const char *data, size_t size, void *ctx);
static steno_status on_chunk(json_t *chunk, void *ctx);

void call_reply_begin(call *self) {
    attempt *now = &self->now;
    call_reply_free(self);
    now->events = (sse){.on_event = on_event, .ctx = self};
    now->lines = (ndjson){.on_line = on_event, .ctx = self};
    now->frames = (aws_frames){.on_frame = on_event, .ctx = self};
    now->stream = (wire_stream){.ask = &self->to.ask, .on_chunk = on_chunk, .ctx = self};
    now->retry_after_ms = -1;
    self->first_token_time = 0;
}

void call_reply_free(call *self) {
    attempt *now = &self->now;
    buffer_free(&now->bytes);
    sse_free(&now->events);
    ndjson_free(&now->lines);
    aws_frames_free(&now->frames);
    wire_stream_free(&now->stream);
    assembly_free(&now->assembly);
    json_decref(now->headers);
    steno_response_free(now->response);
    *now = (attempt){0};
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

/* The media type of a stream that is cut this way. */
static const char *const stream_types[] = {[FRAMING_SSE] = "text/event-stream",
                                           [FRAMING_LINES] = "application/x-ndjson",
                                           [FRAMING_FRAMES] = "application/vnd.amazon.eventstream"};

/* Servers that stream under another name are known; those that answer in one piece say JSON. A line of JSON is a stream of one. */
static bool is_stream_type(framing cut, const char *value, size_t size) {
    const char *type = stream_types[cut];
    size_t length = strlen(type);
    if (cut == FRAMING_LINES || (size >= length && !strncasecmp(value, type, length))) return true;
    return cut == FRAMING_SSE && !memmem(value, size, "json", 4);
}

/* Seconds, or a date; "retry-after-ms" is OpenAI's finer one, and comes first. */
static void note_retry_after(attempt *now, const char *name, const char *value, size_t size) {
    char text[64], *end;
    if (size >= sizeof text) return;
    memcpy(text, value, size);
    text[size] = '\0';
    double number = strtod(text, &end);
    bool in_ms = !strcmp(name, "retry-after-ms");
    if (end == text || *end) {
        time_t when = in_ms ? -1 : curl_getdate(text, NULL);
        if (when < 0) return;
        number = difftime(when, time(NULL));
    }
    if (!(number >= 0)) number = 0;
    if (number > RETRY_AFTER_SECONDS_MAX) number = RETRY_AFTER_SECONDS_MAX;
    if (in_ms || now->retry_after_ms < 0) now->retry_after_ms = (int64_t)(in_ms ? number : number * 1000);
}

static void note_header(call *self, const char *name, const char *value, size_t size) {
    attempt *now = &self->now;
    if (!strcmp(name, "content-type")) now->streams = self->stream && is_stream_type(self->to.by->framing, value, size);
    if (!strcmp(name, "retry-after") || !strcmp(name, "retry-after-ms")) note_retry_after(now, name, value, size);
    if (!is_logged(name) || json_object_size(now->headers) >= HEADERS_MAX) return;
    json_t *text = json_stringn(value, size); /* NULL if it is no UTF-8 */
    if (text) json_object_set_new(now->headers, name, text);
}

size_t call_reply_header(char *line, size_t size, size_t count, void *ctx) {
    call *self = ctx;
    size_t length = size * count;
    if (length >= 5 && !memcmp(line, "HTTP/", 5)) { /* a new reply: what came before was a 1xx or a proxy's */
        json_decref(self->now.headers);
        self->now.headers = json_object();
        self->now.streams = self->stream;
        self->now.retry_after_ms = -1;
        const char *space = memchr(line, ' ', length);
        self->now.http_status = space ? (int)strtol(space, NULL, 10) : 0; /* the line ends with CRLF */
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
    failure_set(&self->now.error, "MalformedResponse", self->now.http_status, true, "%s from %s: %s", what,
                self->to.api_base, detail);
    return STENO_FAILED;
}

static bool is_error(const json_t *json) {
    return json_object_get(json, "error") && !json_is_null(json_object_get(json, "error"));
}

/* Shows a chunk to the application: its text as it came where it is passed through, else made. */
static bool app_goes_on(call *self, const json_t *chunk, const char *text) {
    buffer made = {0};
    bool same = chunk == self->now.record;
    if (!self->on_chunk) return true;
    if (!same && !json_text_add(&made, chunk)) return false;
    bool goes_on = !self->on_chunk(text, same ? self->now.record_text : buffer_text(&made), self->on_chunk_ctx);
    buffer_free(&made);
    return goes_on;
}

/* One OpenAI-shaped chunk. */
static steno_status on_chunk(json_t *chunk, void *ctx) {
    call *self = ctx;
    attempt *now = &self->now;
    const char *text = "";
    steno_error reason = {0};
    if (assembly_add(&now->assembly, chunk, &text, &reason))
        return malformed(self, "a chunk of the stream", reason.message);
    if (now->assembly.has_content && self->first_token_time == 0) self->first_token_time = identity_now();
    call_publish_chunk(self, chunk);
    now->chunks++;
    if (app_goes_on(self, chunk, text)) return STENO_OK;
    atomic_store(&self->cancelled, true);
    return STENO_FAILED;
}

/* One record of the stream, whatever it was cut out of. */
static steno_status on_record(call *self, const char *name, const char *text, size_t size) {
    attempt *now = &self->now;
    steno_error reason = {0};
    json_t *record = json_parse(text, size, &reason);
    /* The piece of a record at which a stream was cut is no record. */
    if (!record) return now->ending ? STENO_OK : malformed(self, "a chunk of the stream", reason.message);
    now->record = record;
    now->record_text = text;
    steno_status status = self->to.by->record(&now->stream, name, record, &reason);
    if (status == STENO_CORRUPT) {
        status = malformed(self, "a chunk of the stream", reason.message);
    } else if (status && !now->error.status && reason.status) {
        now->error = reason;
        now->error.http_status = now->http_status;
    }
    now->record = NULL;
    json_decref(record);
    return status;
}

/* What one of the three cutters gave out. */
static steno_status on_event(const char *name, const char *data, size_t size, void *ctx) {
    call *self = ctx;
    if (self->now.done) return STENO_OK;
    if (size == 6 && !memcmp(data, "[DONE]", 6)) {
        self->now.done = true;
        return STENO_OK;
    }
    return on_record(self, name, data, size);
}

/* ---- bytes ---- */

static steno_status feed(call *self, const char *bytes, size_t size, steno_error *error) {
    attempt *now = &self->now;
    switch (self->to.by->framing) {
    case FRAMING_SSE: return sse_feed(&now->events, bytes, size, error);
    case FRAMING_LINES: return ndjson_feed(&now->lines, bytes, size, error);
    case FRAMING_FRAMES: return aws_frames_feed(&now->frames, bytes, size, error);
    }
    return STENO_OK;
}

/* The stream is over; a frame says how long it is, so what is left of one is nothing. */
static void feed_end(call *self) {
    if (self->to.by->framing == FRAMING_SSE) sse_end(&self->now.events, NULL);
    if (self->to.by->framing == FRAMING_LINES) ndjson_end(&self->now.lines);
}

static bool is_accepted(const call *self) { return self->now.http_status >= 200 && self->now.http_status < 300; }

size_t call_reply_bytes(char *bytes, size_t size, size_t count, void *ctx) {
    call *self = ctx;
    attempt *now = &self->now;
    size_t length = size * count;
    if (atomic_load_explicit(&self->cancelled, memory_order_relaxed)) return CURL_WRITEFUNC_ERROR;
    if (length > CALL_REPLY_BYTES_MAX - now->bytes.size) {
        failure_set(&now->error, "MalformedResponse", now->http_status, false,
                    "the reply from %s is larger than %u MiB", self->to.api_base, CALL_REPLY_BYTES_MAX >> 20);
        return CURL_WRITEFUNC_ERROR;
    }
    if (!buffer_add(&now->bytes, bytes, length)) {
        failure_set(&now->error, "Connection", now->http_status, true, "no memory for the reply from %s",
                    self->to.api_base);
        return CURL_WRITEFUNC_ERROR;
    }
    if (!now->streams || !is_accepted(self)) return length;
    steno_error reason = {0};
    if (!feed(self, bytes, length, &reason)) return length;
    if (!now->error.status && !atomic_load(&self->cancelled)) malformed(self, "the stream", reason.message);
    return CURL_WRITEFUNC_ERROR;
}

/* ---- the end ---- */

/* OpenAI's chat models that always search don't count it. */
static void count_searches(const call *self, steno_usage *usage) {
    if (self->to.by == &wire_openai && !strcmp(self->to.provider->name, "openai") &&
        strstr(self->to.model, "-search-") && usage->web_searches == STENO_UNKNOWN)
        usage->web_searches = 1;
}

/* The response, with its usage in OpenAI's shape and, for events, the provider's own. Takes over `json`. */
static steno_response *respond(call *self, json_t *json, const json_t *raw) {
    steno_usage usage = self->to.by->usage(raw);
    usage_take_reply(&usage, json);
    count_searches(self, &usage);
    if (json_is_object(raw))
        json_object_set_new_nocheck(json, "usage",
                                    self->to.by->usage == usage_from_openai ? json_incref((json_t *)(uintptr_t)raw)
                                                                            : usage_to_openai(&usage));
    return response_new(json, raw, &usage, self->call_id);
}

/* A reply in one piece. */
static void read_whole(call *self) {
    attempt *now = &self->now;
    steno_error reason = {0};
    if (now->bytes.size == 0) {
        malformed(self, "the reply", "it is empty");
        return;
    }
    json_t *native = json_parse(now->bytes.bytes, now->bytes.size, &reason);
    if (!native) {
        malformed(self, "the reply", reason.message);
        return;
    }
    const json_t *raw = NULL;
    json_t *json = self->to.by->reply(&self->to.ask, native, &raw, &reason);
    if (json)
        now->response = respond(self, json, raw);
    else if (reason.status == STENO_FAILED)
        now->error = reason;
    else if (is_error(native))
        failure_from_reply(&now->error, now->http_status, native, now->bytes.bytes);
    else
        malformed(self, "the reply", reason.message);
    json_decref(native);
}

static void read_stream(call *self) {
    json_t *json = assembly_response(&self->now.assembly);
    if (json) self->now.response = respond(self, json, self->now.stream.usage);
}

/* The word for the end is optional, and what breaks off behind the last choice's finish_reason is at most the usage. */
static bool is_complete(const call *self) {
    const attempt *now = &self->now;
    return now->done || now->stream.done ||
           (assembly_is_finished(&now->assembly) && now->assembly.choices_count >= self->to.choices);
}

/* A server that answers in one piece, whatever it calls it. */
static bool is_whole_json(const call *self) {
    const char *text = buffer_text(&self->now.bytes);
    return self->to.by->framing == FRAMING_SSE && text[strspn(text, " \t\r\n")] == '{';
}

static void cut_off(call *self, const char *reason) {
    failure_set(&self->now.error, "Connection", self->now.http_status, true,
                "the stream from %s broke off after %zu chunks, before the reply was complete: %s", self->to.api_base,
                self->now.chunks, reason);
}

/* The provider refused. */
static void refused(call *self) {
    attempt *now = &self->now;
    json_t *json = json_parse(buffer_text(&now->bytes), now->bytes.size, NULL);
    failure_from_reply(&now->error, now->http_status, json, buffer_text(&now->bytes));
    json_decref(json);
}

static void trace(call *self, CURLcode code) {
    attempt *now = &self->now;
    cleanup_free char *url = mask_url(self->to.url);
    int length = snprintf(now->trace, sizeof now->trace, "POST %s", url ? url : self->to.api_base);
    if (length < 0 || length >= (int)sizeof now->trace) return;
    size_t used = (size_t)length, left = sizeof now->trace - used;
    if (code && code != CURLE_WRITE_ERROR && code != CURLE_ABORTED_BY_CALLBACK)
        snprintf(now->trace + used, left, ": libcurl %d: %s", code,
                 *self->curl_error ? self->curl_error : curl_easy_strerror(code));
    else if (now->http_status)
        snprintf(now->trace + used, left, ": HTTP %d", now->http_status);
}

/* Finds out how it ended; a reply in one piece is read. */
static void judge(call *self, CURLcode code, bool stream) {
    attempt *now = &self->now;
    const char *reason = *self->curl_error ? self->curl_error : curl_easy_strerror(code);
    if (atomic_load(&self->cancelled))
        failure_set(&now->error, "Cancelled", now->http_status, false, "the call was cancelled");
    else if (now->error.status)
        return; /* said while the reply came in */
    else if (code && !(stream && is_complete(self)) && stream && now->chunks && code != CURLE_OPERATION_TIMEDOUT)
        cut_off(self, reason);
    else if (code && !(stream && is_complete(self)))
        failure_from_curl(&now->error, code, self->to.api_base, self->curl_error, now->time_ms);
    else if (!is_accepted(self))
        refused(self);
    else if (!stream)
        read_whole(self);
    else if (!is_complete(self))
        cut_off(self, "the server closed it");
}

void call_reply_end(call *self, CURLcode code) {
    attempt *now = &self->now;
    bool stream = now->streams && is_accepted(self) && !is_whole_json(self);
    /* The last record may lack its end. */
    now->ending = true;
    if (stream && !now->error.status && !now->done && !atomic_load(&self->cancelled)) feed_end(self);
    judge(self, code, stream);
    /* A server that does not stream answers in one chunk; it is too late to cancel. */
    if (now->response && self->on_chunk)
        self->on_chunk(steno_response_text(now->response), steno_response_json(now->response), self->on_chunk_ctx);
    if (stream) read_stream(self);
    if (!now->response && !now->error.status) malformed(self, "the reply", "it has no chunks");
    if (!now->error.status) return;
    now->error.http_status = now->http_status;
    trace(self, code);
}
