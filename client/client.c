/* A client: settings, hooks, and what it owns. */
#include "client/client.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/async.h"

#define TIMEOUT_MS_DEFAULT 600000
#define TIMEOUT_MS_MAX INT64_C(86400000)
#define ASYNC_MAX_DEFAULT 256
#define ASYNC_MAX_MAX 10000

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void start_curl(void) { curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT); }

static steno_status read_settings(steno_client *client, const steno_config *given, steno_error *error) {
    steno_config config = STENO_CONFIG_INIT;
    if (given) {
        if (given->size == 0 || given->size > sizeof config)
            return steno_fail(error, STENO_INVALID, "steno_config.size is %zu: begin with STENO_CONFIG_INIT",
                              given->size);
        memcpy(&config, given, given->size);
    }
    if (config.timeout_ms < 0 || config.timeout_ms > TIMEOUT_MS_MAX)
        return steno_fail(error, STENO_INVALID, "timeout_ms must be 1 to %lld, not %lld", (long long)TIMEOUT_MS_MAX,
                          (long long)config.timeout_ms);
    if (config.async_max > ASYNC_MAX_MAX)
        return steno_fail(error, STENO_INVALID, "async_max must be 1 to %d, not %zu", ASYNC_MAX_MAX, config.async_max);
    client->timeout_ms = config.timeout_ms ? config.timeout_ms : TIMEOUT_MS_DEFAULT;
    client->async_max = config.async_max ? config.async_max : ASYNC_MAX_DEFAULT;
    client->api_key = config.api_key ? strdup(config.api_key) : NULL;
    client->base_url = config.base_url ? strdup(config.base_url) : NULL;
    client->app_name = strdup(config.app_name ? config.app_name : program_invocation_short_name);
    client->app_version = config.app_version ? strdup(config.app_version) : NULL;
    if (!client->app_name || (config.api_key && !client->api_key) || (config.base_url && !client->base_url) ||
        (config.app_version && !client->app_version))
        return steno_fail(error, STENO_NO_MEMORY, "no memory for a client");
    gethostname(client->host, sizeof client->host - 1);
    steno_status status = place_open(&client->where, config.dir, error);
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
    publisher_close(client->publisher);
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
    if (hooks->size == 0 || hooks->size > sizeof *hooks)
        return steno_fail(error, STENO_INVALID, "steno_hooks.size is %zu: begin with STENO_HOOKS_INIT", hooks->size);
    if (client->hooks_count == CLIENT_HOOKS_MAX)
        return steno_fail(error, STENO_LIMIT, "a client has at most %d hooks", CLIENT_HOOKS_MAX);
    steno_hooks *mine = &client->hooks[client->hooks_count++];
    *mine = (steno_hooks){.size = sizeof *mine};
    memcpy(mine, hooks, hooks->size);
    return STENO_OK;
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

static steno_event_fn hook_for(const steno_hooks *hooks, steno_event_kind kind) {
    switch (kind) {
    case STENO_PRE_API_CALL: return hooks->pre_api_call;
    case STENO_STREAM_EVENT: return hooks->stream_event;
    case STENO_POST_API_CALL: return hooks->post_api_call;
    case STENO_SUCCESS: return hooks->success;
    case STENO_FAILURE: return hooks->failure;
    case STENO_CUSTOM: break;
    }
    return NULL;
}

bool client_has_hook(const steno_client *client, steno_event_kind kind) {
    for (size_t i = 0; i < client->hooks_count; i++)
        if (hook_for(&client->hooks[i], kind)) return true;
    return false;
}

void client_run_hooks(const steno_client *client, const steno_event *event) {
    for (size_t i = 0; i < client->hooks_count; i++) {
        steno_event_fn fn = hook_for(&client->hooks[i], steno_event_kind_of(event));
        if (fn) fn(event, client->hooks[i].ctx);
    }
}
