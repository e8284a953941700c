/* What a call costs over bare libcurl: the same request to the same local server, in turns, by a reused curl handle and by steno_complete.
 * The server is a process of its own. Prints one JSON object. `bench_call [SAMPLES]`
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/steno.h"
#include "tests/bench/samples.h"
#include "tests/unit/script_server.h"

enum { WARM_UP = 200, SAMPLES = 5000, SAMPLES_MIN = 100, SAMPLES_MAX = 1000000, PROMPT_BYTES = 2000, TEXT_BYTES = 800 };

static void fail(const char *what, const char *why) {
    fprintf(stderr, "bench_call: %s: %s\n", what, why);
    exit(1);
}

/* A chat completion of ordinary size, kept alive. */
static void say_reply(script_server *server) {
    static char text[TEXT_BYTES + 1], body[TEXT_BYTES + 600], reply[TEXT_BYTES + 1000];
    memset(text, 'y', TEXT_BYTES);
    int size = snprintf(body, sizeof body,
                        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"gpt-"
                        "4o-mini-2024-07-18\",\"choices\":"
                        "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\",\"refusal\":null},"
                        "\"logprobs\":null,\"finish_reason\":"
                        "\"stop\"}],\"usage\":{\"prompt_tokens\":500,\"completion_tokens\":200,\"total_tokens\":700,"
                        "\"prompt_tokens_details\":{"
                        "\"cached_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}}}",
                        text);
    size = snprintf(
        reply, sizeof reply,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req-1\r\nContent-Length: %d\r\n\r\n%s",
        size, body);
    script_server_say(server, reply, (size_t)size, 0, true);
}

/* Starts the server in a child; it ends when `*alive` is closed. */
static pid_t start_server(char url[64], int *alive) {
    int out[2], in[2];
    if (pipe(out) || pipe(in)) fail("pipe", "refused");
    pid_t child = fork();
    if (child < 0) fail("fork", "refused");
    if (child == 0) {
        close(in[1]);
        script_server *server = script_server_start();
        say_reply(server);
        if (write(out[1], script_server_url(server), strlen(script_server_url(server)) + 1) < 0) _exit(1);
        char end;
        _exit(read(in[0], &end, 1) ? 1 : 0);
    }
    close(out[1]);
    close(in[0]);
    if (read(out[0], url, 64) <= 0) fail("server", "no address");
    close(out[0]);
    *alive = in[1];
    return child;
}

static size_t take(char *bytes, size_t size, size_t count, void *ctx) {
    (void)bytes;
    *(size_t *)ctx += size * count;
    return size * count;
}

static CURL *bare_handle(const char *base, const char *body, struct curl_slist **headers, size_t *received) {
    CURL *curl = curl_easy_init();
    char url[128];
    snprintf(url, sizeof url, "%s/chat/completions", base);
    *headers = curl_slist_append(NULL, "Content-Type: application/json");
    *headers = curl_slist_append(*headers, "Authorization: Bearer sk-bench-0123456789abcdef");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, received);
    return curl;
}

static void report(const char *name, double *samples, size_t count, const char *end) {
    qsort(samples, count, sizeof *samples, compare);
    printf("\"%s\": {\"median_us\": %.3f, \"p99_us\": %.3f}%s", name, samples[count / 2],
           samples[count - 1 - count / 100], end);
}

int main(int argc, char **argv) {
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : SAMPLES;
    if (count < SAMPLES_MIN || count > SAMPLES_MAX) {
        fprintf(stderr, "bench_call: the number of samples must be %d to %d\n", SAMPLES_MIN, SAMPLES_MAX);
        return 2;
    }
    char url[64];
    int alive;
    pid_t server = start_server(url, &alive);
    static char prompt[PROMPT_BYTES + 1], body[PROMPT_BYTES + 200];
    memset(prompt, 'x', PROMPT_BYTES);
    snprintf(body, sizeof body,
             "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}],\"temperature\":0.5}",
             prompt);

    steno_client *client;
    steno_error error;
    steno_config config = STENO_CONFIG_INIT;
    config.base_url = url;
    config.api_key = "sk-bench-0123456789abcdef";
    config.spool_bytes_max = (size_t)8 << 30; /* nobody fetches the events */
    if (steno_client_new(&config, &client, &error)) fail("client", error.message);
    steno_request *request = steno_request_new("gpt-4o-mini");
    steno_request_add_message(request, "user", prompt);
    steno_request_set_double(request, "temperature", 0.5);
    struct curl_slist *headers;
    size_t received = 0;
    CURL *curl = bare_handle(url, body, &headers, &received);
    double *bare = calloc(count, sizeof *bare), *steno = calloc(count, sizeof *steno);
    if (!bare || !steno || !curl) fail("memory", "there is none");

    for (size_t i = 0; i < count + WARM_UP; i++) {
        double start = now_us();
        if (curl_easy_perform(curl)) fail("bare curl", "the request failed");
        double middle = now_us();
        steno_response *response;
        if (steno_complete(client, request, &response, &error)) fail("steno_complete", error.message);
        double end = now_us();
        steno_response_free(response);
        if (i < WARM_UP) continue;
        bare[i - WARM_UP] = middle - start;
        steno[i - WARM_UP] = end - middle;
    }
    printf("{");
    report("floor_bare_curl", bare, count, ", ");
    report("steno_complete", steno, count, ", ");
    printf("\"over_us\": %.3f}\n", steno[count / 2] - bare[count / 2]);
    free(bare);
    free(steno);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    steno_request_free(request);
    steno_client_free(client);
    close(alive);
    waitpid(server, NULL, 0);
    return received ? 0 : 1;
}
