/* Usage, normalised: one table of rules for every family (EVENTS.md, "Usage"). What a provider leaves out stays unknown: never zero. */
#ifndef CLIENT_USAGE_H
#define CLIENT_USAGE_H

#include <jansson.h>

#include "client/steno.h"

/* Every number STENO_UNKNOWN. */
extern const steno_usage usage_unknown;

/* From the family's own object; NULL, or something else, is unknown usage. */
steno_usage usage_from_openai(const json_t *raw);
steno_usage usage_from_responses(const json_t *raw);
steno_usage usage_from_anthropic(const json_t *raw);
steno_usage usage_from_gemini(const json_t *raw);
steno_usage usage_from_ollama(const json_t *raw);
steno_usage usage_from_bedrock(const json_t *raw);
steno_usage usage_from_cohere(const json_t *raw);

/* As OpenAI's object, a new reference. */
json_t *usage_to_openai(const steno_usage *usage);
/* Writes field `usage` of an event: the known numbers, and the provider's own object. Nothing where there is no such object. */
void usage_write(steno_draft *draft, const steno_usage *usage, const json_t *raw);

#endif
