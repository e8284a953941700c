/* Where Azure has OpenAI's operations. */
#ifndef CLIENT_PROVIDERS_AZURE_H
#define CLIENT_PROVIDERS_AZURE_H

#include "client/providers/wire.h"

/* Path of chat completions, completions or embeddings, by ask->kind. */
bool azure_path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]);
/* Path of Responses, which are at no deployment: the body names it. */
bool azure_responses_path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]);

#endif
