/* One source file that is built both ways: into an app (plugin_app.c) and as a plug-in. Prints, for each event, every field of EVENTS.md that can be read
 * through it: its own, and those of its call's earlier stages. STENO_TEST_CRASH=OFFSET in the environment: dies of that event, once a file of
 * the name `crashed` can be made. STENO_TEST_DOOM=FILE: dies of each event whose offset is a line of the file. STENO_TEST_HOLD=FILE: events are held until the file is there, and a file
 * `held` says so.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "steno.h"

static int doomed(uint64_t offset) {
    const char *path = getenv("STENO_TEST_DOOM");
    FILE *file = path ? fopen(path, "r") : NULL;
    unsigned long long one;
    int found = 0;
    while (file && !found && fscanf(file, "%llu", &one) == 1) found = one == offset;
    if (file) fclose(file);
    return found;
}

static void show(const steno_event *event, void *ctx) {
    static const char *const names[] = {"event",
                                        "call_id",
                                        "call_type",
                                        "model",
                                        "provider",
                                        "fallback_from",
                                        "stream",
                                        "time",
                                        "attempt",
                                        "additional_args",
                                        "messages",
                                        "input",
                                        "chunk",
                                        "chunk_index",
                                        "end_time",
                                        "http_status",
                                        "original_response",
                                        "timing",
                                        "error",
                                        "response",
                                        "usage",
                                        "finish_reason",
                                        "response_headers",
                                        "complete_streaming_response",
                                        "cache_hit",
                                        "optional_params",
                                        "attempts",
                                        "response_cost",
                                        "api_base",
                                        "metadata"};
    const char *crash = getenv("STENO_TEST_CRASH"), *hold = getenv("STENO_TEST_HOLD");
    for (; hold && access(hold, F_OK); usleep(10000)) close(open("held", O_WRONLY | O_CREAT, 0600));
    if (crash && strtoull(crash, NULL, 10) == steno_event_offset(event) &&
        open("crashed", O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0)
        raise(SIGSEGV);
    if (doomed(steno_event_offset(event))) raise(SIGKILL); /* no sanitizer puts an exit in its place */
    fputs(ctx, stdout);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const steno_value *value = steno_event_get(event, names[i]);
        char *json = value ? steno_value_json(value) : NULL;
        if (json) printf(" %s=%s", names[i], json);
        free(json);
    }
    putchar('\n');
}

static char mark[] = "*";

const steno_hooks steno_plugin = {STENO_HOOKS_INIT,      .ctx = mark,     .pre_api_call = show, .stream_event = show,
                                  .post_api_call = show, .success = show, .failure = show};
