/* Which of the hooks an event is for. */
#include "client/hooks.h"

#include "schema/sized.h"

steno_status hooks_take(const steno_hooks *given, steno_hooks *out, steno_error *error) {
    *out = (steno_hooks){0};
    return sized_take(out, sizeof *out, given, "steno_hooks", "STENO_HOOKS_INIT", error);
}

steno_event_fn hooks_function(const steno_hooks *hooks, steno_event_kind kind) {
    switch (kind) {
    case STENO_PRE_API_CALL: return hooks->pre_api_call;
    case STENO_STREAM_EVENT: return hooks->stream_event;
    case STENO_POST_API_CALL: return hooks->post_api_call;
    case STENO_SUCCESS: return hooks->success;
    case STENO_FAILURE: return hooks->failure;
    case STENO_CUSTOM: break;
    }
    return NULL;
}
