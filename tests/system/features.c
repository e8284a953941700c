/* What an application can have done around its calls: hooks of every kind, redaction, privacy, fallbacks, many at once. One scenario a run, for
 * tests/system/test_features.py, which looks at the log afterwards. Prints what the app saw.
 * Usage: steno-test-features SCENARIO [BASE_URL]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "steno.h"

static steno_config config = STENO_CONFIG_INIT;
static steno_client *client;

static void must(steno_status status, const steno_error *error) {
    if (!status) return;
    printf("setup failed: %s\n", error->message);
    exit(1);
}

static void print_outcome(steno_status status, const steno_response *response, const steno_error *error) {
    if (status)
        printf("%s %s\n", error->type, error->message);
    else
        printf("ok%s %s\n", steno_response_cache_hit(response) ? " hit" : "", steno_response_text(response));
}

static steno_request *chat(const char *prompt) {
    steno_request *request = steno_request_new("gpt-4o-mini");
    steno_request_add_message(request, "user", prompt);
    return request;
}

/* Makes the call, prints what came of it, and gives the request back. */
static void ask(steno_request *request) {
    steno_error error;
    steno_response *response;
    steno_status status = steno_complete(client, request, &response, &error);
    print_outcome(status, response, &error);
    steno_response_free(response);
    steno_request_free(request);
}

static int print_chunk(const char *text, const char *json, void *ctx) {
    (void)json;
    (void)ctx;
    printf("chunk %s\n", text);
    return 0;
}

static void ask_streamed(steno_request *request) {
    steno_error error;
    steno_response *response;
    steno_status status = steno_complete_stream(client, request, print_chunk, NULL, &response, &error);
    print_outcome(status, response, &error);
    steno_response_free(response);
    steno_request_free(request);
}

/* ---- hooks ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_t caller;

static void print_event(const steno_event *event, void *ctx) {
    const char *where = pthread_equal(pthread_self(), caller) ? "caller" : "other";
    printf("hook %s %s thread=%s messages=%zu\n", (const char *)ctx, steno_event_name(event), where,
           steno_value_count(steno_event_get(event, "messages")));
}

static void wait_at_gate(const steno_event *event, void *ctx) {
    (void)event;
    (void)ctx;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

static steno_hooks all_hooks(steno_event_fn fn, void *ctx, bool asynchronous) {
    return (steno_hooks){STENO_HOOKS_INIT,    .ctx = ctx,    .pre_api_call = fn, .stream_event = fn,
                         .post_api_call = fn, .success = fn, .failure = fn,      .asynchronous = asynchronous};
}

static void hooks(void) {
    steno_error error;
    steno_hooks first = all_hooks(print_event, "first", false), second = all_hooks(print_event, "second", false);
    steno_hooks beside = all_hooks(print_event, "beside", true);
    must(steno_client_add_hooks(client, &beside, &error), &error);
    must(steno_client_add_hooks(client, &first, &error), &error);
    must(steno_client_add_hooks(client, &second, &error), &error);
    ask(chat("hooks"));
    must(steno_client_flush_hooks(client, 10000, &error), &error);
    printf("missed %llu\n", (unsigned long long)steno_client_hooks_missed(client));
}

/* An asynchronous hook that hangs: calls go on, and what it misses is counted. */
static void slow_hook(void) {
    steno_error error;
    steno_hooks slow = all_hooks(wait_at_gate, NULL, true);
    must(steno_client_add_hooks(client, &slow, &error), &error);
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 3; i++) ask(chat("not held up"));
    printf("flush %s\n", steno_status_name(steno_client_flush_hooks(client, 50, &error)));
    for (int i = 0; i < STENO_HOOK_QUEUE_MAX + 100; i++) {
        steno_request *broken = steno_request_new("gpt-4o-mini"); /* fails at once, with one event */
        steno_response *response;
        steno_complete(client, broken, &response, &error);
        steno_request_free(broken);
    }
    printf("missed %llu\n", (unsigned long long)steno_client_hooks_missed(client));
    pthread_mutex_unlock(&gate);
    must(steno_client_flush_hooks(client, 10000, &error), &error);
}

