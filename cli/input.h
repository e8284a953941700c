/* What comes in on standard input: whole, or line by line, with a limit on each. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "schema/event.h"

/* As much as an event may have before it is cut to its own limit. */
#define INPUT_BYTES_MAX ((size_t)STENO_DRAFT_BYTES_MAX)

/* A line's buffer, used again and again. Start with {0}; free `text` in the end. */
typedef struct input_line {
    char *text; /* NUL-terminated, without its newline */
    size_t size;
    size_t number; /* 1, 2, 3, … */
    bool too_long; /* more than INPUT_BYTES_MAX: `text` is its beginning, the rest was passed over */
    size_t capacity;
} input_line;

/* Reads the next line; false at the end, and when memory is short or reading failed (ferror, or errno ENOMEM: *failed). */
bool input_next(input_line *line, FILE *in, bool *failed);
/* Everything up to the end, NUL-terminated, owned by the caller (free); NULL after telling what is wrong. */
char *input_all(FILE *in, size_t *size);

#endif
