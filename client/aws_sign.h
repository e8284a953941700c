/* AWS Signature Version 4 of a request. libcurl has one, too, but before 8.9 it signs the path as it is sent, where AWS wants it encoded once more
 * ("%3A" → "%253A"): no model with a ':' in its name could be called.
 */
#ifndef CLIENT_AWS_SIGN_H
#define CLIENT_AWS_SIGN_H

#include <curl/curl.h>
#include <time.h>

#include "client/aws_credentials.h"

/* A request that is to be signed. All borrowed. */
typedef struct aws_request {
    const char *service; /* "bedrock" */
    const char *method;  /* "POST" */
    const char *url;     /* as curl gets it, percent-encoded */
    const void *body;
    size_t size;
} aws_request;

/* Headers that are signed beside the host: Content-Type and those that begin with "X-Amz-". */
#define AWS_SIGNED_HEADERS_MAX 32
/* Parameters in a URL; Bedrock's have none. */
#define AWS_QUERY_PARAMETERS_MAX 32

/* Adds X-Amz-Date, X-Amz-Security-Token (where there is a session token) and Authorization to the headers, which must have the request's own
 * Content-Type already. What an earlier signing put there is taken out, so each attempt is signed anew: a signature is good for five minutes.
 * *headers is changed on success alone, and then another list. STENO_NOT_FOUND: no keys or no region. STENO_INVALID: no URL. STENO_NO_MEMORY.
 */
steno_status aws_sign(const aws_credentials *with, const aws_request *request, time_t now, struct curl_slist **headers,
                      steno_error *error);

#endif
