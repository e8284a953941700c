/* Handlers in the app that keep a log of costs: synchronous ones on the calling thread, asynchronous ones beside it. Usage: hooks */
#include <stdio.h>

#include "steno.h"

static void on_input(const steno_event *event, void *ctx) {
    (void)ctx;
    printf("asking %s\n", steno_event_string(event, "model"));
}

static void on_success(const steno_event *event, void *ctx) {
    double *total = ctx;
    double cost = steno_value_double(steno_event_get(event, "response_cost"), 0); /* nil where the price is unknown */
    *total += cost;
    /* Fields of earlier stages can be read in the later ones. */
    printf("HTTP %d, $%.8f\n", (int)steno_value_int(steno_event_get(event, "http_status"), 0), cost);
}

static void on_failure(const steno_event *event, void *ctx) {
    (void)ctx;
    const steno_value *error = steno_event_get(event, "error");
    printf("%s: %s\n", steno_value_string(steno_value_get(error, "type"), NULL),
           steno_value_string(steno_value_get(error, "message"), NULL));
}

/* A line a call, in a file of its own: asynchronous, so a slow disk holds up no call. */
static void keep_cost_log(const steno_event *event, void *ctx) {
    fprintf(ctx, "%s %s %.10f\n", steno_event_string(event, "call_id"), steno_event_string(event, "model"),
            steno_value_double(steno_event_get(event, "response_cost"), 0));
}

int main(void) {
    steno_client *client;
    steno_error error;
    if (steno_client_new(NULL, &client, &error)) {
        fprintf(stderr, "hooks: %s\n", error.message);
        return 1;
    }
    double total = 0;
    steno_hooks hooks = {STENO_HOOKS_INIT, .ctx = &total, .pre_api_call = on_input, .success = on_success,
                         .failure = on_failure};
    steno_client_add_hooks(client, &hooks, NULL);
    steno_hooks beside = {STENO_HOOKS_INIT, .ctx = stdout, .success = keep_cost_log, .asynchronous = true};
    steno_client_add_hooks(client, &beside, NULL);

    steno_request *request = steno_request_new("gpt-4o-mini");
    steno_request_add_message(request, "user", "Say hello.");
    steno_response *response;
    steno_status status = steno_complete(client, request, &response, &error);
    steno_client_flush_hooks(client, 1000, NULL);
    printf("$%.8f in all\n", total);
    steno_response_free(response);
    steno_request_free(request);
    steno_client_free(client);
    return status ? 1 : 0;
}
