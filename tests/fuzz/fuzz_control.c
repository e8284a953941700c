/* Any bytes as a request to the control socket, answered by the daemon's own verbs over a log in memory. */
#include <stdlib.h>

#include "daemon/verbs.h"
#include "schema/draft.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const place where = {.spool = "/nonexistent", .state = "/nonexistent"};
static intake in;
static reports told;
static store *log_db;
static steno_draft *reply;

/* A log with a few events, so that there is something to replay. */
static void open_log(void) {
    steno_error error;
    if (store_open(":memory:", false, &log_db, &error) || intake_open(&in, where.spool, log_db, &error)) abort();
    reply = steno_draft_new();
    for (int i = 0; i < 20; i++) {
        const void *body;
        size_t size;
        steno_draft_start(reply);
        steno_draft_string(reply, "event", i % 2 ? "success" : "test.event");
        steno_draft_string(reply, "call_id", "c");
        if (steno_draft_finish(reply, &body, &size, &error) || intake_own_event(&in, body, size, &error)) abort();
    }
    if (store_write(log_db, &in.batch, &error)) abort();
    intake_stored(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (!log_db) open_log();
    control_message *request;
    if (size > CONTROL_REQUEST_BYTES_MAX || control_decode(bytes, size, &request, NULL)) return 0;
    const verb_view view = {.where = &where, .store = log_db, .intake = &in, .reports = &told};
    const char *name = control_string(request, "verb");
    verb_fn verb = name ? verb_find(name) : NULL;
    char message[STENO_ERROR_MESSAGE_BYTES] = "there is no such verb";
    const char *code = verb ? verb(&view, request, reply, message) : "unknown_verb";
    if (code) control_reply_error(reply, request, code, message);
    const void *body;
    size_t body_size;
    control_message *answer;
    if (draft_finish_whole(reply, CONTROL_BYTES_MAX, &body, &body_size, NULL)) abort();
    if (control_decode(body, body_size, &answer, NULL))
        abort(); /* what we answer must be readable, whatever was asked */
    control_free(answer);
    control_free(request);
    return 0;
}
