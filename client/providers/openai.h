/* What others who speak OpenAI's protocol (Azure) take from its wire. */
#ifndef CLIENT_PROVIDERS_OPENAI_H
#define CLIENT_PROVIDERS_OPENAI_H

#include "client/providers/wire.h"

bool openai_path(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]);
json_t *openai_body(const wire_ask *ask, steno_error *error);
json_t *openai_reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error);
steno_status openai_record(wire_stream *self, const char *name, const json_t *record, steno_error *error);
#endif
