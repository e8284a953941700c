/* What a client is inside. Its settings and hooks do not change once calls are made; the rest guards itself. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "client/handles.h"
#include "client/publisher.h"
#include "client/steno.h"

/* Hooks of one client: more is a loop that adds them by mistake. */
#define CLIENT_HOOKS_MAX 16

/* Functions that see each request. */
#define CLIENT_REQUEST_HOOKS_MAX 16
#define CLIENT_RETRIES_MAX 20
#define CLIENT_FALLBACKS_MAX 8
/* Providers with a key or an address of their own in one client: every provider there is. */
#define CLIENT_SETTINGS_MAX 64

typedef struct async_engine async_engine;
typedef struct budgets budgets;
typedef struct cache cache;
typedef struct hook_thread hook_thread;

/* Of one provider. */
typedef struct provider_setting {
    const struct provider *provider;
    char *api_key, *base_url; /* NULL: as with every provider */
} provider_setting;

typedef struct request_hook {
    steno_request_fn fn;
    void *ctx;
} request_hook;

struct steno_client {
    place where;
    publisher *publisher;
    steno_prices *prices;
    budgets *budgets; /* NULL: they are not kept */
    char *api_key, *base_url;
    char *app_name, *app_version;
    char host[256];
    char *api_version; /* NULL: the environment's */
    int64_t timeout_ms, try_timeout_ms, retry_delay_ms;
    unsigned retries, privacy;
    bool drop_params;
    size_t async_max;
    provider_setting settings[CLIENT_SETTINGS_MAX];
    size_t settings_count;
    char *fallbacks[CLIENT_FALLBACKS_MAX];
    size_t fallbacks_count;
    request_hook request_hooks[CLIENT_REQUEST_HOOKS_MAX];
    size_t request_hooks_count;
    steno_redact_fn redact;
    void *redact_ctx;
    steno_hooks hooks[CLIENT_HOOKS_MAX];
    size_t hooks_count;
    cache *cache; /* NULL: none */
    char *cache_name_space;
    bool cache_opt_in;
    hook_thread *hook_thread; /* made with the first asynchronous hooks; NULL: there are none */
    handle_pool handles;
    async_engine *async; /* made when it is needed first; guarded by the fork guard */
};

/* Writes field `app`. */
void client_write_app(const steno_client *client, steno_draft *draft);
/* Whether there is a hook for events of this kind. */
bool client_has_hook(const steno_client *client, steno_event_kind kind);
/* Calls the synchronous hooks for an event that was published. */
void client_run_hooks(const steno_client *client, const steno_event *event);
/* Whether an asynchronous hook wants events at all: it is shown every stage, to know the earlier ones. */
bool client_has_async_hooks(const steno_client *client);

#endif
