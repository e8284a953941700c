/* Faults by path, so that a base URL alone asks for them, with any client. */
#include "tests/provider/fault.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "/faults/"
/* Series that fail at first, in one life of the provider; further ones share the last place. */
#define SERIES_MAX 256

static const struct {
    const char *name;
    size_t field;
} numbers[] = {
    {"status", offsetof(fault, status)},
    {"retry_after", offsetof(fault, retry_after)},
    {"delay_ms", offsetof(fault, delay_ms)},
    {"chunk_delay_ms", offsetof(fault, chunk_delay_ms)},
    {"tokens", offsetof(fault, tokens)},
    {"cut_after", offsetof(fault, cut_after)},
    {"error_in_stream", offsetof(fault, error_in_stream)},
    {"split", offsetof(fault, split)},
    {"byte_delay_ms", offsetof(fault, byte_delay_ms)},
    {"chunk_bytes", offsetof(fault, chunk_bytes)},
    {"fail_first", offsetof(fault, fail_first)},
};

static const struct {
    const char *name;
    size_t field;
} flags[] = {
    {"garbage", offsetof(fault, garbage)}, {"no_usage", offsetof(fault, no_usage)},
    {"no_done", offsetof(fault, no_done)}, {"crlf", offsetof(fault, crlf)},
    {"hang", offsetof(fault, hang)},       {"empty", offsetof(fault, empty)},
    {"reflect", offsetof(fault, reflect)},
};

static const struct {
    const char *name;
    size_t field, size;
} texts[] = {
    {"content_type", offsetof(fault, content_type), sizeof((fault *)0)->content_type},
    {"code", offsetof(fault, code), sizeof((fault *)0)->code},
    {"id", offsetof(fault, id), sizeof((fault *)0)->id},
};

/* One "name=value". */
static bool read_one(const char *name, const char *value, fault *out) {
    char *base = (char *)out, *end;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!strcmp(name, texts[i].name))
            return snprintf(base + texts[i].field, texts[i].size, "%s", value) < (int)texts[i].size;
    long number = strtol(value, &end, 10);
    if (*end || !*value || number < 0 || number > 100000000) return false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(name, numbers[i].name)) {
            *(int *)(void *)(base + numbers[i].field) = (int)number;
            return true;
        }
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (!strcmp(name, flags[i].name)) {
            *(bool *)(base + flags[i].field) = number != 0;
            return true;
        }
    return false;
}

/* A request of a series that fails at first: which one it is, by the series' id. */
static bool still_fails(const char *id, int fail_first) {
    static struct {
        char id[32];
        int seen;
    } series[SERIES_MAX];
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the series */
    pthread_mutex_lock(&mutex);
    size_t at = 0;
    while (at < SERIES_MAX - 1 && *series[at].id && strcmp(series[at].id, id)) at++;
    if (!*series[at].id) snprintf(series[at].id, sizeof series[at].id, "%s", id);
    bool fails = series[at].seen++ < fail_first;
    pthread_mutex_unlock(&mutex);
    return fails;
}

const char *fault_parse(const char *path, fault *out) {
    *out = (fault){0};
    if (strncmp(path, PREFIX, strlen(PREFIX))) return path;
    path += strlen(PREFIX);
    const char *rest = strchr(path, '/');
    char text[512];
    if (!rest || (size_t)(rest - path) >= sizeof text) return NULL;
    memcpy(text, path, (size_t)(rest - path));
    text[rest - path] = '\0';
    char *next = text;
    for (char *one; (one = strsep(&next, ";"));) {
        char *equals = strchr(one, '=');
        if (!equals) return NULL;
        *equals = '\0';
        if (!read_one(one, equals + 1, out)) return NULL;
    }
    for (char *colon = out->content_type; (colon = strchr(colon, ':'));) *colon = '/';
    if (out->fail_first && !still_fails(out->id, out->fail_first)) *out = (fault){0};
    return rest;
}
