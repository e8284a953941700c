/* The control socket's language: verbs, limits and error codes of the requests that stenod answers (EVENTS.md, "Control").
 * A request and a reply are each one msgpack map, written with steno_draft and read with control_decode.
 */
#ifndef STENO_CONTROL_H
#define STENO_CONTROL_H

#include "schema/event.h"

/* A request is small; more is hostile. */
#define CONTROL_REQUEST_BYTES_MAX (64u << 10)
/* Largest message: a reply that holds the largest event. */
#define CONTROL_BYTES_MAX (STENO_EVENT_BYTES_MAX + CONTROL_REQUEST_BYTES_MAX)
/* Events and bytes in one `replay` reply; at least one event is sent, however large. */
#define CONTROL_REPLAY_EVENTS_MAX 1000
#define CONTROL_REPLAY_BYTES_MAX (4u << 20)
#define CONTROL_TOPICS_MAX 64
/* A subscriber's name: 1 to 64 of [A-Za-z0-9_.-]. */
#define CONTROL_NAME_BYTES 65
/* The text of a `report`, in bytes. */
#define CONTROL_PROBLEM_BYTES_MAX 512
/* How long `flush` may wait, unless the request says less. */
#define CONTROL_FLUSH_TIMEOUT_MS 30000

/* Any msgpack map, checked like an event but without the need for a name. */
typedef struct control_message control_message;
steno_status control_decode(const void *body, size_t size, control_message **out, steno_error *error);
void control_free(control_message *message);
const steno_value *control_get(const control_message *message, const char *name);
const char *control_string(const control_message *message, const char *name);
const steno_value *control_value(const control_message *message);

bool control_name_valid(const char *name);
/* Fills the draft with {ok: false, error: {code, message}} and the request's `id`, if it has one. */
void control_reply_error(steno_draft *draft, const control_message *request, const char *code, const char *message);
/* Begins {ok: true, id?} in the draft; the caller adds the rest. */
void control_reply_begin(steno_draft *draft, const control_message *request);

#endif
