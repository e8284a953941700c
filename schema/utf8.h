/* UTF-8 (RFC 3629): every string that Steno stores is valid. Own code because it runs over every string of the publish path and
 * skips ASCII eight bytes at a time, which the libraries' validators do not.
 */
#ifndef STENO_UTF8_H
#define STENO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The length of the longest valid prefix; `size` if all of it is valid. */
size_t utf8_valid_prefix(const char *text, size_t size);
/* Copies `text` to `out` with each invalid byte replaced by U+FFFD; `out` has room for 3 × size bytes. Returns the length. */
size_t utf8_repair(const char *text, size_t size, char *out);

#endif
