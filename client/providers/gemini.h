/* What the files of Gemini's wire share: its request is in gemini.c and gemini_contents.c, its replies in gemini_reply.c. */
#ifndef CLIENT_PROVIDERS_GEMINI_H
#define CLIENT_PROVIDERS_GEMINI_H

#include "client/providers/wire.h"

/* How the ids of tool calls begin that were made here, or by OpenAI: Gemini does not know them. */
#define GEMINI_ID_MADE "call_"
/* In `thinking_blocks`: the signature of a text, which goes back with it. Blocks of other types are other providers'. */
#define GEMINI_SIGNATURE "thought_signature"

/* The third Gemini and later ones: they take a level of thinking instead of a budget, and refuse calls without a signature. */
bool gemini_is_third(const char *model);
/* Writes `systemInstruction` and `contents` of the body out of ask->params. */
steno_status gemini_put_contents(const wire_ask *ask, json_t *body, steno_error *error);
/* Of a wire: a whole reply, a record of a stream. */
json_t *gemini_reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error);
steno_status gemini_record(wire_stream *self, const char *name, const json_t *record, steno_error *error);

#endif