static int change_request(steno_request *request, void *ctx) {
    char *messages = steno_request_get_json(request, "messages");
    printf("saw %s of %s\n", messages, steno_request_model(request));
    free(messages);
    steno_request_add_message(request, "user", ctx);
    steno_request_set_int(request, "max_tokens", 7);
    return 0;
}

static int refuse_request(steno_request *request, void *ctx) {
    (void)request;
    (void)ctx;
    return 1;
}

static void request_hook(void) {
    steno_error error;
    steno_request *request = chat("first");
    must(steno_client_on_request(client, change_request, "added", &error), &error);
    must(steno_client_on_request(client, change_request, "twice", &error), &error);
    steno_response *response;
    steno_status status = steno_complete(client, request, &response, &error);
    print_outcome(status, response, &error);
    char *messages = steno_request_get_json(request, "messages");
    printf("kept %s\n", messages); /* the application's own is as it was */
    free(messages);
    steno_response_free(response);
    steno_request_free(request);
}

static void request_refused(void) {
    steno_error error;
    must(steno_client_on_request(client, refuse_request, NULL, &error), &error);
    ask(chat("forbidden"));
}

/* ---- what is recorded ---- */

static void privacy(unsigned what) {
    steno_request *request = chat("a private question");
    steno_request_set_string(request, "instructions", "private words");
    steno_request_set_double(request, "temperature", 0.5);
    steno_request_set_privacy(request, what);
    ask_streamed(request);
}

static void no_messages(void) { privacy(STENO_NO_MESSAGES); }
static void no_replies(void) { privacy(STENO_NO_REPLIES); }
static void no_events(void) {
    steno_error error;
    steno_hooks hooked = all_hooks(print_event, "never", false);
    must(steno_client_add_hooks(client, &hooked, &error), &error);
    privacy(STENO_NO_EVENTS);
}

/* Puts "###" for every text of `messages`, and keeps the other fields. */
static int redact(const steno_event *event, steno_draft *out, void *ctx) {
    const steno_value *map = steno_event_value(event);
    if (ctx) return *(const int *)ctx;
    for (size_t i = 0; i < steno_value_count(map); i++) {
        const char *name = steno_value_key_at(map, i);
        if (!strcmp(name, "messages"))
            steno_draft_json(out, name, "[{\"role\":\"user\",\"content\":\"###\"}]", 33);
        else if (strcmp(name, "additional_args") && strcmp(name, "response") && strcmp(name, "original_response"))
            steno_draft_value(out, name, steno_value_at(map, i));
    }
    return STENO_REDACT_REPLACE;
}

static void redacted(void) {
    steno_client_set_redactor(client, redact, NULL);
    ask(chat("a private question"));
}

/* A redactor that fails, and one that writes no event. */
static void redactor_fails(void) {
    static int failed = -1, nothing = STENO_REDACT_REPLACE;
    steno_request *request = chat("a private question");
    steno_request_set_metadata(request, "who", "a private person");
    steno_client_set_redactor(client, redact, &failed);
    ask(request);
    steno_client_set_redactor(client, redact, &nothing);
    ask(chat("a private question"));
}

/* ---- attempts ---- */

static void count_done(steno_response *response, const steno_error *error, void *ctx) {
    if (!error->status) __atomic_add_fetch((int *)ctx, 1, __ATOMIC_RELAXED);
    steno_response_free(response);
}

/* Calls that rest between attempts, while others go on; one is cancelled in its rest. */
static void async_retries(void) {
    steno_error error;
    steno_call *last = NULL;
    int done = 0;
    for (int i = 0; i < 8; i++) {
        steno_request *request = chat("again");
        steno_request_set_retries(request, 3);
        must(steno_complete_async(client, request, count_done, &done, NULL, &error), &error);
        steno_request_free(request);
    }
    must(steno_wait(client, 20000, &error), &error);
    printf("done %d\n", done);
    steno_request *request = chat("never");
    steno_request_set_base_url(request, "http://127.0.0.1:1/v1");
    steno_request_set_retries(request, 20);
    must(steno_complete_async(client, request, count_done, &done, &last, &error), &error);
    nanosleep(&(struct timespec){0, 100000000}, NULL); /* somewhere in its rests */
    steno_call_cancel(last);
    must(steno_call_wait(last, 5000, &error), &error);
    steno_call_free(last);
    steno_request_free(request);
    printf("cancelled\n");
}

