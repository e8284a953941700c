/* Secrets out of files, so that they are neither in ps nor in the environment: one a line; blank lines and lines that begin with # are none.
 * Invariant: what is in a file gets into no message.
 */
#ifndef SUBSCRIBERS_SECRET_FILE_H
#define SUBSCRIBERS_SECRET_FILE_H

#include <stddef.h>

#include "schema/error.h"

#define SECRET_FILE_BYTES_MAX 65536
#define SECRET_FILE_LINES_MAX 64

typedef struct secret_lines {
    char *text; /* owns the bytes of the lines */
    const char *lines[SECRET_FILE_LINES_MAX];
    size_t count;
} secret_lines;

/* STENO_NOT_FOUND, STENO_SYSTEM: it cannot be read; STENO_LIMIT; STENO_INVALID: it has NUL bytes, or no line at all. *out is to be freed by the caller. */
steno_status secret_file_read(const char *path, secret_lines *out, steno_error *error);
/* The same of a text (an environment variable's). `what` names it in messages. */
steno_status secret_lines_parse(const char *text, const char *what, secret_lines *out, steno_error *error);
void secret_lines_free(secret_lines *self);

#endif
