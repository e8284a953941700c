/* The names that a provider goes by in price files. */
#ifndef CLIENT_PRICE_PROVIDER_H
#define CLIENT_PRICE_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

/* Whether an entry that is `listed` for a provider counts for `provider`. NULL, of either: any. */
bool price_provider_is(const char *listed, const char *provider);
/* The index'th name of a provider in price files, its own first; NULL: there are no more. Borrowed. */
const char *price_provider_name(const char *provider, size_t index);

#endif
