/* The providers that libsteno knows: one row each. Adding one that speaks OpenAI's protocol is adding a row. */
#ifndef CLIENT_PROVIDERS_TABLE_H
#define CLIENT_PROVIDERS_TABLE_H

#include "client/providers/wire.h"

/* A row. Every provider has the variables <NAME>_API_KEY and <NAME>_BASE_URL; what is NULL or false is as with most of them. */
typedef struct provider {
    const char *name;     /* the prefix in "provider/model", and field `provider` of events */
    const char *base_url; /* what the wire's paths follow; NULL: there is none, it must be set */
    const wire *wire;     /* NULL: wire_openai */
    const char *keys;     /* further variables for the key, in their order, separated by spaces */
    const char *tokens;   /* variables of tokens that are sent as "Authorization: Bearer " where there is no key */
    const char *urls;     /* the same for the base URL */
    const char *
        added; /* the path that the vendor's own SDK adds to a base URL in its variable, if that ends with the host; NULL: none */
    const char *auth;   /* what stands before the key in its header; NULL: "Authorization: Bearer " */
    const char *header; /* one more header; NULL: none */
    const char *
        account; /* further headers from variables, where they are set: "VARIABLE=Header VARIABLE=Header"; NULL: none */
    const char *renames; /* parameters under other names: "max_completion_tokens=max_tokens …" */
    bool keyless;        /* it also answers without a key */
} provider;

/* Room for a provider's name with its NUL. */
#define PROVIDER_NAME_BYTES STENO_ERROR_PROVIDER_BYTES

/* Which provider `asked` ("gpt-4o", "groq/llama-3.3-70b", "openai/responses/gpt-5") goes to, by which wire, and as which model (borrowed
 * from `asked`). A bare name goes to the provider that it is known of, else to OpenAI. Where `custom_url` (the caller named a server), a bare
 * name, or one with a prefix that is no provider's, is OpenAI's protocol at that server. STENO_INVALID names the providers there are; *out is
 * then one that goes by the name "unknown".
 */
steno_status provider_find(const char *asked, bool custom_url, const provider **out, const wire **by,
                           const char **model, steno_error *error);
/* The row of this name; NULL if there is none. */
const provider *provider_named(const char *name);
/* Row `index`; NULL beyond the last. */
const provider *provider_at(size_t index);

#endif
