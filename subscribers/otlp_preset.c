#include "subscribers/otlp_preset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "schema/clean.h"
#include "subscribers/otlp_arena.h"

#define LANGFUSE_DEFAULT "https://cloud.langfuse.com"
#define PHOENIX_DEFAULT "http://localhost:6006"
/* A key longer than this is none. */
#define KEY_BYTES_MAX 4096

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static void add_header(otlp_preset *self, const char *key, char *value) {
    otlp_pair *header = &self->headers[self->header_count++];
    header->key = otlp_memory(strdup(key));
    header->value = otlp_memory(value);
}

/* `base` without the slashes at its end, and `path`. */
static char *join(const char *base, const char *path) {
    size_t length = strlen(base);
    char *url;
    while (length && base[length - 1] == '/') length--;
    return otlp_memory(asprintf(&url, "%.*s%s", (int)length, base, path) < 0 ? NULL : url);
}

static steno_status make_langfuse(otlp_preset *self, steno_error *error) {
    const char *base = variable("LANGFUSE_BASE_URL") ? variable("LANGFUSE_BASE_URL") : variable("LANGFUSE_HOST");
    const char *public = variable("LANGFUSE_PUBLIC_KEY"), *secret = variable("LANGFUSE_SECRET_KEY");
    if (!public || !secret || strlen(public) + strlen(secret) > KEY_BYTES_MAX)
        return steno_fail(error, STENO_INVALID,
                          "--to langfuse: LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY must be set");
    self->endpoint = join(base ? base : LANGFUSE_DEFAULT, "/api/public/otel");
    self->attributes = "langfuse";
    cleanup_free char *keys = NULL;
    keys = otlp_memory(asprintf(&keys, "%s:%s", public, secret) < 0 ? NULL : keys);
    const size_t size = strlen(keys), begun = strlen("Basic ");
    char *value = otlp_memory(malloc(begun + (size + 2) / 3 * 4 + 1));
    strcpy(value, "Basic ");
    EVP_EncodeBlock((unsigned char *)value + begun, (const unsigned char *)keys, (int)size);
    add_header(self, "Authorization", value);
    add_header(self, "x-langfuse-ingestion-version", strdup("4")); /* without it data may show up ten minutes late */
    return STENO_OK;
}

static steno_status make_phoenix(otlp_preset *self) {
    const char *base = variable("PHOENIX_COLLECTOR_ENDPOINT"), *key = variable("PHOENIX_API_KEY");
    self->endpoint = join(base ? base : PHOENIX_DEFAULT, "");
    /* Some give the whole address: it is the same then. */
    char *path = strstr(self->endpoint, "/v1/traces");
    if (path && !path[strlen("/v1/traces")]) *path = '\0';
    self->attributes = "openinference";
    self->project = variable("PHOENIX_PROJECT_NAME");
    char *bearer = NULL;
    if (key && asprintf(&bearer, "Bearer %s", key) < 0) bearer = NULL;
    if (key) add_header(self, "Authorization", bearer);
    return STENO_OK;
}

steno_status otlp_preset_make(const char *name, otlp_preset *out, steno_error *error) {
    if (!strcmp(name, "langfuse")) return make_langfuse(out, error);
    if (!strcmp(name, "phoenix")) return make_phoenix(out);
    return steno_fail(error, STENO_INVALID, "--to %s: it can be langfuse or phoenix", name);
}

void otlp_preset_free(otlp_preset *preset) {
    free(preset->endpoint);
    for (size_t i = 0; i < preset->header_count; i++) {
        free(preset->headers[i].key);
        free(preset->headers[i].value);
    }
    *preset = (otlp_preset){0};
}
