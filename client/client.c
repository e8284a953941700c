/* A client: settings, hooks, and what it owns. */
#include "client/client.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/async.h"
#include "client/budgets.h"
#include "client/cache.h"
#include "client/hook_thread.h"
#include "client/hooks.h"
#include "client/providers/table.h"
#include "schema/sized.h"

#define TIMEOUT_MS_DEFAULT 600000
#define TIMEOUT_MS_MAX INT64_C(86400000)
#define ASYNC_MAX_DEFAULT 256
#define RETRY_DELAY_MS_DEFAULT 500
#define RETRY_DELAY_MS_MAX 60000
#define ASYNC_MAX_MAX 10000

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void start_curl(void) { curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT); }

static steno_status read_settings(steno_client *client, const steno_config *given, steno_error *error) {
    steno_config config = STENO_CONFIG_INIT;
    steno_status status =
        given ? sized_take(&config, sizeof config, given, "steno_config", "STENO_CONFIG_INIT", error) : STENO_OK;
    if (status) return status;
    if (config.timeout_ms < 0 || config.timeout_ms > TIMEOUT_MS_MAX)
        return steno_fail(error, STENO_INVALID, "timeout_ms must be 1 to %lld, not %lld", (long long)TIMEOUT_MS_MAX,
                          (long long)config.timeout_ms);
    if (config.try_timeout_ms < 0 || config.try_timeout_ms > TIMEOUT_MS_MAX)
        return steno_fail(error, STENO_INVALID, "try_timeout_ms must be 1 to %lld, not %lld", (long long)TIMEOUT_MS_MAX,
                          (long long)config.try_timeout_ms);
    if (config.retries > CLIENT_RETRIES_MAX)
        return steno_fail(error, STENO_INVALID, "retries must be at most %d, not %u", CLIENT_RETRIES_MAX,
                          config.retries);
    if (config.retry_delay_ms < 0 || config.retry_delay_ms > RETRY_DELAY_MS_MAX)
        return steno_fail(error, STENO_INVALID, "retry_delay_ms must be 1 to %d, not %lld", RETRY_DELAY_MS_MAX,
                          (long long)config.retry_delay_ms);
    if (config.async_max > ASYNC_MAX_MAX)
        return steno_fail(error, STENO_INVALID, "async_max must be 1 to %d, not %zu", ASYNC_MAX_MAX, config.async_max);
    client->timeout_ms = config.timeout_ms ? config.timeout_ms : TIMEOUT_MS_DEFAULT;
    client->try_timeout_ms = config.try_timeout_ms;
    client->retries = config.retries;
    client->retry_delay_ms = config.retry_delay_ms ? config.retry_delay_ms : RETRY_DELAY_MS_DEFAULT;
    client->drop_params = config.drop_params;
    client->privacy = config.privacy;
    client->api_version = config.api_version ? strdup(config.api_version) : NULL;
    client->async_max = config.async_max ? config.async_max : ASYNC_MAX_DEFAULT;
    client->api_key = config.api_key ? strdup(config.api_key) : NULL;
    client->base_url = config.base_url ? strdup(config.base_url) : NULL;
    client->app_name = strdup(config.app_name ? config.app_name : program_invocation_short_name);
    client->app_version = config.app_version ? strdup(config.app_version) : NULL;
    if (!client->app_name || (config.api_key && !client->api_key) || (config.base_url && !client->base_url) ||
        (config.api_version && !client->api_version) || (config.app_version && !client->app_version))
        return steno_fail(error, STENO_NO_MEMORY, "no memory for a client");
    gethostname(client->host, sizeof client->host - 1);
    status = place_open(&client->where, config.dir, error);
    if (!status) status = steno_prices_open(config.dir, &client->prices, error);
    if (!status && config.keep_budgets) status = budgets_open(&client->where, &client->budgets, error);
    return status ? status : publisher_open(&client->where, config.spool_bytes_max, &client->publisher, error);
}

