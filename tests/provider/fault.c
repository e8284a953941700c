/* Faults by path, so that a base URL alone asks for them, with any client. */
#include "tests/provider/fault.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "/faults/"

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

/* One "name=value". */
static bool read_one(const char *name, const char *value, fault *out) {
    char *base = (char *)out, *end;
    if (!strcmp(name, "content_type")) {
        return snprintf(out->content_type, sizeof out->content_type, "%s", value) < (int)sizeof out->content_type;
    }
    long number = strtol(value, &end, 10);
    if (*end || !*value || number < 0 || number > 1000000) return false;
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

const char *fault_parse(const char *path, fault *out) {
    *out = (fault){0};
    if (strncmp(path, PREFIX, strlen(PREFIX))) return path;
    path += strlen(PREFIX);
    const char *rest = strstr(path, "/v1/");
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
    return rest;
}
