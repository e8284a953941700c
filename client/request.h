/* A request as the caller builds it: the body's parameters, and what is only logged. */
#ifndef CLIENT_REQUEST_H
#define CLIENT_REQUEST_H

#include <jansson.h>

#include "client/steno.h"

struct steno_request {
    char *model;
    json_t *params; /* object: messages, input and every other parameter, but for model and stream */
    json_t *metadata;
    json_t *tags; /* array of strings */
    char *user, *session_id, *trace_id, *parent_id;
    char *api_key, *base_url;
    int64_t timeout_ms; /* 0: the client's */
    steno_error error;  /* of the first setter that failed */
};

#endif
