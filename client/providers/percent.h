/* Percent-encoding of a path's segment (RFC 3986): all but letters, digits and "-._~". */
#ifndef CLIENT_PROVIDERS_PERCENT_H
#define CLIENT_PROVIDERS_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

/* False: it does not fit into `room` bytes with its NUL. */
bool percent_encode(const char *text, char *out, size_t room);

#endif
