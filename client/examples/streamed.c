/* A streamed chat completion: the text as it comes, then what it took. Usage: streamed [PROMPT] */
#include <stdio.h>

#include "steno.h"

static int print_chunk(const char *text, const char *json, void *ctx) {
    (void)json;
    (void)ctx;
    fputs(text, stdout);
    return fflush(stdout); /* anything but 0 cancels the call */
}

int main(int argc, char **argv) {
    steno_client *client;
    steno_error error;
    if (steno_client_new(NULL, &client, &error)) {
        fprintf(stderr, "streamed: %s\n", error.message);
        return 1;
    }
    steno_request *request = steno_request_new("gpt-4o-mini");
    steno_request_add_message(request, "user", argc > 1 ? argv[1] : "Count from one to ten.");

    steno_response *response;
    steno_status status = steno_complete_stream(client, request, print_chunk, NULL, &response, &error);
    if (status) {
        fprintf(stderr, "streamed: %s: %s\n", error.type, error.message);
    } else {
        steno_usage usage = steno_response_usage(response);
        printf("\n%lld tokens in, %lld out\n", (long long)usage.prompt_tokens, (long long)usage.completion_tokens);
    }
    steno_response_free(response); /* of a stream that broke off, what had come */
    steno_request_free(request);
    steno_client_free(client);
    return status ? 1 : 0;
}
