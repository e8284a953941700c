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
    int64_t timeout_ms, try_timeout_ms; /* 0: the client's */
    int retries;                        /* -1: the client's */
    bool drop_params;
    unsigned privacy;
    json_t *headers;   /* object: further ones that are sent, name to text */
    json_t *fallbacks; /* array of strings; empty: the client's */
    steno_cache_use cache_use;
    int64_t cache_ttl_ms; /* 0: the cache's */
    steno_error error;    /* of the first setter that failed */
};

/* A copy that shares nothing; NULL when memory is short. */
steno_request *request_copy(const steno_request *request);

#endif
