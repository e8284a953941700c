/* A multi handle with one easy handle in it, so that waiting for the peer is waiting for a signal too.
 * Invariant: nothing that could be a secret gets from the URL or the headers into a message, not even where the peer says it back.
 */
#include "subscribers/http_post.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "schema/buffer.h"
#include "schema/clean.h"
#include "schema/utf8.h"
#include "subscribers/clock.h"
#include "subscribers/stop_signal.h"

#define CONNECT_MS_MAX INT64_C(10000)
/* Between two looks for a second signal: the first one's descriptor stays readable. */
#define STOPPING_WAIT_MS 50
/* A part of a path that is as long and has a digit is taken for a token: Slack's and Discord's webhooks carry theirs so. */
#define TOKEN_BYTES_MIN 20
/* Of a reply's first line, in messages. */
#define SAID_BYTES_MAX 120
/* What is looked at of that line: more than any secret has. */
#define LINE_BYTES_MAX (2 * HTTP_POST_HEADER_BYTES_MAX)
/* A word of the headers, the query or the password that is as long is taken for a secret. */
#define SECRET_BYTES_MIN 8
/* In place of a secret; not longer than one. */
#define HIDDEN "…"

struct http_post {
    CURLM *multi;
    CURL *easy;
    char *shown; /* the URL for messages */
    struct curl_slist *headers;
    size_t header_count;
    bool own_type, gzip;
    int64_t timeout_ms, stop_at; /* stop_at: CLOCK_NEVER until a stop signal is noticed */
    buffer packed, body;
    buffer secrets; /* that a peer might say back, each with its NUL */
    bool full;      /* the reply was cut */
    bool headed;    /* its headers are whole */
    char curl_says[CURL_ERROR_SIZE];
};

CLEANUP_FUNCTION(clean_url, CURLU, curl_url_cleanup)
CLEANUP_FUNCTION(clean_slist, struct curl_slist, curl_slist_free_all)
CLEANUP_FUNCTION(clean_text, char, curl_free)

/* ---- secrets ---- */

static bool keep_secret(http_post *self, const char *text, size_t size) {
    return size < SECRET_BYTES_MIN || (buffer_add(&self->secrets, text, size) && buffer_add(&self->secrets, "", 1));
}

/* Each word of a text that may be one. NULL: there is no text. */
static bool keep_secrets(http_post *self, const char *text) {
    static const char between[] = " \t,;=&";
    bool kept = true;
    for (size_t size; text && kept && *(text += strspn(text, between)); text += size) {
        size = strcspn(text, between);
        kept = keep_secret(self, text, size);
    }
    return kept;
}

bool http_post_secret(http_post *self, const char *text) { return keep_secret(self, text, strlen(text)); }

void http_post_hide(const http_post *self, char *text) {
    for (size_t at = 0; at < self->secrets.size; at += strlen(self->secrets.bytes + at) + 1) {
        const char *secret = self->secrets.bytes + at;
        const size_t size = strlen(secret);
        for (char *found = text; (found = strstr(found, secret)); found += strlen(HIDDEN)) {
            memcpy(found, HIDDEN, strlen(HIDDEN));
            memmove(found + strlen(HIDDEN), found + size, strlen(found + size) + 1);
        }
    }
}

/* ---- what is shown of a URL ---- */

/* The path with its tokens left out, appended. False: no memory to remember one. */
static bool show_path(http_post *self, const char *path, buffer *to) {
    bool kept = true;
    while (*path) {
        size_t length = strcspn(path + 1, "/") + 1;
        bool digit = false, word = true;
        for (size_t i = 1; i < length; i++) {
            digit |= isdigit((unsigned char)path[i]) != 0;
            word &= isalnum((unsigned char)path[i]) || strchr("-_.~%", path[i]);
        }
        const bool hidden = length > TOKEN_BYTES_MIN && digit && word;
        if (hidden) kept &= keep_secret(self, path + 1, length - 1);
        buffer_add(to, hidden ? "/" HIDDEN : path, hidden ? strlen("/" HIDDEN) : length);
        path += length;
    }
    return kept;
}

