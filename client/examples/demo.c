/* The main job: one call of each kind, for people to watch. `./dev demo` runs it.
 * Usage: demo [--model MODEL] [--embedding-model MODEL] [--refusing-base-url URL] [--retrying-base-url URL] [--other-model MODEL]
 */
#include <stdio.h>
#include <string.h>

#include "steno.h"

enum { BATCH = 20 };

static const char *model = "gpt-4o-mini", *embedding_model = "text-embedding-3-small", *refusing_base_url,
                  *retrying_base_url, *other_model;
static int unexpected;

static int fail(const char *what, const steno_error *error) {
    fprintf(stderr, "demo: %s: %s: %s\n", what, error->type, error->message);
    return ++unexpected;
}

static steno_request *chat(const char *which, const char *prompt) {
    steno_request *request = steno_request_new(which);
    steno_request_add_message(request, "user", prompt);
    steno_request_set_user(request, "demo");
    steno_request_add_tag(request, "demo");
    return request;
}

static void plain(steno_client *client) {
    steno_error error;
    steno_response *response;
    steno_request *request = chat(model, "Say hello in five words.");
    steno_request_set_metadata(request, "step", "plain");
    if (steno_complete(client, request, &response, &error))
        fail("the plain call", &error);
    else
        printf("plain      %s\n", steno_response_text(response));
    steno_response_free(response);
    steno_request_free(request);
}

static int print_chunk(const char *text, const char *json, void *ctx) {
    (void)json;
    (void)ctx;
    printf("%s", text);
    fflush(stdout);
    return 0;
}

static void streamed(steno_client *client) {
    steno_error error;
    steno_response *response;
    steno_request *request = chat(model, "Count from one to ten.");
    printf("streamed   ");
    if (steno_complete_stream(client, request, print_chunk, NULL, &response, &error)) fail("the streamed call", &error);
    printf("\n");
    steno_response_free(response);
    steno_request_free(request);
}

/* Runs on the library's thread, one call at a time. */
static void count_answer(steno_response *response, const steno_error *error, void *ctx) {
    if (error->status)
        fail("an asynchronous call", error);
    else
        ++*(int *)ctx;
    steno_response_free(response);
}

static void batch(steno_client *client) {
    steno_error error;
    int answered = 0;
    for (int i = 0; i < BATCH; i++) {
        char prompt[64];
        snprintf(prompt, sizeof prompt, "What is %d times %d?", i, i);
        steno_request *request = chat(model, prompt);
        if (steno_complete_async(client, request, count_answer, &answered, NULL, &error))
            fail("starting a call", &error);
        steno_request_free(request);
    }
    if (steno_wait(client, 120000, &error)) fail("the asynchronous calls", &error);
    printf("async      %d of %d calls, all at once\n", answered, BATCH);
}

static void embedding(steno_client *client) {
    steno_error error;
    steno_response *response;
    steno_request *request = steno_request_new(embedding_model);
    steno_request_add_input(request, "It writes down every LLM call.");
    if (steno_embed(client, request, &response, &error))
        fail("the embedding", &error);
    else
        printf("embedding  %lld tokens of input\n", (long long)steno_response_usage(response).prompt_tokens);
    steno_response_free(response);
    steno_request_free(request);
}

static void refused(steno_client *client) {
    steno_error error;
    steno_response *response;
    steno_request *request = chat(refusing_base_url ? model : "a-model-that-does-not-exist", "Will you answer?");
    if (refusing_base_url) steno_request_set_base_url(request, refusing_base_url);
    if (steno_complete(client, request, &response, &error))
        printf("refused    %s (HTTP %d): %s\n", error.type, error.http_status, error.message);
    else
        unexpected++;
    steno_response_free(response);
    steno_request_free(request);
}

/* Fails twice, where there is a server that does; then it is answered. */
static void retried(steno_client *client) {
    steno_error error;
    steno_response *response;
    if (!retrying_base_url) return;
    steno_request *request = chat(model, "Are you there now?");
    steno_request_set_base_url(request, retrying_base_url);
    steno_request_set_retries(request, 3);
    if (steno_complete(client, request, &response, &error))
        fail("the retried call", &error);
    else
        printf("retried    %s\n", steno_response_text(response));
    steno_response_free(response);
    steno_request_free(request);
}

static void cached(steno_client *client) {
    steno_error error;
    for (int i = 0; i < 2; i++) {
        steno_response *response;
        steno_request *request = chat(model, "Name a colour.");
        steno_request_set_cache(request, STENO_CACHE_ON, 0);
        if (steno_complete(client, request, &response, &error))
            fail("a cached call", &error);
        else
            printf("cached     %s: %s\n", steno_response_cache_hit(response) ? "from the cache" : "from the provider",
                   steno_response_text(response));
        steno_response_free(response);
        steno_request_free(request);
    }
}

/* The same request to a provider of another family. */
static void other(steno_client *client) {
    steno_error error;
    steno_response *response;
    if (!other_model) return;
    steno_request *request = chat(other_model, "Say hello in five words.");
    if (steno_complete(client, request, &response, &error))
        fail("the call to another provider", &error);
    else
        printf("%-10s %s\n", "other", steno_response_text(response));
    steno_response_free(response);
    steno_request_free(request);
}

static steno_status open_client(steno_client **out, steno_error *error) {
    steno_cache_config cache = STENO_CACHE_CONFIG_INIT;
    cache.url = "memory:";
    cache.opt_in = true;
    steno_status status = steno_client_new(NULL, out, error);
    return status ? status : steno_client_set_cache(*out, &cache, error);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i += 2) {
        const char **value = !strcmp(argv[i], "--model")               ? &model
                             : !strcmp(argv[i], "--embedding-model")   ? &embedding_model
                             : !strcmp(argv[i], "--refusing-base-url") ? &refusing_base_url
                             : !strcmp(argv[i], "--retrying-base-url") ? &retrying_base_url
                             : !strcmp(argv[i], "--other-model")       ? &other_model
                                                                       : NULL;
        if (!value || i + 1 == argc) {
            fprintf(stderr, "usage: demo [--model MODEL] [--embedding-model MODEL] [--refusing-base-url URL] "
                            "[--retrying-base-url URL] [--other-model MODEL]\n");
            return 2;
        }
        *value = argv[i + 1];
    }
    steno_client *client;
    steno_error error;
    if (open_client(&client, &error)) {
        fprintf(stderr, "demo: %s\n", error.message);
        return 1;
    }
    plain(client);
    streamed(client);
    batch(client);
    embedding(client);
    refused(client);
    retried(client);
    cached(client);
    other(client);
    steno_client_free(client);
    return unexpected ? 1 : 0;
}
