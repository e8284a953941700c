/* Asynchronous hooks: a thread that shows events to them, one after another, from a queue that is bounded in events and bytes. Nobody waits for it
 * but who asks to (steno_client_flush_hooks); what does not fit is counted and not shown.
 */
#ifndef CLIENT_HOOK_THREAD_H
#define CLIENT_HOOK_THREAD_H

#include "client/client.h"

/* Bodies that wait: as much as one event may have, and some more. */
#define HOOK_QUEUE_BYTES_MAX (2u * STENO_EVENT_BYTES_MAX)

steno_status hook_thread_start(steno_client *client, hook_thread **out, steno_error *error);
/* Shows what waits, then ends the thread and frees. NULL is fine. */
void hook_thread_stop(hook_thread *self);
/* Queues a copy of one event's encoded body. Never waits for a hook. */
void hook_thread_add(hook_thread *self, const void *body, size_t size);

#endif