/* Sets self->shown. False: memory is short. */
static bool show_url(http_post *self, CURLU *url) {
    cleanup(clean_text) char *password = NULL;
    cleanup(clean_text) char *scheme = NULL;
    cleanup(clean_text) char *host = NULL;
    cleanup(clean_text) char *port = NULL;
    cleanup(clean_text) char *path = NULL;
    cleanup(clean_text) char *query = NULL;
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) || curl_url_get(url, CURLUPART_HOST, &host, 0) ||
        curl_url_get(url, CURLUPART_PATH, &path, 0))
        return false;
    curl_url_get(url, CURLUPART_PORT, &port, 0);
    curl_url_get(url, CURLUPART_QUERY, &query, 0);
    curl_url_get(url, CURLUPART_PASSWORD, &password, 0);
    buffer out = {0};
    buffer_add(&out, scheme, strlen(scheme));
    buffer_add(&out, "://", 3);
    buffer_add(&out, host, strlen(host));
    if (port) buffer_add(&out, ":", 1);
    if (port) buffer_add(&out, port, strlen(port));
    const bool kept = show_path(self, path, &out) && keep_secrets(self, query) && keep_secrets(self, password);
    if (query) buffer_add(&out, "?" HIDDEN, strlen("?" HIDDEN));
    self->shown = out.bytes;
    return kept && out.bytes;
}

/* ---- life ---- */

static size_t on_body(char *bytes, size_t one, size_t size, void *ctx) {
    http_post *self = ctx;
    (void)one;
    size_t room = HTTP_POST_REPLY_BYTES_MAX - self->body.size, taken = size < room ? size : room;
    if (!buffer_add(&self->body, bytes, taken)) return 0;
    self->full = taken < size;
    return taken; /* fewer than came: curl ends the transfer, and the status is known already */
}

/* Called with each line, its break included: an empty one ends the headers, also those of a 100 that comes before. */
static size_t on_header(char *line, size_t one, size_t size, void *ctx) {
    http_post *self = ctx;
    (void)one;
    self->headed = size && (line[0] == '\r' || line[0] == '\n');
    return size;
}

/* The certificates to trust where these are not the system's: the variables of the curl program, which the library does not read. */
static const char *own_certificates(void) {
    const char *file = getenv("CURL_CA_BUNDLE");
    return file && *file ? file : getenv("SSL_CERT_FILE");
}

static bool set_up(http_post *self, const char *url) {
    const char *certificates = own_certificates();
    CURL *easy = self->easy;
    int64_t connect_ms = self->timeout_ms < CONNECT_MS_MAX ? self->timeout_ms : CONNECT_MS_MAX;
    if (certificates && *certificates && curl_easy_setopt(easy, CURLOPT_CAINFO, certificates)) return false;
    return !curl_easy_setopt(easy, CURLOPT_URL, url) && !curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
           !curl_easy_setopt(easy, CURLOPT_POST, 1L) && !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) &&
           !curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) &&
           !curl_easy_setopt(easy, CURLOPT_USERAGENT, "steno/" STENO_BUILD_VERSION) &&
           !curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)self->timeout_ms) &&
           !curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEDATA, self) &&
           !curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) &&
           !curl_easy_setopt(easy, CURLOPT_HEADERDATA, self) &&
           !curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, self->curl_says);
}

