/* Retries, then other models: the call ends once, whoever answers. Usage: fallbacks [BASE_URL of the first model] */
#include <stdio.h>

#include "steno.h"

int main(int argc, char **argv) {
    steno_client *client;
    steno_error error;
    steno_config config = STENO_CONFIG_INIT;
    config.retries = 2;            /* of failures that may pass: 429, 5xx, a lost connection */
    config.retry_delay_ms = 100;   /* then 200, with jitter; what the provider asks for comes first */
    config.try_timeout_ms = 30000; /* each attempt */
    config.timeout_ms = 90 * 1000; /* all of them together */
    if (steno_client_new(&config, &client, &error)) {
        fprintf(stderr, "fallbacks: %s\n", error.message);
        return 1;
    }
    steno_request *request = steno_request_new("gpt-4o-mini");
    if (argc > 1) steno_request_set_base_url(request, argv[1]);
    steno_request_add_fallback(request, "anthropic/claude-haiku-4-5"); /* passed over where it has no key */
    steno_request_add_fallback(request, "openai/gpt-4o");
    steno_request_add_message(request, "user", "Who are you?");

    steno_response *response;
    steno_status status = steno_complete(client, request, &response, &error);
    if (status)
        fprintf(stderr, "fallbacks: %s: %s\n", error.type, error.message);
    else
        printf("%s: %s\n", steno_response_model(response), steno_response_text(response));
    steno_response_free(response);
    steno_request_free(request);
    steno_client_free(client);
    return status ? 1 : 0;
}
