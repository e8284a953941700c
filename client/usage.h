/* Token counts, normalised: the one rule of EVENTS.md, "Usage". */
#ifndef CLIENT_USAGE_H
#define CLIENT_USAGE_H

#include <jansson.h>

#include "client/steno.h"

/* Nothing is known. */
extern const steno_usage usage_unknown;

/* Reads the `usage` object of an OpenAI-shaped reply, which is borrowed and may be NULL. */
steno_usage usage_from_openai(const json_t *json);
/* Writes field `usage`, with the provider's object in `raw`; nothing if there is none. */
void usage_write(steno_draft *draft, const steno_usage *usage, const json_t *raw);

#endif
