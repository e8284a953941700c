/* Many streamed calls in one process: by bare libcurl, whose chunks nobody reads, then by steno_complete_stream_async. CPU a chunk, memory a stream, and how
 * long the longest pause between two chunks of one stream was. Prints one JSON object. `bench_streams STREAMS BASE_URL`
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client/steno.h"
#include "tests/bench/samples.h"

enum { STREAMS_MAX = 5000, LOOK_US = 100000 };

/* What is seen of one stream. */
typedef struct watched {
    double last_us, longest_us;
    size_t chunks;
    bool ended;
} watched;

typedef struct figures {
    double cpu_us, wall_s, longest_us;
    size_t chunks, ended;
    double memory_kb;
} figures;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "bench_streams: %s: %s\n", what, why);
    exit(1);
}

static double cpu_us(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static double memory_kb(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static void note_chunk(watched *stream) {
    double now = now_us();
    if (stream->chunks++ && now - stream->last_us > stream->longest_us) stream->longest_us = now - stream->last_us;
    stream->last_us = now;
}

static figures sum_up(const watched *streams, size_t count, double cpu, double start) {
    figures all = {.cpu_us = cpu_us() - cpu, .wall_s = (now_us() - start) / 1e6};
    for (size_t i = 0; i < count; i++) {
        all.chunks += streams[i].chunks;
        all.ended += streams[i].ended;
        if (streams[i].longest_us > all.longest_us) all.longest_us = streams[i].longest_us;
    }
    return all;
}

/* ---- the floor ---- */

/* A chunk ends with an empty line; nothing else of it is looked at. */
static size_t take(char *bytes, size_t size, size_t count, void *ctx) {
    size_t length = size * count;
    for (const char *at = bytes, *end = bytes + length; (at = memmem(at, (size_t)(end - at), "\n\n", 2)); at += 2)
        note_chunk(ctx);
    return length;
}

static figures bare(const char *base, size_t count, watched *streams) {
    static const char body[] =
        "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"stream\":true}";
    char url[256];
    snprintf(url, sizeof url, "%s/chat/completions", base);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Authorization: Bearer sk-bench-0123456789abcdef");
    double before = memory_kb(), start = now_us(), cpu = cpu_us(), most = 0, look = 0;
    CURLM *multi = curl_multi_init();
    CURL **handles = calloc(count, sizeof *handles);
    for (size_t i = 0; i < count; i++) {
        handles[i] = curl_easy_init();
        curl_easy_setopt(handles[i], CURLOPT_URL, url);
        curl_easy_setopt(handles[i], CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(handles[i], CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(handles[i], CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(handles[i], CURLOPT_WRITEDATA, &streams[i]);
        curl_easy_setopt(handles[i], CURLOPT_PRIVATE, &streams[i]);
        curl_multi_add_handle(multi, handles[i]);
    }
    for (int running = 1; running;) {
        curl_multi_perform(multi, &running);
        if (now_us() > look) {
            double now = memory_kb();
            if (now > most) most = now;
            look = now_us() + LOOK_US;
        }
        if (running) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    CURLMsg *message;
    for (int left; (message = curl_multi_info_read(multi, &left));) {
        watched *stream;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&stream);
        stream->ended = message->data.result == CURLE_OK;
    }
    figures all = sum_up(streams, count, cpu, start);
    all.memory_kb = most - before;
    for (size_t i = 0; i < count; i++) {
        curl_multi_remove_handle(multi, handles[i]);
        curl_easy_cleanup(handles[i]);
    }
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    free(handles);
    return all;
}

/* ---- ours ---- */

static int on_chunk(const char *text, const char *json, void *ctx) {
    (void)text;
    (void)json;
    note_chunk(ctx);
    return 0;
}

static void on_done(steno_response *response, const steno_error *error, void *ctx) {
    ((watched *)ctx)->ended = !error->status && response;
    if (error->status) fprintf(stderr, "bench_streams: %s: %s\n", error->type, error->message);
    steno_response_free(response);
}

static figures ours(const char *base, size_t count, watched *streams) {
    steno_client *client;
    steno_error error;
    steno_config config = STENO_CONFIG_INIT;
    config.base_url = base;
    config.api_key = "sk-bench-0123456789abcdef";
    config.async_max = count;
    config.spool_bytes_max = (size_t)8 << 30; /* nobody fetches the events */
    if (steno_client_new(&config, &client, &error)) fail("client", error.message);
    steno_request *request = steno_request_new("gpt-4o-mini");
    steno_request_add_message(request, "user", "x");
    double before = memory_kb(), start = now_us(), cpu = cpu_us(), most = 0;
    for (size_t i = 0; i < count; i++)
        if (steno_complete_stream_async(client, request, on_chunk, on_done, &streams[i], NULL, &error))
            fail("call", error.message);
    while (steno_wait(client, 100, &error)) {
        double now = memory_kb();
        if (now > most) most = now;
    }
    figures all = sum_up(streams, count, cpu, start);
    all.memory_kb = most - before;
    steno_request_free(request);
    steno_client_free(client);
    return all;
}

static void print(const char *name, figures of, size_t count, const char *end) {
    printf("\"%s\": {\"chunks\": %zu, \"ended\": %zu, \"cpu_us_a_chunk\": %.2f, \"kb_a_stream\": %.1f, "
           "\"longest_pause_ms\": %.1f, "
           "\"wall_s\": %.2f}%s",
           name, of.chunks, of.ended, of.cpu_us / (double)of.chunks, of.memory_kb / (double)count, of.longest_us / 1e3,
           of.wall_s, end);
}

int main(int argc, char **argv) {
    size_t count = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    if (count < 1 || count > STREAMS_MAX) {
        fprintf(stderr, "usage: bench_streams STREAMS(1 to %d) BASE_URL\n", STREAMS_MAX);
        return 2;
    }
    watched *streams = calloc(2 * count, sizeof *streams);
    if (!streams || curl_global_init(CURL_GLOBAL_DEFAULT)) fail("memory", "there is none");
    figures floor = bare(argv[2], count, streams), steno = ours(argv[2], count, streams + count);
    printf("{\"streams\": %zu, ", count);
    print("floor_bare_curl", floor, count, ", ");
    print("steno", steno, count, "}\n");
    free(streams);
    return 0;
}
