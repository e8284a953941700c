/* The text of schema/event.h, with one field more. */
#include "subscribers/event_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `,"offset":` and 20 digits, `}`, newline, NUL. */
#define TAIL_BYTES 40

char *event_line(const steno_event *event, size_t *size) {
    char *json = steno_event_json(event);
    if (!json) return NULL;
    const size_t head = strlen(json) - 1; /* without its brace: an event has one field at least, its name */
    char *line = realloc(json, head + TAIL_BYTES);
    if (!line) {
        free(json);
        return NULL;
    }
    *size = head + (size_t)snprintf(line + head, TAIL_BYTES, ",\"offset\":%" PRIu64 "}\n", steno_event_offset(event));
    return line;
}
