/* Usage, normalised: one table of rules for every family (EVENTS.md, "Usage"). What a provider leaves out stays unknown: never zero. */
#ifndef CLIENT_USAGE_H
#define CLIENT_USAGE_H

#include <jansson.h>

#include "client/steno.h"

/* The counts of a usage, in the order in which they are written. */
typedef enum usage_field {
    USAGE_PROMPT,
    USAGE_COMPLETION,
    USAGE_TOTAL,
    USAGE_CACHED,
    USAGE_CACHED_AUDIO,
    USAGE_WRITTEN,
    USAGE_WRITTEN_1H,
    USAGE_PROMPT_AUDIO,
    USAGE_PROMPT_IMAGE,
    USAGE_PROMPT_VIDEO,
    USAGE_REASONING,
    USAGE_COMPLETION_AUDIO,
    USAGE_COMPLETION_IMAGE,
    USAGE_WEB_SEARCHES,
    USAGE_FILE_SEARCHES,
    USAGE_CODE_SESSIONS,
    USAGE_FIELDS,
} usage_field;

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

/* Takes over what a reply, OpenAI-shaped, says beside its usage: `service_tier`, and `server_tool_use`. */
void usage_take_reply(steno_usage *usage, const json_t *reply);

/* As OpenAI's object, a new reference. */
json_t *usage_to_openai(const steno_usage *usage);
/* "flex", …; NULL: the standard one. */
const char *usage_tier_name(steno_service_tier tier);
/* Writes field `usage` of an event: the known numbers, and the provider's own object. Nothing where there is no such object. */
void usage_write(steno_draft *draft, const steno_usage *usage, const json_t *raw);
/* Field `usage` of an event. What is no map is unknown usage. */
steno_usage usage_from_event(const steno_value *map);

#endif
