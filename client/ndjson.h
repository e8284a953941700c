/* JSON values one a line (NDJSON), as they come in: any split of the bytes gives the same lines. One thread at a time. */
#ifndef CLIENT_NDJSON_H
#define CLIENT_NDJSON_H

#include "schema/buffer.h"
#include "schema/error.h"

/* Longest line, as of an event (sse.h). */
#define NDJSON_LINE_BYTES_MAX (16u << 20)

/* Called with each line that is not empty, without its end, followed by a NUL; `name` is always "". Borrowed. Returning anything but STENO_OK ends the
 * feeding with it.
 */
typedef steno_status (*ndjson_line_fn)(const char *name, const char *line, size_t size, void *ctx);

/* Begin with {.on_line = …, .ctx = …}. */
typedef struct ndjson {
    ndjson_line_fn on_line;
    void *ctx;
    buffer line; /* what came of it */
} ndjson;

/* STENO_LIMIT: a line is too long. STENO_NO_MEMORY. Else what on_line returned. */
steno_status ndjson_feed(ndjson *self, const char *bytes, size_t size, steno_error *error);
/* The stream is over: a line that lacks its end is given out. */
steno_status ndjson_end(ndjson *self);
void ndjson_free(ndjson *self);

#endif
