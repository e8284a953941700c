/* Making keys. */
#include "client/cache_key.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Members of a body that say how the answer comes, or for whom, and not what it is. `service_tier` stays in: it has a price. */
static const char *const shapeless[] = {
    "stream",           "stream_options",        "user", "metadata", "store", "safety_identifier",
    "prompt_cache_key", "prompt_cache_retention"};

static bool is_shapeless(const char *name) {
    for (size_t i = 0; i < sizeof shapeless / sizeof *shapeless; i++)
        if (!strcmp(name, shapeless[i])) return true;
    return false;
}

/* With its length before it, so that no two lists of parts look alike. */
static bool add(EVP_MD_CTX *digest, const char *bytes, size_t size) {
    uint64_t length = size;
    return EVP_DigestUpdate(digest, &length, sizeof length) && EVP_DigestUpdate(digest, bytes, size);
}

static bool add_body(EVP_MD_CTX *digest, const json_t *body) {
    json_t *shaping = json_copy((json_t *)(uintptr_t)body);
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(shaping, next, name, value) {
        if (is_shapeless(name)) json_object_del(shaping, name);
    }
    char *text = shaping ? json_dumps(shaping, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    bool done = text && add(digest, text, strlen(text));
    free(text);
    json_decref(shaping);
    return done;
}

bool cache_key_make(const char *const *parts, const json_t *body, char out[CACHE_KEY_BYTES]) {
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool done = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
    for (; done && *parts; parts++) done = add(digest, *parts, strlen(*parts));
    done = done && add_body(digest, body) && EVP_DigestFinal_ex(digest, hash, &size);
    EVP_MD_CTX_free(digest);
    for (unsigned i = 0; done && i < size && 2 * i + 2 < CACHE_KEY_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
    return done;
}
