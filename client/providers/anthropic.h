/* What the files of Anthropic's wire share: its request is in anthropic.c and anthropic_messages.c, its replies in anthropic_reply.c. */
#ifndef CLIENT_PROVIDERS_ANTHROPIC_H
#define CLIENT_PROVIDERS_ANTHROPIC_H

#include "client/providers/wire.h"

/* Writes `system` and `messages` of the body out of ask->params. */
steno_status anthropic_put_messages(const wire_ask *ask, json_t *body, steno_error *error);
/* Of a wire: a whole reply, a record of a stream. */
json_t *anthropic_reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error);
steno_status anthropic_record(wire_stream *self, const char *name, const json_t *record, steno_error *error);

#endif