steno_status steno_client_new(const steno_config *config, steno_client **out, steno_error *error) {
    *out = NULL;
    pthread_once(&curl_once, start_curl);
    if (curl_ready) return steno_fail(error, STENO_SYSTEM, "libcurl can't start: %s", curl_easy_strerror(curl_ready));
    steno_client *client = calloc(1, sizeof *client);
    if (!client) return steno_fail(error, STENO_NO_MEMORY, "no memory for a client");
    handle_pool_init(&client->handles);
    steno_status status = read_settings(client, config, error);
    if (status)
        steno_client_free(client);
    else
        *out = client;
    return status;
}

void steno_client_free(steno_client *client) {
    if (!client) return;
    async_stop(client);
    hook_thread_stop(client->hook_thread);
    for (size_t i = 0; i < client->settings_count; i++) {
        free(client->settings[i].api_key);
        free(client->settings[i].base_url);
    }
    for (size_t i = 0; i < client->fallbacks_count; i++) free(client->fallbacks[i]);
    if (client->cache) cache_free(client->cache);
    free(client->cache_name_space);
    free(client->api_version);
    publisher_close(client->publisher);
    budgets_free(client->budgets);
    steno_prices_free(client->prices);
    handle_pool_free(&client->handles);
    free(client->api_key);
    free(client->base_url);
    free(client->app_name);
    free(client->app_version);
    free(client);
}

void client_write_app(const steno_client *client, steno_draft *draft) {
    steno_draft_map_begin(draft, "app");
    steno_draft_string(draft, "name", client->app_name);
    steno_draft_string(draft, "host", client->host);
    steno_draft_int(draft, "pid", getpid());
    if (client->app_version) steno_draft_string(draft, "version", client->app_version);
    steno_draft_map_end(draft);
}

/* ---- hooks ---- */

steno_status steno_client_add_hooks(steno_client *client, const steno_hooks *hooks, steno_error *error) {
    if (client->hooks_count == CLIENT_HOOKS_MAX)
        return steno_fail(error, STENO_LIMIT, "a client has at most %d hooks", CLIENT_HOOKS_MAX);
    steno_hooks *mine = &client->hooks[client->hooks_count];
    steno_status status = hooks_take(hooks, mine, error);
    if (status) return status;
    client->hooks_count++;
    if (!mine->asynchronous || client->hook_thread) return STENO_OK;
    status = hook_thread_start(client, &client->hook_thread, error);
    if (status) client->hooks_count--;
    return status;
}

steno_status steno_client_on_input(steno_client *client, steno_event_fn fn, void *ctx, steno_error *error) {
    return steno_client_add_hooks(client, &(steno_hooks){STENO_HOOKS_INIT, .ctx = ctx, .pre_api_call = fn}, error);
}

steno_status steno_client_on_success(steno_client *client, steno_event_fn fn, void *ctx, steno_error *error) {
    return steno_client_add_hooks(client, &(steno_hooks){STENO_HOOKS_INIT, .ctx = ctx, .success = fn}, error);
}

steno_status steno_client_on_failure(steno_client *client, steno_event_fn fn, void *ctx, steno_error *error) {
    return steno_client_add_hooks(client, &(steno_hooks){STENO_HOOKS_INIT, .ctx = ctx, .failure = fn}, error);
}

bool client_has_hook(const steno_client *client, steno_event_kind kind) {
    for (size_t i = 0; i < client->hooks_count; i++)
        if (!client->hooks[i].asynchronous && hooks_function(&client->hooks[i], kind)) return true;
    return false;
}

bool client_has_async_hooks(const steno_client *client) { return client->hook_thread; }

void client_run_hooks(const steno_client *client, const steno_event *event) {
    for (size_t i = 0; i < client->hooks_count; i++) {
        if (client->hooks[i].asynchronous) continue;
        steno_event_fn fn = hooks_function(&client->hooks[i], steno_event_kind_of(event));
        if (fn) fn(event, client->hooks[i].ctx);
    }
}

steno_status steno_client_on_request(steno_client *client, steno_request_fn fn, void *ctx, steno_error *error) {
    if (client->request_hooks_count == CLIENT_REQUEST_HOOKS_MAX)
        return steno_fail(error, STENO_LIMIT, "a client has at most %d functions that see requests",
                          CLIENT_REQUEST_HOOKS_MAX);
    client->request_hooks[client->request_hooks_count++] = (request_hook){fn, ctx};
    return STENO_OK;
}

