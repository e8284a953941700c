/* A response as the caller reads it. Made once, then only read. */
#ifndef CLIENT_RESPONSE_H
#define CLIENT_RESPONSE_H

#include <jansson.h>

#include "client/steno.h"
#include "schema/identity.h"

struct steno_response {
    json_t *json; /* the OpenAI-shaped object */
    char *text;   /* the same as text */
    steno_usage usage;
    int64_t pico_dollars; /* STENO_UNKNOWN: not known */
    char call_id[IDENTITY_TEXT_BYTES];
};

/* Takes over `json`, and `text` if it is not NULL (else the text is made). NULL when memory is short; both are freed then. */
steno_response *response_new(json_t *json, char *text, const char *call_id);

#endif
