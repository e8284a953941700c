/* The text of a price file, from a file, standard input, or the web. */
#ifndef CLI_PRICE_SOURCE_H
#define CLI_PRICE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

typedef struct price_source {
    char *
        name; /* owned: the path, or the URL without a password; what messages call it, and what is kept with an import */
    char *text; /* owned, NUL-terminated */
    size_t size;
} price_source;

/* Reads `from`: a path, "-" for standard input, or a URL (https; http only from this machine). Returns EXIT_FINE, or the exit status after
 * telling what is wrong. *out is released by the caller in any case.
 */
int price_source_read(const char *from, int64_t timeout_ms, price_source *out);
void price_source_release(price_source *source);

#endif
