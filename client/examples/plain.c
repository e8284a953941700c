/* A plain chat completion. Usage: plain [PROMPT] */
#include <stdio.h>

#include "steno.h"

int main(int argc, char **argv) {
    steno_client *client;
    steno_error error;
    if (steno_client_new(NULL, &client, &error)) {
        fprintf(stderr, "plain: %s\n", error.message);
        return 1;
    }
    steno_request *request = steno_request_new("gpt-4o-mini");
    steno_request_add_message(request, "system", "Answer in one sentence.");
    steno_request_add_message(request, "user", argc > 1 ? argv[1] : "What is shorthand?");
    steno_request_set_double(request, "temperature", 0.2);
    steno_request_set_metadata(request, "example", "plain");

    steno_response *response;
    steno_status status = steno_complete(client, request, &response, &error);
    if (status)
        fprintf(stderr, "plain: %s: %s\n", error.type, error.message);
    else
        printf("%s\n", steno_response_text(response));
    steno_response_free(response);
    steno_request_free(request);
    steno_client_free(client);
    return status ? 1 : 0;
}
