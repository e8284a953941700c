/* What went wrong, as a code and a sentence. Every fallible function of Steno
 * returns a steno_status and fills a steno_error that its caller owns.
 */
#ifndef STENO_ERROR_H
#define STENO_ERROR_H

#include <stdbool.h>

/* A struct that says its own size, the rest of it 0: what the …_INIT macros are. (C++ takes `{.size = …}` from C++20 on.)
 *
 * Such a struct may grow, at its end, and a program and a library of different versions still agree, whichever is older:
 *   handed in, smaller than the library's: what it does not have takes its default;
 *   handed in, larger: fine as long as what the library does not know is 0, else STENO_INVALID;
 *   filled in by the library: `size` bytes at most, and what it does not know is 0;
 *   a size that no version can have (0, beyond 1,024 bytes, no multiple of 8): STENO_INVALID, or nothing is filled in.
 * (For whoever adds a field: not into the padding after the last one, which an older program does not set; and the default is 0.)
 */
#ifdef __cplusplus
template <typename sized> inline sized steno_sized() {
    sized made = sized();
    made.size = sizeof made;
    return made;
}
#define STENO_SIZED(type) steno_sized<type>()
#else
#define STENO_SIZED(type) \
    { .size = sizeof(type) }
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define STENO_API __attribute__((visibility("default")))

/* The outcome of a function. Values are part of the ABI: new ones go to the end. */
typedef enum steno_status {
    STENO_OK = 0,
    STENO_INVALID,   /* an argument or an input is not what it must be */
    STENO_NO_MEMORY, /* an allocation failed */
    STENO_SYSTEM,    /* the operating system refused; the message has its reason */
    STENO_LIMIT,     /* a named limit would be passed */
    STENO_NOT_FOUND, /* what was asked for does not exist */
    STENO_BUSY,      /* somebody else holds it */
    STENO_CORRUPT,   /* stored or received bytes are not in their format */
    STENO_TIMEOUT,   /* it did not happen in time */
    STENO_END,       /* nothing more to read, for now */
    STENO_FAILED,    /* an LLM call failed: error.type says how */
} steno_status;

/* Sizes of the texts below, with their final NUL. */
#define STENO_ERROR_TYPE_BYTES 32
#define STENO_ERROR_MESSAGE_BYTES 1024
#define STENO_ERROR_PROVIDER_BYTES 64

/* A failure in full. The caller owns it (usually on its stack); the callee only fills it in.
 * `type` is set for failed LLM calls: Authentication, PermissionDenied, NotFound, BadRequest,
 * ContextWindowExceeded, ContentPolicy, RateLimit, Timeout, Connection, InternalServer,
 * ServiceUnavailable, Cancelled, MalformedResponse (EVENTS.md, "Errors"); it is empty otherwise.
 */
typedef struct steno_error {
    steno_status status;
    int http_status; /* of the provider's reply, 0 if there was none */
    bool retryable;  /* the same call may work later */
    char type[STENO_ERROR_TYPE_BYTES];
    char provider[STENO_ERROR_PROVIDER_BYTES];
    char message[STENO_ERROR_MESSAGE_BYTES];
} steno_error;

/* Fills `err` (which may be NULL) with a status and a printf-style message, clears its other
 * fields, and returns `status`, so that `return steno_fail(err, …)` reads as one step.
 * A message too long for its field is cut at a UTF-8 boundary.
 */
STENO_API steno_status steno_fail(steno_error *err, steno_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The name of a status ("invalid", "not found"), static. */
STENO_API const char *steno_status_name(steno_status status);

#ifdef __cplusplus
}
#endif
#endif