void steno_client_set_redactor(steno_client *client, steno_redact_fn fn, void *ctx) {
    client->redact = fn;
    client->redact_ctx = ctx;
}

/* ---- providers, fallbacks, the cache ---- */

steno_status steno_client_set_provider(steno_client *client, const char *name, const char *api_key,
                                       const char *base_url, steno_error *error) {
    const provider *which = name ? provider_named(name) : NULL;
    if (!which) return steno_fail(error, STENO_INVALID, "there is no provider \"%.64s\"", name ? name : "");
    size_t at = 0;
    while (at < client->settings_count && client->settings[at].provider != which) at++;
    if (at == CLIENT_SETTINGS_MAX)
        return steno_fail(error, STENO_LIMIT, "a client has at most %d providers", CLIENT_SETTINGS_MAX);
    char *key = api_key ? strdup(api_key) : NULL, *url = base_url ? strdup(base_url) : NULL;
    if ((api_key && !key) || (base_url && !url)) {
        free(key);
        free(url);
        return steno_fail(error, STENO_NO_MEMORY, "no memory for a provider's settings");
    }
    if (at == client->settings_count) client->settings[client->settings_count++] = (provider_setting){0};
    free(client->settings[at].api_key);
    free(client->settings[at].base_url);
    client->settings[at] = (provider_setting){which, key, url};
    return STENO_OK;
}

steno_status steno_client_add_fallback(steno_client *client, const char *model, steno_error *error) {
    if (client->fallbacks_count == CLIENT_FALLBACKS_MAX)
        return steno_fail(error, STENO_LIMIT, "a client has at most %d fallbacks", CLIENT_FALLBACKS_MAX);
    if (!model) return steno_fail(error, STENO_INVALID, "a fallback has no name");
    char *copy = strdup(model);
    if (!copy) return steno_fail(error, STENO_NO_MEMORY, "no memory for a fallback");
    client->fallbacks[client->fallbacks_count++] = copy;
    return STENO_OK;
}

/* What follows `scheme` in the URL; NULL if it begins otherwise. */
static const char *after(const char *url, const char *scheme) {
    size_t size = strlen(scheme);
    return url && !strncmp(url, scheme, size) ? url + size : NULL;
}

static steno_status open_cache(const steno_cache_config *config, cache **out, steno_error *error) {
    const int64_t ttl_ms = config->ttl_ms;
    const size_t bytes_max = config->bytes_max;
    const char *path = after(config->url, "sqlite:");
    if (config->url && !strcmp(config->url, "memory:")) return cache_memory_new(bytes_max, ttl_ms, out, error);
    if (path && *path) return cache_sqlite_new(path, bytes_max, ttl_ms, out, error);
    if (after(config->url, "redis://") || after(config->url, "rediss://") || after(config->url, "unix://"))
        return cache_redis_new(config->url, ttl_ms, out, error);
    return steno_fail(error, STENO_INVALID,
                      "the cache's URL is \"%.128s\": it must be memory:, sqlite:PATH, redis://HOST or unix:///PATH",
                      config->url ? config->url : "");
}

steno_status steno_client_set_cache(steno_client *client, const steno_cache_config *given, steno_error *error) {
    steno_cache_config config = STENO_CACHE_CONFIG_INIT;
    steno_status status =
        sized_take(&config, sizeof config, given, "steno_cache_config", "STENO_CACHE_CONFIG_INIT", error);
    if (status) return status;
    cache *opened;
    char *name_space = config.name_space ? strdup(config.name_space) : NULL;
    if (config.name_space && !name_space) return steno_fail(error, STENO_NO_MEMORY, "no memory for a cache");
    status = open_cache(&config, &opened, error);
    if (status) {
        free(name_space);
        return status;
    }
    if (client->cache) cache_free(client->cache);
    free(client->cache_name_space);
    client->cache = opened;
    client->cache_name_space = name_space;
    client->cache_opt_in = config.opt_in;
    return STENO_OK;
}
