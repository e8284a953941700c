/* Which family of provider speaks at which path. A family is a file here: what it answers, what its errors look like, where its key is. */
#ifndef PROVIDER_ROUTE_H
#define PROVIDER_ROUTE_H

#include <jansson.h>
#include <microhttpd.h>

#include "tests/provider/fault.h"
#include "tests/provider/reply.h"

/* One request. All borrowed. */
typedef struct exchange {
    struct MHD_Connection *connection;
    const char *path;      /* without the faults: "/v1/chat/completions" */
    const char *uri;       /* as it was sent: with faults, query and escapes */
    const json_t *body;    /* NULL: none, or no JSON */
    const char *body_text; /* as it came */
    size_t body_size;
    const char *reflected; /* what fault `reflect` answers with: headers and body as JSON text, keys masked */
    const fault *faults;
} exchange;

typedef struct route {
    const char *begins, *ends; /* the path's beginning and end; "" for any */
    const char *key_header;    /* the header that must be there; NULL: none is needed */
    reply *(*answer)(const exchange *with);
    /* An error in the family's own shape; `type` and `code` may be NULL. */
    reply *(*error)(unsigned status, const char *message, const char *type, const char *code, const fault *faults);
} route;

/* The first that fits; NULL if there is none. */
const route *route_of(const char *path);

/* ---- the texts that all families answer with ---- */

/* "You said: … Thank you for asking." of the last user text, or what the faults ask for (tokens, reflect). Owned by the caller. */
char *route_answer(const exchange *with, const char *asked);
/* Words of a text: what tokens are here. */
long route_words(const char *text);
/* Calls `add` with each word of `text` and the space behind it. */
void route_each_word(const char *text, void (*add)(const char *word, size_t size, void *ctx), void *ctx);
/* A tool call is answered where the request has tools and its last text has the word "tool" in it. */
bool route_wants_tool(const char *asked);
/* A vector of 8 numbers that depend on the text alone. New reference. */
json_t *route_vector(const char *text);

#endif
