/* Server-sent events (WHATWG HTML, section 9.2), as they come in: any split of the bytes gives the same events. Bytes are not decoded,
 * so a character may be split too. One thread at a time.
 */
#ifndef CLIENT_SSE_H
#define CLIENT_SSE_H

#include "schema/buffer.h"
#include "schema/error.h"

/* Longest event. A chunk of a reply has some hundred bytes; images come as one event of some megabytes. */
#define SSE_EVENT_BYTES_MAX (16u << 20)

/* Called with each event that has data; `name` is "" where the stream gives none. Borrowed. Returning anything but STENO_OK ends the feeding with it. */
typedef steno_status (*sse_event_fn)(const char *name, const char *data, size_t size, void *ctx);

/* Begin with {.on_event = …, .ctx = …}. */
typedef struct sse {
    sse_event_fn on_event;
    void *ctx;
    buffer line, name, data;
    bool has_data;
    bool after_cr; /* the last byte was a CR: a LF now belongs to it */
    bool begun;    /* the byte order mark can't come any more */
} sse;

/* STENO_LIMIT: an event is too long. STENO_NO_MEMORY. Else what on_event returned. */
steno_status sse_feed(sse *self, const char *bytes, size_t size, steno_error *error);
/* The stream is over: an event that lacks its blank line is given out. */
steno_status sse_end(sse *self, steno_error *error);
void sse_free(sse *self);

#endif
