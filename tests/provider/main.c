/* A small provider on 127.0.0.1 for tests and the demo: answers like each family of providers (route.h), and wrongly on
 * request (fault.h).
 * Usage: steno-test-provider [--port N]   prints its base URL, ends on SIGTERM
 */
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tests/provider/openai.h"

#define BODY_BYTES_MAX (64u << 20)
#define CONNECTIONS_MAX 1024

/* A request while it comes in. */
typedef struct request {
    char *uri;
    bool begun;
    char *body;
    size_t size;
} request;

static enum MHD_Result note_header(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value) {
    (void)kind;
    bool secret = !strcasecmp(name, "Authorization") || strcasestr(name, "key");
    json_object_set_new(ctx, name, json_string(secret ? "masked" : value));
    return MHD_YES;
}

/* What fault `reflect` answers with: the headers and the body, the key masked. */
static char *reflect(struct MHD_Connection *connection, const request *what) {
    json_t *headers = json_object();
    MHD_get_connection_values(connection, MHD_HEADER_KIND, note_header, headers);
    json_t *all = json_pack("{s:o,s:s%}", "headers", headers, "body", what->body ? what->body : "", what->size);
    char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return text ? text : strdup("");
}

static bool authorized(const exchange *with, const char *header) {
    const char *value = header ? MHD_lookup_connection_value(with->connection, MHD_HEADER_KIND, header) : "x";
    bool bearer = header && !strcasecmp(header, "Authorization");
    return value && *value && (!bearer || (!strncmp(value, "Bearer ", 7) && value[7]) || !strncmp(value, "AWS4-", 5));
}

static reply *simulated(const route *where, const fault *faults) {
    char message[96];
    snprintf(message, sizeof message, "This is a simulated error with status %d.", faults->status);
    const char *type = faults->status == 403   ? "permission_error"
                       : faults->status == 429 ? "rate_limit_error"
                       : faults->status >= 500 ? "server_error"
                                               : "invalid_request_error";
    const char *code = *faults->code ? faults->code : faults->status == 429 ? "rate_limit_exceeded" : NULL;
    return where->error((unsigned)faults->status, message, type, code, faults);
}

/* Asked for in the body, or by the path (":streamGenerateContent"). */
static bool is_streamed(const exchange *with) {
    return json_is_true(json_object_get(with->body, "stream")) || strstr(with->path, "stream");
}

/* The reply to a whole request. */
static reply *answer(exchange *with, const char *method) {
    const fault *faults = with->faults;
    if (faults->hang)
        for (;;) poll(NULL, 0, -1);
    const route *where = route_of(with->path);
    if (!where) return openai_error(404, "There is nothing at this URL.", "invalid_request_error", NULL, faults);
    if (faults->status >= 300) return simulated(where, faults);
    if (!authorized(with, where->key_header))
        return where->error(401, "You didn't provide an API key.", "invalid_request_error", "invalid_api_key", faults);
    if (!with->body && strcmp(method, "GET"))
        return where->error(400, "We could not parse the JSON body of your request.", "invalid_request_error", NULL,
                            faults);
    if (faults->empty || (faults->garbage && !is_streamed(with))) {
        reply *self = reply_new(200, false, faults);
        if (self && faults->garbage) reply_add(self, strdup("<html>This is no JSON.</html>"));
        return self;
    }
    return where->answer(with);
}

static reply *answer_request(struct MHD_Connection *connection, const char *method, const char *path,
                             const request *what, const fault *faults) {
    const char *text = what->body ? what->body : "";
    json_t *body = json_loadb(text, what->size, JSON_ALLOW_NUL, NULL);
    char *reflected = reflect(connection, what);
    exchange with = {.connection = connection,
                     .path = path,
                     .uri = what->uri,
                     .body = body,
                     .body_text = text,
                     .body_size = what->size,
                     .reflected = reflected,
                     .faults = faults};
    reply *self = answer(&with, method);
    free(reflected);
    json_decref(body);
    return self;
}

static enum MHD_Result take_in(request *what, const char *data, size_t *size) {
    if (*size > BODY_BYTES_MAX - what->size) return MHD_NO;
    char *grown = realloc(what->body, what->size + *size + 1);
    if (!grown) return MHD_NO;
    what->body = grown;
    memcpy(grown + what->size, data, *size);
    what->size += *size;
    grown[what->size] = '\0';
    *size = 0;
    return MHD_YES;
}

/* The request as it begins, with the URI before its escapes are read: signatures are made of those. */
static void *begin(void *ctx, const char *uri, struct MHD_Connection *connection) {
    (void)ctx;
    (void)connection;
    request *what = calloc(1, sizeof *what);
    if (what) what->uri = strdup(uri);
    return what;
}

static enum MHD_Result handle(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **state) {
    (void)ctx;
    (void)version;
    request *what = *state;
    if (!what) return MHD_NO;
    if (!what->begun) {
        what->begun = true;
        return MHD_YES;
    }
    if (*size) return take_in(*state, data, size);
    fault faults;
    const char *path = fault_parse(url, &faults);
    reply *self = path ? answer_request(connection, method, path, *state, &faults)
                       : openai_error(400, "The faults in this URL are not understood.", "invalid_request_error", NULL,
                                      &(fault){0});
    return self ? reply_send(self, connection) : MHD_NO;
}

static void forget(void *ctx, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code) {
    (void)ctx;
    (void)connection;
    (void)code;
    request *what = *state;
    if (what) {
        free(what->uri);
        free(what->body);
    }
    free(what);
}

int main(int argc, char **argv) {
    char *end = NULL;
    long port = argc == 3 && !strcmp(argv[1], "--port") ? strtol(argv[2], &end, 10) : 0;
    if ((argc != 1 && argc != 3) || (argc == 3 && (!end || *end || port < 0 || port > 65535))) {
        fprintf(stderr, "usage: steno-test-provider [--port N]\n");
        return 2;
    }
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *server = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, handle, NULL,
        MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED, forget, NULL, MHD_OPTION_URI_LOG_CALLBACK, begin,
        NULL, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    if (!server) {
        fprintf(stderr, "steno-test-provider: cannot listen on 127.0.0.1:%ld\n", port);
        return 1;
    }
    printf("http://127.0.0.1:%u/v1\n", MHD_get_daemon_info(server, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    int got;
    sigwait(&ends, &got);
    _exit(0); /* connections that hang would hold up anything gentler */
}
