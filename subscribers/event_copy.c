/* The bytes are copied and decoded anew. */
#include "subscribers/event_copy.h"

#include <stdlib.h>
#include <string.h>

steno_event *event_copy(const steno_event *event, void **body) {
    size_t size;
    const void *bytes = steno_event_body(event, &size);
    steno_event *copy = NULL;
    *body = malloc(size);
    if (*body) memcpy(*body, bytes, size);
    if (!*body || steno_event_decode(*body, size, &copy, NULL)) {
        free(*body);
        *body = NULL;
        return NULL;
    }
    steno_event_set_offset(copy, steno_event_offset(event));
    return copy;
}

void event_copy_free(steno_event *event, void *body) {
    steno_event_free(event);
    free(body);
}
