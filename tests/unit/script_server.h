/* An HTTP server that says exactly the bytes a test gives it: cut, split, garbled or none at all. On loopback, one thread, one reply to every
 * request. For what the real test provider is too well-behaved for.
 */
#ifndef TEST_SCRIPT_SERVER_H
#define TEST_SCRIPT_SERVER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct script_server script_server;

script_server *script_server_start(void);
void script_server_stop(script_server *self);
/* "http://127.0.0.1:PORT/v1"; borrowed. */
const char *script_server_url(const script_server *self);

/* What every request from now on is answered with: `bytes` (copied) in pieces of `piece` bytes (0: in one), then the connection is closed unless
 * `keep`. `bytes` NULL: no answer at all, the connection stays open. A "%BODY%" in it stands for the request's body, "%KEY%" for its bearer token.
 */
void script_server_say(script_server *self, const char *bytes, size_t size, size_t piece, bool keep);
/* Requests that were read in full so far. */
size_t script_server_requests(script_server *self);
/* The last request, head and body. Owned by the caller (free). */
char *script_server_last(script_server *self);

#endif
