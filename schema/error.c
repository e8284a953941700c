/* Filling in a steno_error. Nothing here allocates or fails. */
#include "schema/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schema/utf8.h"

steno_status steno_fail(steno_error *err, steno_status status, const char *format, ...) {
    if (!err) return status;
    *err = (steno_error){.status = status};
    va_list args;
    va_start(args, format);
    int length = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (length >= (int)sizeof err->message)
        err->message[utf8_valid_prefix(err->message, sizeof err->message - 1)] = '\0';
    return status;
}

const char *steno_status_name(steno_status status) {
    switch (status) {
    case STENO_OK: return "ok";
    case STENO_INVALID: return "invalid";
    case STENO_NO_MEMORY: return "out of memory";
    case STENO_SYSTEM: return "system error";
    case STENO_LIMIT: return "over a limit";
    case STENO_NOT_FOUND: return "not found";
    case STENO_BUSY: return "busy";
    case STENO_CORRUPT: return "corrupt";
    case STENO_TIMEOUT: return "timed out";
    case STENO_END: return "nothing more";
    case STENO_FAILED: return "failed";
    }
    return "unknown";
}
