/* Where a Redis server is and who one is there, read from a URL. */
#ifndef CLIENT_REDIS_ADDRESS_H
#define CLIENT_REDIS_ADDRESS_H

#include "schema/error.h"

/* Texts are owned by the struct (redis_address_free). */
typedef struct redis_address {
    char *path;            /* of a Unix socket; else NULL */
    char *host, *port;     /* NULL with a path */
    char *user, *password; /* NULL: none */
    char *database;        /* a number; NULL: 0, where one is anyway */
} redis_address;

/* redis://[[user]:password@]host[:port][/db] (port 6379 where none is given; what is %-encoded is decoded) or unix:///path. STENO_INVALID: it is neither;
 * the message has nothing of the URL, which may hold a password. *out is empty on failure.
 */
steno_status redis_address_read(const char *url, redis_address *out, steno_error *error);
void redis_address_free(redis_address *self);

#endif
