/* A host's addresses by a deadline, which getaddrinfo() does not know: without it a name server that is down would hold a call for many seconds. */
#ifndef CLIENT_HOST_LOOKUP_H
#define CLIENT_HOST_LOOKUP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* More of one host are not tried: what is given to each of them gets too short. */
#define HOST_ADDRESSES_MAX 4

typedef struct host_address {
    struct sockaddr_storage name;
    socklen_t size;
} host_address;

/* The addresses of `host` (a name or a number) for TCP, best first: how many, 0 when it has none or none was known by `deadline` (deadline.h). */
size_t host_lookup(const char *host, const char *port, int64_t deadline, host_address out[HOST_ADDRESSES_MAX]);

#endif
