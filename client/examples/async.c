/* Ten calls at once; the program's own thread is free meanwhile. Usage: async */
#include <stdio.h>

#include "steno.h"

/* Runs on the library's thread. */
static void print_answer(steno_response *response, const steno_error *error, void *ctx) {
    if (error->status)
        fprintf(stderr, "%s: %s: %s\n", (const char *)ctx, error->type, error->message);
    else
        printf("%s: %s\n", (const char *)ctx, steno_response_text(response));
    steno_response_free(response);
}

int main(void) {
    static const char *const cities[] = {"Oslo",  "Lima",  "Rome",  "Cairo", "Delhi",
                                         "Tokyo", "Accra", "Quito", "Paris", "Perth"};
    steno_client *client;
    steno_error error;
    if (steno_client_new(NULL, &client, &error)) {
        fprintf(stderr, "async: %s\n", error.message);
        return 1;
    }
    for (size_t i = 0; i < sizeof cities / sizeof *cities; i++) {
        char question[64];
        snprintf(question, sizeof question, "Which country is %s in?", cities[i]);
        steno_request *request = steno_request_new("gpt-4o-mini");
        steno_request_add_message(request, "user", question);
        if (steno_complete_async(client, request, print_answer, (void *)cities[i], NULL, &error))
            fprintf(stderr, "async: %s\n", error.message);
        steno_request_free(request);
    }
    steno_status status = steno_wait(client, 60000, &error);
    if (status) fprintf(stderr, "async: %s\n", error.message);
    steno_client_free(client); /* cancels what is still in flight */
    return status ? 1 : 0;
}
