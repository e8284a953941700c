/* The earlier stages of calls that go on, by call_id. Bounded in calls and bytes: the calls that were longest out of use are forgotten first.
 * Invariant: what is kept of a call is its newest attempt's `pre_api_call`, and the `post_api_call` that belongs to it.
 */
#ifndef SUBSCRIBERS_OPEN_CALLS_H
#define SUBSCRIBERS_OPEN_CALLS_H

#include "schema/event.h"

#define OPEN_CALLS_MAX 4096
/* Encoded; decoded events take a few times as much. One call may exceed it: without its stages each of its chunks would have them fetched anew. */
#define OPEN_CALLS_BYTES_MAX (32u << 20)

typedef struct open_calls open_calls;
typedef struct open_call open_call;

/* NULL: no memory. */
open_calls *open_calls_new(void);
void open_calls_free(open_calls *self);
void open_calls_clear(open_calls *self);

/* NULL: it is not known. */
open_call *open_calls_find(open_calls *self, const char *call_id);
/* The same, made if it is not known. Others may be forgotten for it. STENO_NO_MEMORY. */
steno_status open_calls_open(open_calls *self, const char *call_id, open_call **out, steno_error *error);
void open_calls_drop(open_calls *self, open_call *call);

/* Keeps a copy of a `pre_api_call` (the stages before it are forgotten) or `post_api_call`. Others may be forgotten for it. */
steno_status open_calls_keep(open_calls *self, open_call *call, const void *body, size_t size, steno_error *error);
/* Both may be NULL; borrowed from the call. The post is joined to the pre. */
const steno_event *open_call_pre(const open_call *call);
const steno_event *open_call_post(const open_call *call);
/* A number of the caller's own; -1 in a new call. */
int64_t *open_call_mark(open_call *call);

#endif
