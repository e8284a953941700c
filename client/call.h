/* One call, from its request to its terminal event, over as many attempts as it takes. It knows what to send and what a reply means; the engines
 * (sync.c, async.c) only drive curl and wait. A call belongs to one thread at a time.
 * Order: call_new, then while call_goes_on: rest self->rest_ms, call_start, curl, call_end_attempt; at last call_finish.
 */
#ifndef CLIENT_CALL_H
#define CLIENT_CALL_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "client/aws_frames.h"
#include "client/client.h"
#include "client/ndjson.h"
#include "client/response.h"
#include "client/sse.h"
#include "client/stream_assembly.h"
#include "client/target.h"
#include "schema/buffer.h"
#include "schema/identity.h"

/* A reply larger than this is refused: it could not be logged either. */
#define CALL_REPLY_BYTES_MAX (64u << 20)
/* A provider that asks for a longer pause than this is not waited for: the call fails, or falls back. */
#define CALL_RETRY_AFTER_MS_MAX 60000
/* Longest pause between attempts that the provider did not ask for. */
#define CALL_RETRY_DELAY_MS_MAX 30000
/* SHA-256 as hex, with NUL. */
#define CALL_CACHE_KEY_BYTES 65

/* An earlier stage's event, kept for the hooks of the later ones. */
typedef struct kept_event {
    steno_event *event;
    void *body; /* what it was decoded from */
} kept_event;

/* What one attempt brought. Begins anew with each. */
typedef struct attempt {
    buffer bytes; /* the reply as it came */
    int http_status;
    bool streams; /* the reply is a stream */
    sse events;   /* one of these three cuts it into records */
    ndjson lines;
    aws_frames frames;
    wire_stream stream;
    stream_assembly assembly;
    const json_t *record; /* what is being read, and its text: a chunk that is passed through as it is */
    const char *record_text;
    bool ending; /* no more bytes will come */
    bool done;   /* the stream said [DONE] */
    size_t chunks;
    int64_t time_ms;        /* that it may take */
    int64_t retry_after_ms; /* what the provider asked for; -1: nothing */
    json_t *headers;        /* those that are logged */
    steno_response *response;
    steno_error error; /* why it failed; status STENO_OK: it did not, so far */
    char trace[512];   /* where it failed, as far down as is known */
} attempt;

typedef struct call {
    steno_client *client; /* borrowed */
    call_kind kind;
    bool stream, async, drop;
    unsigned privacy; /* STENO_NO_… */
    steno_chunk_fn on_chunk;
    void *on_chunk_ctx;
    atomic_bool cancelled;

    /* where it goes */
    target to;
    json_t *params, *extra_headers; /* kept for fallbacks; NULL: there are none */
    json_t *fallbacks;              /* array of models */
    char *first_asked, *first_base; /* the model that they stand in for, and its base URL ("": it had none) */
    size_t fallbacks_used;

    /* whose budgets it may use up; NULL: none */
    char *user;
    json_t *tags;
    char search_context[8]; /* as it was asked for; "": it was not */

    /* how long, how often */
    int64_t timeout_ms, try_timeout_ms, deadline_ms; /* the latter on the monotonic clock, from the first attempt on */
    unsigned retries, tries;                         /* attempts of this target so far */
    unsigned attempts;                               /* in all */
    int64_t rest_ms;                                 /* before the next attempt */
    bool over;                                       /* there is no next one */
    char curl_error[CURL_ERROR_SIZE];

    /* what its events share, encoded once */
    char call_id[IDENTITY_TEXT_BYTES];
    steno_draft *ids, *labels, *common, *content, *sent, *event;
    steno_draft *redacted; /* NULL: there is no redactor */
    kept_event pre, post;

    /* how it goes */
    double start_time, first_token_time, end_time; /* Unix seconds; 0: not yet */
    attempt now;

    /* the cache */
    char cache_key[CALL_CACHE_KEY_BYTES]; /* "": it is not asked, or not for this call */
    bool cache_hit;
    int64_t cache_ttl_ms;
} call;

/* Makes a call of a request, which is only read. A request that can't be sent, or that the cache answered, makes a call that is over: finish it right
 * away. NULL when memory is short.
 */
call *call_new(steno_client *client, const steno_request *request, call_kind kind, bool stream, bool async,
               steno_chunk_fn on_chunk, void *ctx);
/* There is an attempt to make, and the money for it. */
bool call_goes_on(call *self);
/* Publishes `pre_api_call` and prepares the handle. STENO_OK: it can be performed; else the attempt failed: end it. */
steno_status call_start(call *self, CURL *handle);
/* Reads what came, publishes `post_api_call`, and decides what is next: another attempt after self->rest_ms, or the end. */
void call_end_attempt(call *self, CURL *handle, CURLcode code);
/* Publishes the terminal event. *out is the response, also, where the call failed, what there is of it; owned by the caller. */
steno_status call_finish(call *self, steno_response **out, steno_error *error);
/* Ends a call that was cancelled between attempts, or before the first. */
void call_cancel(call *self);
/* Ends a call that can't be made, for want of memory or the like. */
void call_fail(call *self, const char *reason);
void call_free(call *self);

/* ---- call_events.c ---- */

/* Encodes what the events share: all that depends on the request, then all that depends on the target. */
void call_events_begin(call *self, const steno_request *request);
void call_events_retarget(call *self);
void call_publish_pre(call *self);
void call_publish_chunk(call *self, const json_t *chunk);
/* `handle` for its timings. */
void call_publish_post(call *self, CURL *handle);
/* The terminal event: `failure` if the last attempt failed, else `success`. */
void call_publish_end(call *self);
void call_events_free(call *self);

/* ---- call_cache.c ---- */

/* Asks the cache; what it answers ends the call. */
void call_cache_ask(call *self, const steno_request *request);
/* Gives a hit out as chunks, where the call is streamed. False: the application wants no more of it. */
bool call_cache_replay(call *self);
/* Keeps the response of a call that succeeded. */
void call_cache_keep(const call *self);
/* What the response would have cost; STENO_UNKNOWN: not known. */
int64_t call_price(const call *self, const steno_response *response);

#endif
