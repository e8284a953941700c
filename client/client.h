/* What a client is inside. Its settings and hooks do not change once calls are made; the rest guards itself. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <pthread.h>

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
    pthread_mutex_t async_mutex; /* guards the next, which is made when it is needed first */
    async_engine *async;
};

/* Writes field `app`. */
void client_write_app(const steno_client *client, steno_draft *draft);
/* Calls the hooks for an event that was published. */
void client_run_hooks(const steno_client *client, const steno_event *event);

#endif
