/* What a request's URL asks the test provider to do wrong: /faults/<name>=<value>;…/<the provider's own path> */
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
    int byte_delay_ms;   /* and wait so long before each write */
    int chunk_bytes;     /* a stream's first chunk has a text of so many bytes */
    int fail_first;      /* all this is for the first so many requests with the same id; later ones are answered well */
    bool garbage, no_usage, no_done, crlf, hang, empty, reflect;
    char content_type[64]; /* instead of the right one, with ':' for '/'; "" : no */
    char code[64];         /* of the error; "" : the one that goes with the status */
    char id[32];           /* of a series of requests (fail_first) */
} fault;

/* Reads the faults at the beginning of `path` and returns what follows them ("/v1/…"); NULL if they are wrong. */
const char *fault_parse(const char *path, fault *out);

#endif
