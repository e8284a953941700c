/* Typing of failures. The provider's own message is kept; what curl says gets the host and what to do. */
#include "client/failure.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* How much of a body that is no JSON is shown. */
#define TEXT_BYTES_SHOWN 300

void failure_set(steno_error *error, const char *type, int http_status, bool retryable, const char *format, ...) {
    *error = (steno_error){.status = STENO_FAILED, .http_status = http_status, .retryable = retryable};
    snprintf(error->type, sizeof error->type, "%s", type);
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
}

/* What providers call it, in `code`, `type` or the message, where the HTTP status does not say enough. First match wins. */
static const struct {
    const char *word;
    const char *type;
} words[] = {
    {"context_length_exceeded", "ContextWindowExceeded"},
    {"maximum context length", "ContextWindowExceeded"},
    {"context window", "ContextWindowExceeded"},
    {"prompt is too long", "ContextWindowExceeded"},                   /* Anthropic */
    {"exceed context limit", "ContextWindowExceeded"},                 /* Anthropic, with max_tokens */
    {"exceeds the maximum number of tokens", "ContextWindowExceeded"}, /* Gemini */
    {"content_filter", "ContentPolicy"},
    {"content_policy", "ContentPolicy"},
    {"content management policy", "ContentPolicy"},
    {"invalid_prompt", "BadRequest"}, /* OpenAI's Responses, within a reply of status 200 */
    {"invalid_image", "BadRequest"},
    {"invalid_api_key", "Authentication"},
    {"authentication_error", "Authentication"},
    {"API key not valid", "Authentication"}, /* Gemini, with status 400 */
    {"permission_error", "PermissionDenied"},
    {"insufficient_quota", "RateLimit"},
    {"Input is too long", "ContextWindowExceeded"},               /* Bedrock, and what follows */
    {"security token included in the request", "Authentication"}, /* invalid, or expired */
    {"request signature we calculated", "Authentication"},
    {"Signature expired", "Authentication"},
    {"Signature not yet current", "Authentication"},
    {"Authentication failed", "Authentication"},
    {"ResponsibleAIPolicyViolation", "ContentPolicy"}, /* Azure */
    {"rate_limit", "RateLimit"},
    {"overloaded", "ServiceUnavailable"},
};

/* What Anthropic's `type` alone says: of an error within a stream, which has no status of its own. With one these words say less than it. */
static const struct {
    const char *word;
    const char *type;
} kinds[] = {
    {"not_found_error", "NotFound"},     {"invalid_request_error", "BadRequest"},
    {"request_too_large", "BadRequest"}, {"billing_error", "PermissionDenied"},
    {"timeout_error", "Timeout"},
};

static const struct {
    int status;
    const char *type;
    bool retryable;
} statuses[] = {
    {400, "BadRequest", false},        {401, "Authentication", false},
    {403, "PermissionDenied", false},  {404, "NotFound", false},
    {405, "BadRequest", false},        {408, "Timeout", true},
    {409, "ServiceUnavailable", true}, {413, "BadRequest", false},
    {422, "BadRequest", false},        {424, "InternalServer", true},
    {425, "ServiceUnavailable", true}, {429, "RateLimit", true},
    {500, "InternalServer", true},     {502, "ServiceUnavailable", true},
    {503, "ServiceUnavailable", true}, {504, "Timeout", true},
    {529, "ServiceUnavailable", true},
};

static const char *type_of_status(int status, bool *retryable) {
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status == status) {
            *retryable = statuses[i].retryable;
            return statuses[i].type;
        }
    *retryable = status >= 500 || status < 400;
    return status >= 500 || status < 400 ? "InternalServer" : "BadRequest";
}

static bool retryable_type(const char *type) {
    return !strcmp(type, "RateLimit") || !strcmp(type, "ServiceUnavailable") || !strcmp(type, "Timeout");
}

/* A string member, "" if there is none. */
static const char *member(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* The code may be a number, and is then a status (OpenRouter, Gemini's compatible endpoint). */
static int status_in(const json_t *detail, int http_status) {
    json_int_t code = json_integer_value(json_object_get(detail, "code"));
    return http_status < 400 && code >= 400 && code < 600 ? (int)code : http_status;
}

void failure_from_reply(steno_error *error, int http_status, const json_t *json, const char *text) {
    const json_t *detail = json_object_get(json_is_array(json) ? json_array_get(json, 0) : json, "error");
    const char *message = json_is_string(detail) ? json_string_value(detail) : member(detail, "message");
    if (!*message) message = member(json, "message");
    if (!*message) message = member(json, "detail");
    if (!*message) message = member(json, "Message"); /* AWS */
    int status = status_in(detail, http_status);
    bool retryable;
    const char *type = type_of_status(status, &retryable),
               *inner = member(json_object_get(detail, "innererror"), "code");
    for (size_t i = 0; status < 400 && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(member(detail, "type"), kinds[i].word)) {
            type = kinds[i].type;
            retryable = retryable_type(type);
        }
    /* The words refine what the status leaves open; a 5xx stays what it is. */
    for (size_t i = 0; status < 500 && i < sizeof words / sizeof *words; i++)
        if (strcasestr(member(detail, "code"), words[i].word) || strcasestr(member(detail, "type"), words[i].word) ||
            strcasestr(message, words[i].word) || strcasestr(inner, words[i].word)) {
            type = words[i].type;
            retryable = retryable_type(type);
            break;
        }
    /* An account without credit does not get it by waiting. */
    if (strcasestr(member(detail, "code"), "insufficient_quota")) retryable = false;
    if (http_status >= 300 && http_status < 400)
        failure_set(error, "BadRequest", http_status, false,
                    "the provider redirects (HTTP %d), which is not followed because the key would go along: check the "
                    "base URL",
                    http_status);
    else if (*message)
        failure_set(error, type, http_status, retryable, "%s", message);
    else
        failure_set(error, type, http_status, retryable, "HTTP %d%s%.*s", http_status, text && *text ? ": " : "",
                    TEXT_BYTES_SHOWN, text ? text : "");
}

void failure_from_curl(steno_error *error, CURLcode code, const char *url, const char *detail, int64_t timeout_ms) {
    const char *reason = *detail ? detail : curl_easy_strerror(code);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        failure_set(error, "Timeout", 0, true, "no complete answer from %s within %lld ms (%s)", url,
                    (long long)timeout_ms, reason);
        break;
    case CURLE_COULDNT_RESOLVE_HOST:
        failure_set(error, "Connection", 0, true, "cannot reach %s: %s: check the base URL and the network", url,
                    reason);
        break;
    case CURLE_COULDNT_CONNECT:
        failure_set(error, "Connection", 0, true, "cannot reach %s: %s: is the server running?", url, reason);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        failure_set(error, "Connection", 0, false,
                    "no trusted TLS connection to %s: %s: check the base URL, the clock and the certificate "
                    "(SSL_CERT_FILE names "
                    "other ones)",
                    url, reason);
        break;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        failure_set(error, "BadRequest", 0, false,
                    "\"%s\" is not a URL to call (%s): it must begin with https:// or http://", url, reason);
        break;
    case CURLE_OUT_OF_MEMORY: failure_set(error, "Connection", 0, true, "out of memory while calling %s", url); break;
    default: failure_set(error, "Connection", 0, true, "the connection to %s failed: %s", url, reason); break;
    }
}
