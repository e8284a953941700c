/* Where an HTTP server of ours listens: an address of this machine, as numbers. No I/O, no look-up of names. */
#ifndef SUBSCRIBERS_LISTEN_ADDRESS_H
#define SUBSCRIBERS_LISTEN_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "schema/error.h"

typedef union listen_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} listen_address;

/* "127.0.0.1:9469", "[::1]:9469", "9469" (on 127.0.0.1). Port 0: any that is free. */
steno_status listen_address_parse(const char *text, listen_address *out, steno_error *error);
/* Only this machine can reach it. */
bool listen_address_is_loopback(const listen_address *self);

#endif
