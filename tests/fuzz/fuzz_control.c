/* Any bytes, decoded as a control message and answered. */
#include <stdlib.h>

#include "schema/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    control_message *message;
    if (control_decode(bytes, size, &message, NULL)) return 0;
    const char *name = control_string(message, "name");
    if (name) control_name_valid(name);
    steno_draft *draft = steno_draft_new();
    control_reply_error(draft, message, "invalid", control_string(message, "verb"));
    const void *body;
    size_t body_size;
    if (steno_draft_finish(draft, &body, &body_size, NULL)) abort();
    steno_draft_free(draft);
    control_free(message);
    return 0;
}
