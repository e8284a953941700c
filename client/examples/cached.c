/* The same question twice: the second answer comes from the cache, and costs nothing. Usage: cached [CACHE_URL] */
#include <stdio.h>

#include "steno.h"

int main(int argc, char **argv) {
    steno_client *client;
    steno_error error;
    if (steno_client_new(NULL, &client, &error)) {
        fprintf(stderr, "cached: %s\n", error.message);
        return 1;
    }
    steno_cache_config cache = STENO_CACHE_CONFIG_INIT;
    cache.url = argc > 1 ? argv[1] : "memory:"; /* or sqlite:PATH, redis://HOST */
    cache.ttl_ms = 10 * 60 * 1000;
    if (steno_client_set_cache(client, &cache, &error)) {
        fprintf(stderr, "cached: %s\n", error.message);
        steno_client_free(client);
        return 1;
    }
    steno_request *request = steno_request_new("gpt-4o-mini");
    steno_request_add_message(request, "user", "Name a colour.");
    steno_status status = STENO_OK;
    for (int i = 0; !status && i < 2; i++) {
        steno_response *response;
        status = steno_complete(client, request, &response, &error);
        if (status)
            fprintf(stderr, "cached: %s: %s\n", error.type, error.message);
        else
            printf("%s: %s\n", steno_response_cache_hit(response) ? "from the cache" : "from the provider",
                   steno_response_text(response));
        steno_response_free(response);
    }
    steno_request_free(request);
    steno_client_free(client);
    return status ? 1 : 0;
}
