/* Masking of secrets. Works on bytes, so it does not matter what a key is part of. */
#include "client/mask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 4

void mask_key(const char *key, char out[MASK_KEY_BYTES]) {
    size_t size = key ? strlen(key) : 0;
    snprintf(out, MASK_KEY_BYTES, "%s%s", key ? "****" : "", size >= MASK_SECRET_BYTES_MIN ? key + size - SHOWN : "");
}

void mask_bytes(const char *key, void *bytes, size_t size) {
    size_t length = key ? strlen(key) : 0;
    if (length < MASK_SECRET_BYTES_MIN) return;
    char *from = bytes, *end = from + size;
    for (char *found; (found = memmem(from, (size_t)(end - from), key, length)); from = found + length)
        memset(found, '*', length - SHOWN);
}

char *mask_url(const char *url) {
    char *copy = malloc(strlen(url) + 1);
    if (!copy) return NULL;
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    const char *at = host + strcspn(host, "/?#");
    while (at > host && *at != '@') at--;
    size_t length = 0;
    for (const char *p = url; p < host; p++) copy[length++] = *p;
    const char *p = *at == '@' ? at + 1 : host;
    while (*p && *p != '?') copy[length++] = *p++;
    for (; *p; p++) {
        copy[length++] = *p;
        if (*p == '=') p += strcspn(p, "&#") - 1;
    }
    copy[length] = '\0';
    return copy;
}
