/* Synchronous calls: the calling thread drives curl. */
#include "client/call.h"

static steno_status perform(steno_client *client, const steno_request *request, call_kind kind, bool stream,
                            steno_chunk_fn on_chunk, void *ctx, steno_response **out, steno_error *error) {
    steno_error ignored;
    if (!error) error = &ignored;
    *error = (steno_error){0};
    *out = NULL;
    call *self = call_new(client, request, kind, stream, false, on_chunk, ctx);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for a call");
    CURL *handle = self->error.status ? NULL : handle_take(&client->handles);
    bool sent = handle && !call_start(self, handle);
    CURLcode code = sent ? curl_easy_perform(handle) : CURLE_OUT_OF_MEMORY;
    if (!handle && !self->error.status) steno_fail(&self->error, STENO_NO_MEMORY, "no memory for a connection");
    steno_status status = call_finish(self, sent ? handle : NULL, code, out, error);
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
