/* libcurl takes the URL apart; this room knows what its parts mean to Redis. */
#include "client/redis_address.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "schema/clean.h"

CLEANUP_FUNCTION(clean_url, CURLU, curl_url_cleanup)
CLEANUP_FUNCTION(clean_part, char, curl_free)

#define PORT_DEFAULT "6379"
/* Redis has 16 databases unless it is told otherwise; a number of this many digits is a mistake. */
#define DATABASE_DIGITS_MAX 5
#define SHAPES "redis://[[user]:password@]host[:port][/db] or unix:///path"

/* Copies a part of the URL to *out; a part that is not there leaves it NULL. False: no memory, or bytes that no part can have. */
static bool part(CURLU *url, CURLUPart which, char **out) {
    cleanup(clean_part) char *text = NULL;
    switch (curl_url_get(url, which, &text, CURLU_URLDECODE)) {
    case CURLUE_OK: break;
    case CURLUE_NO_SCHEME:
    case CURLUE_NO_USER:
    case CURLUE_NO_PASSWORD:
    case CURLUE_NO_HOST:
    case CURLUE_NO_PORT:
    case CURLUE_NO_QUERY:
    case CURLUE_NO_FRAGMENT: return true;
    default: return false;
    }
    if (!text || !*text) return true;
    return (*out = strdup(text)) != NULL;
}

static steno_status read_path(const char *path, redis_address *out, steno_error *error) {
    const size_t longest = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    if (path[0] != '/' || !path[1])
        return steno_fail(error, STENO_INVALID, "the cache's unix: URL has no absolute path; write unix:///path");
    if (strlen(path) > longest)
        return steno_fail(error, STENO_INVALID,
                          "the path in the cache's unix: URL is longer than the %zu bytes of a socket's", longest);
    out->path = strdup(path);
    return out->path ? STENO_OK : steno_fail(error, STENO_NO_MEMORY, "no memory for the cache's address");
}

/* The path of the URL: "", "/" or "/" and a number. */
static steno_status read_database(char *path, redis_address *out, steno_error *error) {
    const char *number = path ? path + (*path == '/') : "";
    if (strspn(number, "0123456789") != strlen(number) || strlen(number) > DATABASE_DIGITS_MAX)
        return steno_fail(error, STENO_INVALID,
                          "the database in the cache's redis: URL is no number; write redis://host:port/0");
    if (strspn(number, "0") == strlen(number)) return STENO_OK;
    out->database = strdup(number);
    return out->database ? STENO_OK : steno_fail(error, STENO_NO_MEMORY, "no memory for the cache's address");
}

/* "[::1]" to "::1", as getaddrinfo() takes it. */
static void strip_brackets(char *host) {
    size_t size = strlen(host);
    if (size < 2 || host[0] != '[' || host[size - 1] != ']') return;
    memmove(host, host + 1, size - 2);
    host[size - 2] = '\0';
}

static steno_status read_redis(const char *text, redis_address *out, steno_error *error) {
    cleanup(clean_url) CURLU *url = curl_url();
    cleanup_free char *path = NULL, *query = NULL, *fragment = NULL;
    if (!url) return steno_fail(error, STENO_NO_MEMORY, "no memory for the cache's address");
    if (text[8] == '/') /* libcurl would take the database for a host */
        return steno_fail(error, STENO_INVALID, "the cache's redis: URL has no host; write " SHAPES);
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    if (code)
        return steno_fail(error, STENO_INVALID, "the cache's redis: URL cannot be read (%s); write " SHAPES,
                          curl_url_strerror(code));
    if (!part(url, CURLUPART_USER, &out->user) || !part(url, CURLUPART_PASSWORD, &out->password) ||
        !part(url, CURLUPART_HOST, &out->host) || !part(url, CURLUPART_PORT, &out->port) ||
        !part(url, CURLUPART_PATH, &path) || !part(url, CURLUPART_QUERY, &query) ||
        !part(url, CURLUPART_FRAGMENT, &fragment))
        return steno_fail(error, STENO_INVALID, "a part of the cache's redis: URL cannot be read; write " SHAPES);
    if (!out->host) return steno_fail(error, STENO_INVALID, "the cache's redis: URL has no host; write " SHAPES);
    if (query || fragment)
        return steno_fail(error, STENO_INVALID,
                          "the cache's redis: URL has a ? or #, which mean nothing there; write " SHAPES);
    if (out->user && !out->password)
        return steno_fail(error, STENO_INVALID, "the cache's redis: URL has a user and no password; write " SHAPES);
    strip_brackets(out->host);
    if (!out->port) out->port = strdup(PORT_DEFAULT);
    if (!out->port) return steno_fail(error, STENO_NO_MEMORY, "no memory for the cache's address");
    return read_database(path, out, error);
}

steno_status redis_address_read(const char *url, redis_address *out, steno_error *error) {
    *out = (redis_address){0};
    steno_status status;
    if (!url) url = "";
    if (!strncmp(url, "unix://", 7))
        status = read_path(url + 7, out, error);
    else if (!strncasecmp(url, "redis://", 8))
        status = read_redis(url, out, error);
    else if (!strncasecmp(url, "rediss://", 9))
        status = steno_fail(error, STENO_INVALID,
                            "the cache's URL begins with rediss: (Redis with TLS), which Steno does not speak; use a "
                            "TLS tunnel such as stunnel and give redis://localhost:PORT");
    else
        status = steno_fail(error, STENO_INVALID, "the cache's URL is none of Redis's; write " SHAPES);
    if (status) redis_address_free(out);
    return status;
}

void redis_address_free(redis_address *self) {
    free(self->path);
    free(self->host);
    free(self->port);
    free(self->user);
    free(self->password);
    free(self->database);
    *self = (redis_address){0};
}
