/* Reads --from. */
#include "cli/from.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "subscribers/steno_subscriber.h"

bool from_parse(const char *text, int64_t *out) {
    char *end;
    if (strcmp(text, "beginning") == 0 || strcmp(text, "now") == 0) {
        *out = *text == 'b' ? STENO_FROM_BEGINNING : STENO_FROM_NOW;
        return true;
    }
    errno = 0;
    *out = strtoll(text, &end, 10);
    return end != text && !*end && errno == 0 && *out > 0;
}
