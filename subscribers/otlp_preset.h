/* Receivers that people already have variables for: what follows from `--to langfuse` and `--to phoenix`. */
#ifndef SUBSCRIBERS_OTLP_PRESET_H
#define SUBSCRIBERS_OTLP_PRESET_H

#include "schema/error.h"
#include "subscribers/otlp_resource.h"

#define OTLP_PRESET_HEADERS_MAX 4

/* Begin with {0}. */
typedef struct otlp_preset {
    char *endpoint;                             /* the base; /v1/traces comes below it. Owned */
    const char *attributes;                     /* as for --attributes; static */
    const char *project;                        /* Phoenix's; NULL: its default. Borrowed from the environment */
    otlp_pair headers[OTLP_PRESET_HEADERS_MAX]; /* owned */
    size_t header_count;
} otlp_preset;

/* From LANGFUSE_BASE_URL (or LANGFUSE_HOST), LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY; or from PHOENIX_COLLECTOR_ENDPOINT, PHOENIX_API_KEY,
 * PHOENIX_PROJECT_NAME. STENO_INVALID: no such preset, or a variable is missing.
 */
steno_status otlp_preset_make(const char *name, otlp_preset *out, steno_error *error);
void otlp_preset_free(otlp_preset *preset);

#endif
