/* What a request's URL asks the test provider to do wrong: /faults/<name>=<value>;…/v1/… */
#ifndef PROVIDER_FAULT_H
#define PROVIDER_FAULT_H

#include <stdbool.h>

/* Numbers that are not asked for are 0. */
typedef struct fault {
    int status;          /* answer with this status and an error body */
    int retry_after;     /* and this header, in seconds */
    int delay_ms;        /* before the reply */
    int chunk_delay_ms;  /* before each chunk of a stream */
    int tokens;          /* words in the reply */
    int cut_after;       /* close the connection: after so many chunks of a stream, or bytes of a plain reply */
    int error_in_stream; /* after so many chunks, an error object and the end */
    int split;           /* write so many bytes at a time */
    bool garbage, no_usage, no_done, crlf, hang, empty, reflect;
    char content_type[64]; /* instead of the right one; "" : no */
} fault;

/* Reads the faults at the beginning of `path` and returns what follows them ("/v1/…"); NULL if they are wrong. */
const char *fault_parse(const char *path, fault *out);

#endif
