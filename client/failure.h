/* What kind of failure it was: one type for each way a call can go wrong (EVENTS.md, "Errors"), from what provider and curl say. */
#ifndef CLIENT_FAILURE_H
#define CLIENT_FAILURE_H

#include <curl/curl.h>
#include <jansson.h>

#include "schema/error.h"

/* Fills in `error` for a call that failed: status STENO_FAILED, the type, whether a retry makes sense, a printf-style message. */
void failure_set(steno_error *error, const char *type, int http_status, bool retryable, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The provider answered with an error: `json` is its body or the error chunk of a stream (NULL: it was no JSON, `text` is its beginning). */
void failure_from_reply(steno_error *error, int http_status, const json_t *json, const char *text);
/* curl could not do it. `url` names the host; `detail` is curl's own sentence, may be "". */
void failure_from_curl(steno_error *error, CURLcode code, const char *url, const char *detail, int64_t timeout_ms);

#endif