steno_status http_post_new(const char *url, int64_t timeout_ms, http_post **out, steno_error *error) {
    *out = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) return steno_fail(error, STENO_SYSTEM, "curl cannot be set up");
    cleanup(clean_url) CURLU *parts = curl_url();
    if (!parts) return steno_fail(error, STENO_NO_MEMORY, "no memory for a URL");
    if (strncasecmp(url, "http://", 7) && strncasecmp(url, "https://", 8))
        return steno_fail(error, STENO_INVALID, "the URL must begin with https:// or http://");
    CURLUcode code = curl_url_set(parts, CURLUPART_URL, url, 0);
    if (code) return steno_fail(error, STENO_INVALID, "the URL is none: %s", curl_url_strerror(code));
    http_post *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for a connection");
    self->timeout_ms = timeout_ms;
    self->stop_at = CLOCK_NEVER;
    const bool shown = show_url(self, parts);
    self->multi = curl_multi_init();
    self->easy = curl_easy_init();
    if (!shown || !self->multi || !self->easy || !set_up(self, url)) {
        http_post_free(self);
        return steno_fail(error, STENO_NO_MEMORY, "no memory for a connection");
    }
    *out = self;
    return STENO_OK;
}

void http_post_free(http_post *self) {
    if (!self) return;
    curl_easy_cleanup(self->easy);
    curl_multi_cleanup(self->multi);
    curl_slist_free_all(self->headers);
    buffer_free(&self->packed);
    buffer_free(&self->body);
    if (self->secrets.size) explicit_bzero(self->secrets.bytes, self->secrets.size);
    buffer_free(&self->secrets);
    free(self->shown);
    free(self);
}

steno_status http_post_tls(http_post *self, const char *trusted, const char *certificate, const char *key,
                           steno_error *error) {
    CURL *easy = self->easy;
    if ((trusted && curl_easy_setopt(easy, CURLOPT_CAINFO, trusted)) ||
        (certificate && curl_easy_setopt(easy, CURLOPT_SSLCERT, certificate)) ||
        (key && curl_easy_setopt(easy, CURLOPT_SSLKEY, key)))
        return steno_fail(error, STENO_NO_MEMORY, "no memory for a certificate");
    return STENO_OK;
}

const char *http_post_url(const http_post *self) { return self->shown; }

void http_post_gzip(http_post *self, bool on) { self->gzip = on; }

/* ---- headers ---- */

static bool named(const char *line, const char *name) {
    size_t length = strlen(name);
    return !strncasecmp(line, name, length) && line[length] == ':';
}

static bool token(char c) { return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c)); }

steno_status http_post_header(http_post *self, const char *line, steno_error *error) {
    static const char *const framing[] = {"Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection",
                                          "Expect",         "Trailer",          "Proxy-Connection"};
    size_t name = 0;
    while (token(line[name])) name++;
    if (!name || line[name] != ':') return steno_fail(error, STENO_INVALID, "a header must be \"Name: value\"");
    for (const char *p = line + name; *p; p++)
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 127)
            return steno_fail(error, STENO_INVALID, "header %.*s: its value has a control character or a line break",
                              (int)name, line);
    for (size_t i = 0; i < sizeof framing / sizeof *framing; i++)
        if (named(line, framing[i]))
            return steno_fail(error, STENO_INVALID, "header %s: it follows from the body and cannot be set",
                              framing[i]);
    if (self->header_count == HTTP_POST_HEADERS_MAX || strlen(line) > HTTP_POST_HEADER_BYTES_MAX)
        return steno_fail(error, STENO_LIMIT, "header %.*s: at most %d headers of %d bytes", (int)name, line,
                          HTTP_POST_HEADERS_MAX, HTTP_POST_HEADER_BYTES_MAX);
    /* curl takes "Name:" as an order to leave the header out; "Name;" sends it empty. */
    cleanup_free char *empty = NULL;
    if (!line[name + 1 + strspn(line + name + 1, " \t")] && (empty = strdup(line))) memcpy(empty + name, ";", 2);
    struct curl_slist *longer = curl_slist_append(self->headers, empty ? empty : line);
    if (longer) self->headers = longer;
    if (!longer || !keep_secrets(self, line + name + 1))
        return steno_fail(error, STENO_NO_MEMORY, "no memory for a header");
    self->header_count++;
    self->own_type |= named(line, "Content-Type");
    return STENO_OK;
}

/* True when all is well; else what could be added is in *list, for the caller to free. */
static bool add(struct curl_slist **list, const char *line) {
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer) *list = longer;
    return longer != NULL;
}

