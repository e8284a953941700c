/* Two texts as vectors. Usage: embeddings */
#include <stdio.h>

#include "steno.h"

int main(void) {
    steno_client *client;
    steno_error error;
    if (steno_client_new(NULL, &client, &error)) {
        fprintf(stderr, "embeddings: %s\n", error.message);
        return 1;
    }
    steno_request *request = steno_request_new("text-embedding-3-small");
    steno_request_add_input(request, "shorthand");
    steno_request_add_input(request, "stenography");

    steno_response *response;
    steno_status status = steno_embed(client, request, &response, &error);
    if (status)
        fprintf(stderr, "embeddings: %s: %s\n", error.type, error.message);
    else
        printf("%s\n", steno_response_json(response)); /* {"data": [{"embedding": […]}, …], …} */
    steno_response_free(response);
    steno_request_free(request);
    steno_client_free(client);
    return status ? 1 : 0;
}
