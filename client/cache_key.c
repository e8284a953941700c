/* Feeds a call to SHA-256 piece by piece: a letter for the kind, the length as 8 bytes (big end first), the bytes. No two calls give the same feed. */
#include "client/cache_key.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "schema/clean.h"

CLEANUP_FUNCTION(clean_digest, EVP_MD_CTX, EVP_MD_CTX_free)

/* Goes first, so that keys of another make are never taken for ours. */
#define MAKE "steno cache key 1"

static const char *const ignored[] = {
    "stream",           "stream_options",        "user", "metadata", "store", "safety_identifier",
    "prompt_cache_key", "prompt_cache_retention"};

bool cache_key_ignores(const char *member) {
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        if (!strcmp(ignored[i], member)) return true;
    return false;
}

static bool feed_number(EVP_MD_CTX *to, char kind, uint64_t number) {
    unsigned char bytes[9] = {(unsigned char)kind};
    for (int i = 8; i > 0; i--, number >>= 8) bytes[i] = (unsigned char)number;
    return EVP_DigestUpdate(to, bytes, sizeof bytes);
}

static bool feed_bytes(EVP_MD_CTX *to, char kind, const char *bytes, size_t size) {
    return feed_number(to, kind, size) && EVP_DigestUpdate(to, bytes, size);
}

/* A real that is a whole number in an integer's range goes in as that integer, which is exact. */
static bool feed_real(EVP_MD_CTX *to, double real) {
    if (real >= -0x1p63 && real < 0x1p63 && real == floor(real)) return feed_number(to, 'i', (uint64_t)(int64_t)real);
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return feed_number(to, 'r', bits);
}

static bool feed_json(EVP_MD_CTX *to, const json_t *json, int depth);

typedef struct member {
    const char *name;
    size_t size;
    const json_t *value;
} member;

static int by_name(const void *a, const void *b) {
    const member *left = a, *right = b;
    const size_t common = left->size < right->size ? left->size : right->size;
    const int order = memcmp(left->name, right->name, common);
    return order ? order : (left->size > right->size) - (left->size < right->size);
}

static bool feed_object(EVP_MD_CTX *to, const json_t *object, int depth) {
    const size_t count = json_object_size(object);
    cleanup_free member *members = calloc(count + 1, sizeof *members);
    if (!members) return false;
    size_t taken = 0;
    json_t *walked = (json_t *)object; /* jansson's iterators change nothing, but do not say so */
    for (void *at = json_object_iter(walked); at && taken < count; at = json_object_iter_next(walked, at))
        members[taken++] = (member){json_object_iter_key(at), json_object_iter_key_len(at), json_object_iter_value(at)};
    qsort(members, taken, sizeof *members, by_name);
    bool fed = feed_number(to, 'o', taken);
    for (size_t i = 0; i < taken && fed; i++)
        fed = feed_bytes(to, 'k', members[i].name, members[i].size) && feed_json(to, members[i].value, depth + 1);
    return fed;
}

static bool feed_array(EVP_MD_CTX *to, const json_t *array, int depth) {
    const size_t count = json_array_size(array);
    bool fed = feed_number(to, 'a', count);
    for (size_t i = 0; i < count && fed; i++) fed = feed_json(to, json_array_get(array, i), depth + 1);
    return fed;
}

static bool feed_json(EVP_MD_CTX *to, const json_t *json, int depth) {
    if (depth > CACHE_KEY_DEPTH_MAX) return false;
    if (!json) return feed_number(to, '-', 0);
    switch (json_typeof(json)) {
    case JSON_OBJECT: return feed_object(to, json, depth);
    case JSON_ARRAY: return feed_array(to, json, depth);
    case JSON_STRING: return feed_bytes(to, 's', json_string_value(json), json_string_length(json));
    case JSON_INTEGER: return feed_number(to, 'i', (uint64_t)json_integer_value(json));
    case JSON_REAL: return feed_real(to, json_real_value(json));
    case JSON_TRUE: return feed_number(to, 'b', 1);
    case JSON_FALSE: return feed_number(to, 'b', 0);
    case JSON_NULL: return feed_number(to, 'n', 0);
    }
    return false;
}

static bool feed_parts(EVP_MD_CTX *to, const char *const *parts) {
    bool fed = feed_bytes(to, 'p', MAKE, sizeof MAKE - 1);
    for (; *parts && fed; parts++) fed = feed_bytes(to, 'p', *parts, strlen(*parts));
    return fed;
}

bool cache_key_make(const char *const *parts, const json_t *body, char out[CACHE_KEY_BYTES]) {
    cleanup(clean_digest) EVP_MD_CTX *digest = EVP_MD_CTX_new();
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    out[0] = '\0';
    if (!digest || !EVP_DigestInit_ex(digest, EVP_sha256(), NULL)) return false;
    if (!feed_parts(digest, parts) || !feed_json(digest, body, 0)) return false;
    if (!EVP_DigestFinal_ex(digest, sum, &size) || size * 2 + 1 != CACHE_KEY_BYTES) return false;
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < size; i++) {
        out[2 * i] = digits[sum[i] >> 4];
        out[2 * i + 1] = digits[sum[i] & 15];
    }
    out[2 * size] = '\0';
    return true;
}
