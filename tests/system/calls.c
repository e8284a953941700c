/* Calls through libsteno, one scenario a run, for tests/system/test_client.py, which looks at the log afterwards. Prints what the app saw.
 * Usage: steno-test-calls SCENARIO [BASE_URL]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "steno.h"

static steno_client *client;
static const char *base_url;

static steno_request *chat(const char *prompt) {
    steno_request *request = steno_request_new("gpt-4o-mini");
    steno_request_add_message(request, "user", prompt);
    if (base_url) steno_request_set_base_url(request, base_url);
    return request;
}

static void print_outcome(steno_status status, const steno_response *response, const steno_error *error) {
    if (status)
        printf("%s http=%d retryable=%d message=%s\n", error->type, error->http_status, error->retryable,
               error->message);
    else
        printf("ok %s\n", steno_response_text(response));
    if (status && response) printf("partial %s\n", steno_response_text(response));
}

static void plain(void) {
    steno_error error;
    steno_response *response;
    steno_request *request = chat("plain");
    steno_status status = steno_complete(client, request, &response, &error);
    print_outcome(status, response, &error);
    steno_response_free(response);
    steno_request_free(request);
}

/* Everything that a request can carry. */
static void rich(void) {
    steno_error error;
    steno_response *response;
    steno_request *request = chat("rich");
    steno_request_set_metadata(request, "feature", "test");
    steno_request_set_metadata_json(request, "nested", "{\"a\":[1,2]}");
    steno_request_add_tag(request, "one");
    steno_request_add_tag(request, "two");
    steno_request_set_user(request, "alice");
    steno_request_set_session_id(request, "session");
    steno_request_set_trace_id(request, "trace");
    steno_request_set_parent_id(request, "parent");
    steno_request_set_json(request, "tools",
                           "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}]");
    steno_request_set_double(request, "temperature", 0.25);
    steno_status status = steno_complete(client, request, &response, &error);
    print_outcome(status, response, &error);
    printf("call_id %s\n", steno_response_call_id(response));
    steno_response_free(response);
    steno_request_free(request);
}

/* ctx: after how many chunks to cancel. */
static int on_chunk(const char *text, const char *json, void *ctx) {
    (void)json;
    int *left = ctx;
    printf("chunk %s\n", text);
    return left && --*left == 0;
}

static void stream(int cancel_after) {
    steno_error error;
    steno_response *response;
    steno_request *request = chat("stream");
    steno_status status =
        steno_complete_stream(client, request, on_chunk, cancel_after ? &cancel_after : NULL, &response, &error);
    print_outcome(status, response, &error);
    steno_response_free(response);
    steno_request_free(request);
}

