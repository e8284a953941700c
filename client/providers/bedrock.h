/* What the files of Bedrock's wire share: its parameters are in bedrock.c, its messages in bedrock_messages.c, its replies in bedrock_reply.c. */
#ifndef CLIENT_PROVIDERS_BEDROCK_H
#define CLIENT_PROVIDERS_BEDROCK_H

#include "client/providers/wire.h"

/* Writes `system` and `messages` of the body out of ask->params. */
steno_status bedrock_put_messages(const wire_ask *ask, json_t *body, steno_error *error);
/* Adds what marks the end of what is to be cached where `marked` (a part, a message, a tool) has `cache_control`. */
void bedrock_add_cache_point(json_t *to, const json_t *marked);

/* Of the wire: a whole reply, a record of a stream. */
json_t *bedrock_reply(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error);
steno_status bedrock_record(wire_stream *self, const char *name, const json_t *record, steno_error *error);

#endif
