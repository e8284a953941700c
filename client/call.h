/* One call, from its request to its terminal event. It knows what to send and what a reply means; the engines (sync.c, async.c) only drive
 * curl. A call belongs to one thread at a time. Order: call_new, then unless it was rejected call_start and curl, then call_finish.
 */
#ifndef CLIENT_CALL_H
#define CLIENT_CALL_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "client/client.h"
#include "client/providers/table.h"
#include "client/response.h"
#include "client/sse.h"
#include "client/stream_assembly.h"
#include "schema/buffer.h"
#include "schema/identity.h"

/* A reply larger than this is refused: it could not be logged either. */
#define CALL_REPLY_BYTES_MAX (64u << 20)

/* An earlier stage's event, kept for the hooks of the later ones. */
typedef struct kept_event {
    steno_event *event;
    void *body; /* what it was decoded from */
} kept_event;

typedef struct call {
    steno_client *client; /* borrowed */
    call_kind kind;
    bool stream, async;
    steno_chunk_fn on_chunk;
    void *on_chunk_ctx;
    atomic_bool cancelled;

    /* where it goes */
    const provider *provider;
    const wire *by;
    char *asked_model;
    const char *model;    /* in asked_model, without the prefix */
    char *api_key;        /* NULL: none */
    char *url, *api_base; /* the latter masked, for events */
    int64_t timeout_ms;
    json_t *body; /* only while the call is made: its values are the request's, which may change after that */
    buffer body_text;
    struct curl_slist *headers;
    char curl_error[CURL_ERROR_SIZE];

    /* what its events share, encoded once */
    char call_id[IDENTITY_TEXT_BYTES];
    steno_draft *common, *content, *sent, *event;
    kept_event pre, post;

    /* how it goes */
    double start_time, first_token_time, end_time; /* Unix seconds; 0: not yet */
    unsigned attempts;
    steno_error error; /* why it fails; status STENO_OK: it does not, so far */
    char trace[512];   /* where it failed, as far down as is known */

    /* what came back */
    buffer reply;
    int http_status;
    bool sse; /* the reply is a stream of events */
    sse parser;
    stream_assembly assembly;
    bool ending; /* no more bytes will come */
    bool done;   /* the stream said [DONE] */
    size_t chunks;
    json_t *reply_headers;
} call;

/* Makes a call of a request, which is only read. A request that can't be sent makes a call whose `error` is set: finish it right away.
 * NULL when memory is short.
 */
call *call_new(steno_client *client, const steno_request *request, call_kind kind, bool stream, bool async,
               steno_chunk_fn on_chunk, void *ctx);
/* Publishes `pre_api_call` and prepares the handle. STENO_OK: it can be performed. */
steno_status call_start(call *self, CURL *handle);
/* Publishes what is left to publish, `post_api_call` (with the handle that was performed) and the terminal event. `handle` NULL: nothing was sent.
 * *out is the response, also, where the call failed, what there is of it; owned by the caller.
 */
steno_status call_finish(call *self, CURL *handle, CURLcode code, steno_response **out, steno_error *error);
void call_free(call *self);

/* ---- call_events.c ---- */

/* Encodes what the events share, all that depends on the request. */
void call_events_begin(call *self, const steno_request *request);
void call_publish_pre(call *self);
void call_publish_chunk(call *self, const json_t *chunk);
/* `handle` for its timings. */
void call_publish_post(call *self, CURL *handle);
/* The terminal event: `failure` if self->error is set, else `success`. `response` may be NULL. */
void call_publish_end(call *self, const steno_response *response);
void call_events_free(call *self);

#endif
