/* Where a call goes: one model of one provider, with the address, the key and the body for it. A call has one at a time; a fallback is another.
 * Invariant: the key is here and in the headers alone, and never in what is for events (api_base, shown headers).
 */
#ifndef CLIENT_TARGET_H
#define CLIENT_TARGET_H

#include <curl/curl.h>
#include <jansson.h>

#include "client/aws_credentials.h"
#include "client/client.h"
#include "client/providers/table.h"
#include "schema/buffer.h"

/* Begin with {0}. */
typedef struct target {
    const provider *provider;
    const wire *by;
    char *asked;       /* as it was asked for */
    const char *model; /* in `asked`, without the prefixes */
    wire_ask ask;
    size_t choices;      /* how many are asked for; 0: it is not said */
    char *version;       /* of the API; NULL: none */
    char *api_key;       /* NULL: none */
    char *account;       /* headers that say for whom the key is used, line by line; NULL: none */
    aws_credentials aws; /* where each attempt is signed with them; else all NULL */
    char *base, *url;
    char *api_base; /* `base` masked, for events */
    json_t *body;   /* until its text and the events are made */
    buffer body_text;
    struct curl_slist *headers;
} target;

/* What a target is made of. All borrowed. */
typedef struct target_wish {
    const steno_client *client;
    const char *asked;
    const char *api_key, *base_url; /* of the request, for its own model; NULL: the client's, or the environment's */
    const json_t *params, *extra_headers;
    const char *secrets_base; /* the only base URL that secrets among the extra headers may go to; NULL: to any */
    call_kind kind;
    bool stream, drop;
} target_wish;

/* Makes the target. STENO_FAILED with `error` typed as a failed call (Authentication, BadRequest): it is then of use for events alone.
 * STENO_NO_MEMORY: of no use at all.
 */
steno_status target_open(const target_wish *wish, target *out, steno_error *error);
/* Signs the next attempt, where the provider wants that. */
steno_status target_sign(target *self, steno_error *error);
void target_close(target *self);
/* Wipes its secrets, the key and those in headers, wherever they are in `bytes`. */
void target_mask(const target *self, void *bytes, size_t size);
/* Writes the headers as they may be seen, as fields of the open map. */
void target_write_headers(const target *self, steno_draft *draft);

#endif
