/* Synchronous calls: the calling thread drives curl. */
#include <errno.h>
#include <time.h>

#include "client/call.h"

static void rest(int64_t ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (ms > 0 && nanosleep(&left, &left) && errno == EINTR) {
    }
}

static steno_status perform(steno_client *client, const steno_request *request, call_kind kind, bool stream,
                            steno_chunk_fn on_chunk, void *ctx, steno_response **out, steno_error *error) {
    steno_error ignored;
    if (!error) error = &ignored;
    *error = (steno_error){0};
    *out = NULL;
    call *self = call_new(client, request, kind, stream, false, on_chunk, ctx);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for a call");
    CURL *handle = call_goes_on(self) ? handle_take(&client->handles) : NULL;
    while (call_goes_on(self)) {
        rest(self->rest_ms);
        if (!handle) {
            call_fail(self, "no memory for a connection");
            break;
        }
        CURLcode code = call_start(self, handle) ? CURLE_OK : curl_easy_perform(handle);
        call_end_attempt(self, handle, code);
    }
    steno_status status = call_finish(self, out, error);
    if (handle) handle_give(&client->handles, handle);
    call_free(self);
    return status;
}

steno_status steno_complete(steno_client *client, const steno_request *request, steno_response **out,
                            steno_error *error) {
    return perform(client, request, CALL_CHAT, false, NULL, NULL, out, error);
}

steno_status steno_complete_stream(steno_client *client, const steno_request *request, steno_chunk_fn on_chunk,
                                   void *ctx, steno_response **out, steno_error *error) {
    return perform(client, request, CALL_CHAT, true, on_chunk, ctx, out, error);
}

steno_status steno_embed(steno_client *client, const steno_request *request, steno_response **out, steno_error *error) {
    return perform(client, request, CALL_EMBEDDING, false, NULL, NULL, out, error);
}
