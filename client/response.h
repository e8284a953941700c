/* A response as the caller reads it. Made once, then only read. */
#ifndef CLIENT_RESPONSE_H
#define CLIENT_RESPONSE_H

#include <jansson.h>
#include <stdatomic.h>

#include "client/steno.h"
#include "schema/identity.h"

struct steno_response {
    json_t *json;         /* the OpenAI-shaped object */
    _Atomic(char *) text; /* the same as text; made when it is asked for first, by whichever thread */
    json_t *raw_usage;    /* the provider's own object; NULL: it gave none */
    steno_usage usage;
    bool cache_hit;
    int64_t pico_dollars; /* STENO_UNKNOWN: not known */
    char call_id[IDENTITY_TEXT_BYTES];
};

/* Takes over `json`; `raw_usage` is borrowed and may be NULL. NULL when memory is short; it is freed then. */
steno_response *response_new(json_t *json, const json_t *raw_usage, const steno_usage *usage, const char *call_id);

#endif
