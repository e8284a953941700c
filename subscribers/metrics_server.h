/* GET /metrics over HTTP (libmicrohttpd), in a thread of its own. Bounded: connections, their time, what they may send. */
#ifndef SUBSCRIBERS_METRICS_SERVER_H
#define SUBSCRIBERS_METRICS_SERVER_H

#include "subscribers/listen_address.h"
#include <stdio.h>

#define METRICS_SERVER_CONNECTIONS_MAX 16
#define METRICS_SERVER_TIMEOUT_S 10

typedef struct metrics_server metrics_server;

/* Writes what is to be answered. Called by the server's thread, one call at a time. */
typedef void (*metrics_fn)(FILE *out, void *ctx);

/* Listens at once. Errors: STENO_SYSTEM (the port is taken), STENO_NO_MEMORY. */
steno_status metrics_server_start(const listen_address *address, metrics_fn put, void *ctx, metrics_server **out,
                                  steno_error *error);
/* The port that it listens on. */
uint16_t metrics_server_port(const metrics_server *self);
/* Ends the thread. NULL is fine. */
void metrics_server_stop(metrics_server *self);

#endif