static void timeout(void) {
    steno_error error;
    steno_response *response;
    steno_request *request = chat("timeout");
    steno_request_set_timeout_ms(request, 300);
    steno_status status = steno_complete(client, request, &response, &error);
    print_outcome(status, response, &error);
    steno_request_free(request);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int succeeded, failed, cancelled;

static void on_done(steno_response *response, const steno_error *error, void *ctx) {
    (void)ctx;
    pthread_mutex_lock(&mutex);
    if (!error->status)
        succeeded++;
    else if (!strcmp(error->type, "Cancelled"))
        cancelled++;
    else
        failed++;
    pthread_mutex_unlock(&mutex);
    steno_response_free(response);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Many calls that each take a while: starting them must not. */
static void async(int count) {
    steno_error error;
    double begun = now();
    for (int i = 0; i < count; i++) {
        steno_request *request = chat("async");
        if (steno_complete_async(client, request, on_done, NULL, NULL, &error))
            printf("not started: %s\n", error.message);
        steno_request_free(request);
    }
    double started = now() - begun;
    steno_status status = steno_wait(client, 60000, &error);
    printf("started_ms=%.0f all_ms=%.0f wait=%d ok=%d failed=%d\n", started * 1e3, (now() - begun) * 1e3, (int)status,
           succeeded, failed);
}

/* One call is cancelled by its handle, one is waited for, one is in flight when the client is freed. */
static void handles(void) {
    steno_error error;
    steno_call *first, *second;
    steno_request *slow = chat("slow");
    steno_complete_async(client, slow, on_done, NULL, &first, &error);
    printf("too early: %d\n", steno_call_wait(first, 50, &error) == STENO_TIMEOUT);
    steno_call_cancel(first);
    printf("cancelled: %d\n", steno_call_wait(first, 10000, &error) == STENO_OK);
    base_url = NULL;
    steno_request *quick = chat("quick");
    steno_complete_async(client, quick, on_done, NULL, &second, &error);
    printf("done: %d\n", steno_call_wait(second, 10000, &error) == STENO_OK);
    steno_call_free(first);
    steno_call_free(second);
    steno_complete_async(client, slow, on_done, NULL, NULL, &error);
    steno_request_free(slow);
    steno_request_free(quick);
    steno_client_free(client);
    client = NULL;
    printf("ok=%d cancelled=%d failed=%d\n", succeeded, cancelled, failed);
}

static void *call_often(void *ctx) {
    (void)ctx;
    for (int i = 0; i < 25; i++) {
        steno_error error;
        steno_response *response;
        steno_request *request = chat("threads");
        steno_status status = i % 2 ? steno_complete(client, request, &response, &error)
                                    : steno_complete_stream(client, request, NULL, NULL, &response, &error);
        on_done(response, status ? &error : &(steno_error){0}, NULL);
        steno_request_free(request);
    }
    return NULL;
}

static void threads(void) {
    pthread_t running[4];
    for (int i = 0; i < 4; i++) pthread_create(&running[i], NULL, call_often, NULL);
    for (int i = 0; i < 4; i++) pthread_join(running[i], NULL);
    printf("ok=%d failed=%d\n", succeeded, failed);
}

static void print_hook(const steno_event *event, void *ctx) {
    printf("%s %s call_id=%d http=%lld messages=%d\n", (const char *)ctx, steno_event_name(event),
           steno_event_string(event, "call_id") != NULL,
           (long long)steno_value_int(steno_event_get(event, "http_status"), 0),
           steno_event_get(event, "messages") != NULL);
}

static void hooks(void) {
    steno_hooks all = {STENO_HOOKS_INIT, .ctx = "all", print_hook, print_hook, print_hook, print_hook, print_hook};
    steno_client_add_hooks(client, &all, NULL);
    steno_client_on_input(client, print_hook, "input", NULL);
    steno_client_on_success(client, print_hook, "success", NULL);
    steno_client_on_failure(client, print_hook, "failure", NULL);
    stream(0);
}

/* Parent and child call with the same client, before and after the fork, both ways. */
static void forked(void) {
    steno_error error;
    plain();
    async(2);
    fflush(stdout);
    pid_t child = fork();
    plain();
    steno_request *request = chat("after the fork");
    steno_complete_async(client, request, on_done, NULL, NULL, &error);
    printf("waited: %d\n", steno_wait(client, 10000, &error) == STENO_OK);
    steno_request_free(request);
    fflush(stdout);
    if (child == 0) _exit(0);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv) {
    steno_error error;
    const char *which = argc > 1 ? argv[1] : "";
    base_url = argc > 2 ? argv[2] : NULL;
    if (steno_client_new(NULL, &client, &error)) {
        printf("no client: %s\n", error.message);
        return 1;
    }
    if (!strcmp(which, "plain"))
        plain();
    else if (!strcmp(which, "rich"))
        rich();
    else if (!strcmp(which, "stream"))
        stream(0);
    else if (!strcmp(which, "stream_cancel"))
        stream(3);
    else if (!strcmp(which, "timeout"))
        timeout();
    else if (!strcmp(which, "async"))
        async(100);
    else if (!strcmp(which, "handles"))
        handles();
    else if (!strcmp(which, "threads"))
        threads();
    else if (!strcmp(which, "hooks"))
        hooks();
    else if (!strcmp(which, "fork"))
        forked();
    else
        return 2;
    steno_client_free(client);
    return 0;
}
