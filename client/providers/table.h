/* The providers that libsteno knows: one row each. Adding an OpenAI-compatible one is adding a row. */
#ifndef CLIENT_PROVIDERS_TABLE_H
#define CLIENT_PROVIDERS_TABLE_H

#include "schema/error.h"

typedef struct provider {
    const char *name;         /* the prefix in "provider/model", and field `provider` of events */
    const char *base_url;     /* "/chat/completions" follows it */
    const char *key_variable; /* NULL: no key is needed */
    const char *url_variable;
} provider;

/* Room for a provider's name with its NUL. */
#define PROVIDER_NAME_BYTES STENO_ERROR_PROVIDER_BYTES

/* Which provider `asked` ("gpt-4o", "groq/llama-3.3-70b") goes to; *model is the part after the prefix, borrowed from `asked`.
 * A name without a prefix, or, where `custom_url` (the caller named a server), with one that is no provider's, is OpenAI's protocol at that
 * server. STENO_INVALID names the providers there are; *out is then one that goes by the name "unknown".
 */
steno_status provider_find(const char *asked, bool custom_url, const provider **out, const char **model,
                           steno_error *error);

#endif
