/* The routes of all families, and what their answers have in common. */
#include "tests/provider/route.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/provider/anthropic.h"
#include "tests/provider/azure.h"
#include "tests/provider/bedrock.h"
#include "tests/provider/cohere.h"
#include "tests/provider/gemini.h"
#include "tests/provider/ollama.h"
#include "tests/provider/openai.h"
#include "tests/provider/responses.h"

#define EMBEDDING_NUMBERS 8

/* A line a family. */
static const route *const families[] = {
    openai_routes, anthropic_routes, gemini_routes, responses_routes,
    ollama_routes, cohere_routes,    azure_routes,  bedrock_routes,
};

static bool fits(const route *which, const char *path) {
    size_t length = strlen(path), ends = strlen(which->ends);
    return !strncmp(path, which->begins, strlen(which->begins)) && length >= ends &&
           !strcmp(path + length - ends, which->ends);
}

const route *route_of(const char *path) {
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (const route *which = families[i]; which->begins; which++)
            if (fits(which, path)) return which;
    return NULL;
}

char *route_answer(const exchange *with, const char *asked) {
    char *text = NULL;
    if (with->faults->reflect) return strdup(with->reflected);
    if (with->faults->tokens) {
        text = malloc((size_t)with->faults->tokens * 5 + 1);
        if (!text) return NULL;
        for (int i = 0; i < with->faults->tokens; i++) memcpy(text + 5 * i, "word ", 6);
        return text;
    }
    if (with->faults->chunk_bytes) { /* one long word is one chunk */
        size_t size = (size_t)with->faults->chunk_bytes;
        if (!(text = malloc(size + 1))) return NULL;
        memset(text, 'x', size);
        text[size] = '\0';
        return text;
    }
    return asprintf(&text, "You said: %s Thank you for asking.", asked) < 0 ? NULL : text;
}

long route_words(const char *text) {
    long words = 0;
    for (bool inside = false; *text; text++) {
        bool letter = !isspace((unsigned char)*text);
        words += letter && !inside;
        inside = letter;
    }
    return words;
}

void route_each_word(const char *text, void (*add)(const char *word, size_t size, void *ctx), void *ctx) {
    while (*text) {
        size_t size = strcspn(text, " ");
        size += strspn(text + size, " ");
        add(text, size, ctx);
        text += size;
    }
}

bool route_wants_tool(const char *asked) { return strcasestr(asked, "tool"); }

json_t *route_vector(const char *text) {
    json_t *numbers = json_array();
    unsigned hash = 2166136261u;
    for (int i = 0; i < EMBEDDING_NUMBERS; i++) {
        for (const char *p = text; *p; p++) hash = (hash ^ (unsigned char)*p) * 16777619u;
        json_array_append_new(numbers, json_real((double)(hash % 20001) / 10000.0 - 1));
    }
    return numbers;
}
