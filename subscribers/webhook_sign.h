/* What a webhook's receiver needs to trust a request and to know it again: the headers of Standard Webhooks 1.0.0
 * (https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md). Pure: no clock, no I/O.
 */
#ifndef SUBSCRIBERS_WEBHOOK_SIGN_H
#define SUBSCRIBERS_WEBHOOK_SIGN_H

#include "schema/event.h"

/* Secrets in use at a time: a new one beside the old, while receivers change over. */
#define WEBHOOK_SECRETS_MAX 4
#define WEBHOOK_SECRET_BYTES_MAX 512
/* With their NUL. */
#define WEBHOOK_ID_BYTES 128
#define WEBHOOK_SIGNATURE_BYTES (WEBHOOK_SECRETS_MAX * 48)

typedef struct webhook_secret {
    unsigned char bytes[WEBHOOK_SECRET_BYTES_MAX];
    size_t size;
} webhook_secret;

typedef struct webhook_secrets {
    webhook_secret list[WEBHOOK_SECRETS_MAX];
    size_t count;
} webhook_secrets;

/* Adds one. "whsec_…" is base64, as in the specification; any other text is used as it is. STENO_INVALID: no base64, or empty; STENO_LIMIT. */
steno_status webhook_secret_add(webhook_secrets *self, const char *text, steno_error *error);

/* The id of a request with these events (one at least): the same for every try of the same events, also after a restart: the first offset, the last one
 * where there are several, and the first one's call id (another log begins again with offset 1). Of [A-Za-z0-9_-] alone.
 */
void webhook_id(const steno_event *const *events, size_t count, char out[WEBHOOK_ID_BYTES]);

/* The value of webhook-signature over `id`.`timestamp`.`body`: "v1,<base64>", one a secret, with a space between. False when the library refuses. */
bool webhook_sign(const webhook_secrets *secrets, const char *id, int64_t timestamp, const void *body, size_t size,
                  char out[WEBHOOK_SIGNATURE_BYTES]);

#endif
