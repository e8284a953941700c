/* Questions to the daemon. */
#ifndef CLI_DAEMON_CALL_H
#define CLI_DAEMON_CALL_H

#include <stdbool.h>

#include "schema/clean.h"
#include "schema/place.h"
#include "subscribers/steno_subscriber.h"

CLEANUP_FUNCTION(control_release, steno_control, steno_control_free)
CLEANUP_FUNCTION(draft_release, steno_draft, steno_draft_free)

/* True if somebody listens on the control socket of this folder: asked with one connect(2), so the answer is immediate. */
bool daemon_listens(const place *where);

/* Opens the control socket and begins a request (EVENTS.md, "Control"). EXIT_FINE, or the exit status after telling what is wrong. */
int daemon_begin(const char *verb, steno_control **control, steno_draft **request);
/* Sends the request and waits for its reply, which is borrowed until the next. Returns the same. */
int daemon_ask(steno_control *control, steno_draft *request, int64_t timeout_ms, const steno_value **reply);

#endif