/* All headers of one request; NULL when memory is short. */
static struct curl_slist *headers_of(const http_post *self, const char *content_type, const char *const *extra,
                                     bool packed) {
    struct curl_slist *list = NULL;
    char type[128];
    snprintf(type, sizeof type, "Content-Type: %s", content_type);
    /* Without "Expect:" curl would wait a second for a server that knows no 100-continue before it sends a large body. */
    bool fine = add(&list, "Expect:") && (self->own_type || add(&list, type));
    if (packed) fine = fine && add(&list, "Content-Encoding: gzip");
    for (const struct curl_slist *each = self->headers; each && fine; each = each->next) fine = add(&list, each->data);
    for (; extra && *extra && fine; extra++) fine = add(&list, *extra);
    if (fine) return list;
    curl_slist_free_all(list);
    return NULL;
}

/* ---- one exchange ---- */

/* The body as gzip in self->packed. False: it goes as it is. */
static bool pack(http_post *self, const void *body, size_t size) {
    z_stream stream = {0};
    if (!self->gzip || size > UINT_MAX / 2) return false;
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY)) return false;
    size_t room = deflateBound(&stream, size);
    if (room > self->packed.room) {
        buffer_free(&self->packed);
        self->packed = (buffer){.bytes = malloc(room), .room = room};
    }
    bool done = false;
    if (self->packed.bytes) {
        stream.next_in = (Bytef *)body;
        stream.avail_in = (uInt)size;
        stream.next_out = (Bytef *)self->packed.bytes;
        stream.avail_out = (uInt)room;
        done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
        self->packed.size = stream.total_out;
    } else {
        self->packed = (buffer){0};
    }
    deflateEnd(&stream);
    return done;
}

/* Until when this may go on: 0 at once, with a second signal. Notices the first. */
static int64_t until(http_post *self) {
    int signals = stop_signal_count();
    if (signals && self->stop_at == CLOCK_NEVER) self->stop_at = clock_after(HTTP_POST_STOP_MS);
    return signals > 1 ? 0 : self->stop_at;
}

/* Drives the transfer to its end. CURLE_ABORTED_BY_CALLBACK: a stop signal ended it. */
static CURLcode drive(http_post *self) {
    for (int running = 1, queued;;) {
        if (curl_multi_perform(self->multi, &running)) return CURLE_FAILED_INIT;
        CURLMsg *message = curl_multi_info_read(self->multi, &queued);
        if (message) return message->data.result;
        int64_t end = until(self);
        int left = clock_until(end);
        if (!left) return CURLE_ABORTED_BY_CALLBACK;
        bool stopping = end != CLOCK_NEVER;
        struct curl_waitfd wake = {.fd = stop_signal_fd(), .events = CURL_WAIT_POLLIN};
        int wait_ms = stopping && left > STOPPING_WAIT_MS ? STOPPING_WAIT_MS : left;
        if (curl_multi_poll(self->multi, &wake, wake.fd >= 0 && !stopping, wait_ms, NULL)) return CURLE_FAILED_INIT;
    }
}

/* What came, out of the handle. */
static void take_reply(http_post *self, http_reply *reply) {
    curl_off_t seconds = 0;
    const char *type = NULL;
    curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &reply->status);
    curl_easy_getinfo(self->easy, CURLINFO_RETRY_AFTER, &seconds);
    curl_easy_getinfo(self->easy, CURLINFO_CONTENT_TYPE, &type);
    if (seconds > 0)
        reply->retry_after_ms =
            seconds > HTTP_POST_RETRY_AFTER_MS_MAX / 1000 ? HTTP_POST_RETRY_AFTER_MS_MAX : seconds * 1000;
    for (size_t i = 0; type && type[i] && !strchr("; \t", type[i]) && i < sizeof reply->content_type - 1; i++)
        reply->content_type[i] = (char)tolower((unsigned char)type[i]);
}

