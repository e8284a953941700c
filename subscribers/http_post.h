/* HTTP POST for exporters: one reused connection, bounded in time and in what is read, ended by a stop signal. TLS is verified, redirects are
 * not followed (a POST that moves is a matter of configuration). The usual variables of curl (https_proxy, no_proxy,
 * CURL_CA_BUNDLE, SSL_CERT_FILE) apply.
 * One thread at a time.
 */
#ifndef SUBSCRIBERS_HTTP_POST_H
#define SUBSCRIBERS_HTTP_POST_H

#include "subscribers/delivery.h"

typedef struct http_post http_post;

typedef struct http_reply {
    long status;            /* 0: no reply, or not a whole one */
    int64_t retry_after_ms; /* Retry-After (seconds or a date), at most HTTP_POST_RETRY_AFTER_MS_MAX; 0: none */
    char error[256];        /* why there is no reply: "connection refused", …; no secrets */
    const char *body;       /* borrowed until the next call; NUL-terminated, cut at HTTP_POST_REPLY_BYTES_MAX */
    size_t body_size;
    char content_type[64]; /* "application/json", lower case, without parameters; "" */
} http_reply;

#define HTTP_POST_REPLY_BYTES_MAX (4u << 20)
#define HTTP_POST_RETRY_AFTER_MS_MAX INT64_C(3600000)
/* What is in flight when a stop signal comes, and what is tried after that, has so long together; a second signal ends it at once. stenod kills
 * a program 5 s after it asked.
 */
#define HTTP_POST_STOP_MS 3000
/* Headers of every request. */
#define HTTP_POST_HEADERS_MAX 64
#define HTTP_POST_HEADER_BYTES_MAX 8192

/* `url` must be http:// or https:// (STENO_INVALID else). A user and password in it become Basic authentication; messages show neither them, nor
 * the query, nor parts of the path that look like a token. `timeout_ms` is for the whole exchange, connecting and all.
 */
steno_status http_post_new(const char *url, int64_t timeout_ms, http_post **out, steno_error *error);
void http_post_free(http_post *self);
/* The URL as messages show it; borrowed. */
const char *http_post_url(const http_post *self);
/* A header of every request, "Name: value"; secrets stay out of messages. A Content-Type goes before that of http_post_send.
 * STENO_INVALID: line breaks, no colon, a header that is curl's own affair (Content-Length, …); STENO_LIMIT.
 */
steno_status http_post_header(http_post *self, const char *line, steno_error *error);
/* Files in PEM: the certificates to trust in place of the usual ones, our own certificate, and its key. Each may be NULL. */
steno_status http_post_tls(http_post *self, const char *trusted, const char *certificate, const char *key,
                           steno_error *error);
/* Something secret that is sent in disguise (as base64, …): messages do not show it. False: no memory. */
bool http_post_secret(http_post *self, const char *text);
/* gzip the bodies (Content-Encoding: gzip). */
void http_post_gzip(http_post *self, bool on);
/* Sends; `extra` are headers of this request alone (NULL-terminated list of "Name: value"; NULL: none). */
void http_post_send(http_post *self, const char *content_type, const void *body, size_t size, const char *const *extra,
                    http_reply *reply);

/* Takes out of a peer's words what was secret in the request, in place: passwords, keys, tokens of the URL and the headers. */
void http_post_hide(const http_post *self, char *text);

/* What a webhook's reply means: 2xx done; 400, 413, 422: REFUSED (these events will never do); everything else (no reply, 401, 403, 404, 408, 429, 5xx, 3xx, …):
 * LATER, with its Retry-After. `why` names the URL without secrets, the status, and the first line of the body.
 */
delivery_result http_post_judge(const http_post *self, const http_reply *reply);

#endif
