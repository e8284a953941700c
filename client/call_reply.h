/* What comes back: headers, bytes, chunks, and in the end a response or a failure. */
#ifndef CLIENT_CALL_REPLY_H
#define CLIENT_CALL_REPLY_H

#include "client/call.h"

/* Begins an attempt: what the one before it brought is gone. */
void call_reply_begin(call *self);
/* curl's callbacks; ctx is the call. */
size_t call_reply_header(char *line, size_t size, size_t count, void *ctx);
size_t call_reply_bytes(char *bytes, size_t size, size_t count, void *ctx);
/* Decides what the exchange came to: sets self->now.error if it failed, and self->now.response to the response, or what there is of it. */
void call_reply_end(call *self, CURLcode code);
void call_reply_free(call *self);

#endif