/* One streamed call after another, each to a server that sends a byte more than before. */
static void cuts(void) {
    for (int i = atoi(getenv("COUNT")); i > 0; i--) {
        steno_error error;
        steno_response *response;
        steno_request *request = steno_request_new(getenv("MODEL"));
        steno_request_add_message(request, "user", "Say hello.");
        steno_status status = steno_complete_stream(client, request, NULL, NULL, &response, &error);
        printf("%s|%s|%d\n", status ? error.type : "ok", response ? steno_response_text(response) : "",
               status && error.retryable);
        steno_response_free(response);
        steno_request_free(request);
    }
}

/* The first model's server is broken, and so is the second's: the third's answers. */
static void fallbacks(void) {
    steno_error error;
    steno_request *request = chat("who answers?");
    must(steno_client_set_provider(client, "groq", "gsk-0123456789abcdef", "http://127.0.0.1:1/v1", &error), &error);
    steno_request_set_base_url(request, getenv("BROKEN_URL"));
    steno_request_add_fallback(request, "anthropic/without-a-key");
    steno_request_add_fallback(request, "groq/llama-3.3-70b");
    steno_request_add_fallback(request, "openai/gpt-4o");
    ask(request);
}

static void fallbacks_in_vain(void) {
    steno_error error;
    must(steno_client_add_fallback(client, "anthropic/without-a-key", &error), &error);
    steno_request *request = chat("nobody answers");
    steno_request_set_base_url(request, getenv("BROKEN_URL"));
    ask(request);
}

/* ---- the cache ---- */

static void cache_calls(void) {
    steno_error error;
    steno_cache_config cached = STENO_CACHE_CONFIG_INIT;
    cached.url = getenv("CACHE_URL");
    must(steno_client_set_cache(client, &cached, &error), &error);
    ask(chat("once"));
    ask(chat("once"));
    ask_streamed(chat("once"));
    ask(chat("another"));
    steno_request *off = chat("once"), *refresh = chat("once"), *warmer = chat("once"), *somebody = chat("once");
    steno_request_set_cache(off, STENO_CACHE_OFF, 0);
    ask(off);
    steno_request_set_cache(refresh, STENO_CACHE_REFRESH, 0);
    ask(refresh);
    steno_request_set_double(warmer, "temperature", 1.5);
    ask(warmer);
    steno_request_set_user(somebody, "alice"); /* does not shape the answer */
    ask(somebody);
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"hooks", hooks},
    {"slow_hook", slow_hook},
    {"request_hook", request_hook},
    {"request_refused", request_refused},
    {"no_messages", no_messages},
    {"no_replies", no_replies},
    {"no_events", no_events},
    {"redacted", redacted},
    {"redactor_fails", redactor_fails},
    {"async_retries", async_retries},
    {"cuts", cuts},
    {"fallbacks", fallbacks},
    {"fallbacks_in_vain", fallbacks_in_vain},
    {"cache", cache_calls},
};

int main(int argc, char **argv) {
    steno_error error;
    caller = pthread_self();
    config.retry_delay_ms = 20;
    if (argc > 2) config.base_url = argv[2];
    must(steno_client_new(&config, &client, &error), &error);
    for (size_t i = 0; argc > 1 && i < sizeof scenarios / sizeof *scenarios; i++) {
        if (strcmp(argv[1], scenarios[i].name)) continue;
        scenarios[i].run();
        steno_client_free(client);
        return 0;
    }
    fprintf(stderr, "usage: steno-test-features SCENARIO [BASE_URL]\n");
    return 2;
}
