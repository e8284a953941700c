/* One thread polls and answers all. */
#include "subscribers/metrics_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "schema/clean.h"
#include "subscribers/metric_text.h"

/* What a connection's request line and headers may take. */
#define REQUEST_BYTES_MAX 16384

struct metrics_server {
    struct MHD_Daemon *http;
    metrics_fn put;
    void *ctx;
};

static const char front[] = "<!doctype html><title>steno-prometheus</title><p><a href=\"/metrics\">metrics</a>\n";

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type, char *body,
                              size_t size, enum MHD_ResponseMemoryMode mode) {
    struct MHD_Response *response = MHD_create_response_from_buffer(size, body, mode);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status, const char *type,
                                   const char *text) {
    return answer(connection, status, type, (char *)(uintptr_t)text, strlen(text), MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result answer_metrics(const metrics_server *self, struct MHD_Connection *connection) {
    char *body = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&body, &size);
    bool failed = !out;
    if (out) {
        self->put(out, self->ctx);
        failed = ferror(out) != 0;
        if (fclose(out)) failed = true;
    }
    if (!failed) return answer(connection, MHD_HTTP_OK, METRIC_TEXT_TYPE, body, size, MHD_RESPMEM_MUST_FREE);
    free(body);
    return answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "text/plain", "out of memory\n");
}

static enum MHD_Result handle(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **state) {
    (void)version, (void)upload;
    static char seen;
    if (!*state) { /* the headers alone: asked again when the body, if any, has come */
        *state = &seen;
        return MHD_YES;
    }
    if (*upload_size) { /* read and forgotten */
        *upload_size = 0;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", "only GET\n");
    if (!strcmp(url, "/metrics")) return answer_metrics(ctx, connection);
    if (!strcmp(url, "/")) return answer_text(connection, MHD_HTTP_OK, "text/html", front);
    return answer_text(connection, MHD_HTTP_NOT_FOUND, "text/plain", "the metrics are at /metrics\n");
}

/* libmicrohttpd's own complaints (a connection that breaks off) are nothing to act upon. */
static void ignore(void *ctx, const char *format, va_list values) { (void)ctx, (void)format, (void)values; }

CLEANUP_FUNCTION(clean_server, metrics_server, metrics_server_stop)

steno_status metrics_server_start(const listen_address *address, metrics_fn put, void *ctx, metrics_server **out,
                                  steno_error *error) {
    *out = NULL;
    cleanup(clean_server) metrics_server *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for the HTTP server");
    self->put = put;
    self->ctx = ctx;
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ERROR_LOG;
    if (address->any.sa_family == AF_INET6) flags |= MHD_USE_IPv6;
    errno = 0;
    self->http = MHD_start_daemon(flags, 0, NULL, NULL, handle, self, MHD_OPTION_EXTERNAL_LOGGER, ignore, NULL,
                                  MHD_OPTION_SOCK_ADDR, &address->any, MHD_OPTION_CONNECTION_LIMIT,
                                  (unsigned)METRICS_SERVER_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                                  (unsigned)METRICS_SERVER_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                  (size_t)REQUEST_BYTES_MAX, MHD_OPTION_END);
    if (!self->http)
        return steno_fail(error, STENO_SYSTEM, "cannot listen: %s",
                          errno ? strerror(errno) : "libmicrohttpd does not say why");
    *out = self;
    self = NULL;
    return STENO_OK;
}

uint16_t metrics_server_port(const metrics_server *self) {
    return MHD_get_daemon_info(self->http, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void metrics_server_stop(metrics_server *self) {
    if (!self) return;
    if (self->http) MHD_stop_daemon(self->http);
    free(self);
}
