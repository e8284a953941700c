/* An app with the hooks of a plug-in's source file: calls of every kind at a base URL. Usage: steno-test-NAME URL */
#include <stdio.h>

#include "steno.h"

static int on_chunk(const char *text, const char *json, void *ctx) {
    (void)text, (void)json, (void)ctx;
    return 0;
}

static void call(steno_client *client, const char *model, const char *prompt, bool stream) {
    steno_request *request = steno_request_new(model);
    steno_response *response = NULL;
    steno_request_add_message(request, "user", prompt);
    steno_request_set_metadata(request, "why", prompt);
    if (stream)
        steno_complete_stream(client, request, on_chunk, NULL, &response, NULL);
    else
        steno_complete(client, request, &response, NULL);
    steno_response_free(response);
    steno_request_free(request);
}

int main(int argc, char **argv) {
    steno_client *client;
    steno_error error;
    steno_config config = STENO_CONFIG_INIT;
    config.base_url = argc > 1 ? argv[1] : NULL;
    config.retries = 2;
    config.retry_delay_ms = 1;
    if (steno_client_new(&config, &client, &error) || steno_client_add_hooks(client, &steno_plugin, &error)) {
        fprintf(stderr, "plugin_app: %s\n", error.message);
        return 1;
    }
    steno_cache_config cache = STENO_CACHE_CONFIG_INIT;
    cache.url = "memory:";
    steno_client_set_cache(client, &cache, NULL);
    steno_client_add_fallback(client, "gpt-4o", NULL);
    call(client, "gpt-4o-mini", "What is shorthand?", false);
    call(client, "gpt-4o-mini", "What is shorthand?", false);
    call(client, "gpt-4o-mini", "Count.", true);
    call(client, "openai/does-not-exist", "Count again.", true);
    call(client, "openai/does-not-exist", "Name a colour.", false);
    steno_client_free(client);
    return 0;
}
