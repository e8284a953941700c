/* Text of others (models, users, providers), made fit to be shown: no byte of it may drive a terminal, all of it is UTF-8. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum text_mode {
    TEXT_RAW,   /* as it is, for pipes and files */
    TEXT_BLOCK, /* newlines and tabs stay, every other control character is shown as ^X */
    TEXT_LINE,  /* the same, and each run of white space is one space: for table cells and messages */
} text_mode;

/* Writes `bytes`. Shown instead of themselves: C0 controls and DEL (^[), C1 controls, marks that reorder
 * text (U+202A to U+202E, U+2066 to U+2069) and bytes that are no UTF-8 (U+FFFD).
 */
void text_put(FILE *out, const char *bytes, size_t size, text_mode mode);
/* A block that is indented by `indent` spaces. */
void text_put_indented(FILE *out, const char *bytes, size_t size, text_mode mode, size_t indent);
/* The text as one safe line; owned by the caller (free), NULL when memory is short. */
char *text_line(const char *bytes, size_t size);
/* A copy with U+FFFD for each byte that is no UTF-8, NUL-terminated, its length in *out_size. Owned by the caller. */
char *text_utf8(const char *bytes, size_t size, size_t *out_size);
/* The length of the well-formed UTF-8 sequence at `bytes` and its code point, or 0 if there is none (RFC 3629, section 4). */
size_t text_decode(const char *bytes, size_t size, uint32_t *code_point);

#endif
