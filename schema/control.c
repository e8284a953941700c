/* Requests and replies of the control socket as msgpack maps; who sends them over which socket is not known here. */
#include "schema/control.h"

#include <stdlib.h>
#include <string.h>

#include "schema/value.h"

struct control_message {
    value_tree tree;
};

steno_status control_decode(const void *body, size_t size, control_message **out, steno_error *error) {
    *out = NULL;
    control_message *message = calloc(1, sizeof *message);
    if (!message) return steno_fail(error, STENO_NO_MEMORY, "no memory for a control message");
    steno_status status = value_tree_decode(body, size, CONTROL_BYTES_MAX, &message->tree, error);
    if (!status && message->tree.unpacked.data.type != MSGPACK_OBJECT_MAP)
        status = steno_fail(error, STENO_CORRUPT, "a control message is a map, this is something else");
    if (status) {
        control_free(message);
        return status;
    }
    *out = message;
    return STENO_OK;
}

void control_free(control_message *message) {
    if (!message) return;
    value_tree_free(&message->tree);
    free(message);
}

const steno_value *control_value(const control_message *message) { return object_value(&message->tree.unpacked.data); }

const steno_value *control_get(const control_message *message, const char *name) {
    return steno_value_get(control_value(message), name);
}

const char *control_string(const control_message *message, const char *name) {
    const steno_value *value = control_get(message, name);
    return steno_value_type(value) == STENO_TYPE_STRING ? steno_value_string(value, NULL) : NULL;
}

bool control_name_valid(const char *name) {
    size_t size = strlen(name);
    return size > 0 && size < CONTROL_NAME_BYTES &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == size;
}

static void begin(steno_draft *draft, const control_message *request, bool ok) {
    steno_draft_start(draft);
    steno_draft_bool(draft, "ok", ok);
    const steno_value *id = request ? control_get(request, "id") : NULL;
    if (id) steno_draft_value(draft, "id", id);
}

void control_reply_begin(steno_draft *draft, const control_message *request) { begin(draft, request, true); }

void control_reply_error(steno_draft *draft, const control_message *request, const char *code, const char *message) {
    begin(draft, request, false);
    steno_draft_map_begin(draft, "error");
    steno_draft_string(draft, "code", code);
    steno_draft_string(draft, "message", message);
    steno_draft_map_end(draft);
}