static const char *reason(const http_post *self, CURLcode code) {
    switch (code) {
    case CURLE_ABORTED_BY_CALLBACK: return "ended by a stop signal";
    case CURLE_OPERATION_TIMEDOUT: return "no answer in time";
    case CURLE_GOT_NOTHING: return "the connection was closed without an answer";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return "the answer is not HTTP";
    default: return self->curl_says[0] ? self->curl_says : curl_easy_strerror(code);
    }
}

void http_post_send(http_post *self, const char *content_type, const void *body, size_t size, const char *const *extra,
                    http_reply *reply) {
    *reply = (http_reply){.body = ""};
    buffer_clear(&self->body);
    self->full = self->headed = false;
    self->curl_says[0] = '\0';
    bool packed = pack(self, body, size);
    cleanup(clean_slist) struct curl_slist *headers = headers_of(self, content_type, extra, packed);
    curl_easy_setopt(self->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(packed ? self->packed.size : size));
    curl_easy_setopt(self->easy, CURLOPT_POSTFIELDS, packed ? self->packed.bytes : size ? body : "");
    if (!headers || curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, headers) ||
        curl_multi_add_handle(self->multi, self->easy)) {
        snprintf(reply->error, sizeof reply->error, "no memory for a request");
        return;
    }
    CURLcode code = drive(self);
    if (!code && !self->headed) /* curl takes what came for the whole */
        snprintf(reply->error, sizeof reply->error, "the connection was closed within its answer's headers");
    else if (!code || (code == CURLE_WRITE_ERROR && self->full))
        take_reply(self, reply);
    else
        snprintf(reply->error, sizeof reply->error, "%s", reason(self, code));
    curl_multi_remove_handle(self->multi, self->easy);
    curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(self->easy, CURLOPT_POSTFIELDS, NULL);
    reply->body = buffer_text(&self->body);
    reply->body_size = self->body.size;
}

/* ---- what it means ---- */

/* The first line with anything in it, safe to print and without what was secret in the request; "" for a page of HTML, which says nothing in its
 * first line.
 */
static void first_line(const http_post *self, const http_reply *reply, char out[SAID_BYTES_MAX + 1]) {
    const char *from = reply->body;
    from += strspn(from, " \t\r\n");
    size_t size = strcspn(from, "\r\n");
    cleanup_free char *line = strndup(from, size < LINE_BYTES_MAX ? size : LINE_BYTES_MAX);
    out[0] = '\0';
    if (!line || *line == '<') return;
    http_post_hide(self, line);
    size = strlen(line);
    if (size > SAID_BYTES_MAX) size = SAID_BYTES_MAX;
    size = utf8_valid_prefix(line, size);
    for (size_t i = 0; i < size; i++) out[i] = (unsigned char)line[i] < ' ' || line[i] == 127 ? '?' : line[i];
    out[size] = '\0';
}

delivery_result http_post_judge(const http_post *self, const http_reply *reply) {
    if (reply->status >= 200 && reply->status < 300) return DELIVERED;
    const bool refused = reply->status == 400 || reply->status == 413 || reply->status == 422;
    char said[SAID_BYTES_MAX + 1], what[sizeof reply->error + SAID_BYTES_MAX];
    first_line(self, reply, said);
    if (reply->status)
        snprintf(what, sizeof what, "answered %ld%s%s", reply->status, *said ? ": " : "", said);
    else
        snprintf(what, sizeof what, "%s", reply->error);
    delivery_result result;
    /* Where both are too much, the URL keeps a third. */
    size_t shown = strlen(self->shown), least = sizeof result.why / 3, used = strlen(what) + sizeof ": ";
    size_t room = used + least < sizeof result.why ? sizeof result.why - used : least;
    if (shown > room) shown = utf8_valid_prefix(self->shown, room);
    result = delivery_say(refused ? DELIVERY_REFUSED : DELIVERY_LATER, "%.*s: %s", (int)shown, self->shown, what);
    result.why[utf8_valid_prefix(result.why, strlen(result.why))] = '\0';
    if (!refused) result.retry_after_ms = reply->retry_after_ms;
    return result;
}
