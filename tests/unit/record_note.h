/* What a parser of streams (client/sse.c, aws_frames.c) gives its records to, in tests. */
#ifndef TEST_RECORD_NOTE_H
#define TEST_RECORD_NOTE_H

#include <stddef.h>

#include "schema/error.h"

/* Writes each record as "name|data~" into a buffer, which is `ctx`. */
steno_status record_note(const char *name, const char *data, size_t size, void *ctx);
/* Wants no more of them, and counts how often it had to say so in an int, which is `ctx`. */
steno_status record_refuse(const char *name, const char *data, size_t size, void *ctx);

#endif
