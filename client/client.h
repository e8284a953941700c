/* What a client is inside. Its settings and hooks do not change once calls are made; the rest guards itself. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "client/handles.h"
#include "client/publisher.h"
#include "client/steno.h"

/* Hooks of one client: more is a loop that adds them by mistake. */
#define CLIENT_HOOKS_MAX 16

typedef struct async_engine async_engine;

struct steno_client {
    place where;
    publisher *publisher;
    char *api_key, *base_url;
    char *app_name, *app_version;
    char host[256];
    int64_t timeout_ms;
    size_t async_max;
    steno_hooks hooks[CLIENT_HOOKS_MAX];
    size_t hooks_count;
    handle_pool handles;
    async_engine *async; /* made when it is needed first; guarded by the fork guard */
};

/* Writes field `app`. */
void client_write_app(const steno_client *client, steno_draft *draft);
/* Whether there is a hook for events of this kind. */
bool client_has_hook(const steno_client *client, steno_event_kind kind);
/* Calls the hooks for an event that was published. */
void client_run_hooks(const steno_client *client, const steno_event *event);

#endif
