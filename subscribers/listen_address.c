/* Parsing with inet_pton(3). */
#include "subscribers/listen_address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOPBACK "127.0.0.1"

static bool parse_port(const char *text, in_port_t *out) {
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits]) return false;
    const long port = strtol(text, NULL, 10);
    *out = htons((uint16_t)port);
    return port <= 65535;
}

/* "[::1]" or "127.0.0.1". */
static bool parse_host(const char *text, in_port_t port, listen_address *out) {
    char bare[INET6_ADDRSTRLEN];
    const size_t size = strlen(text);
    if (text[0] == '[') {
        if (size < 3 || size - 2 >= sizeof bare || text[size - 1] != ']') return false;
        snprintf(bare, sizeof bare, "%.*s", (int)(size - 2), text + 1);
        out->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        return inet_pton(AF_INET6, bare, &out->v6.sin6_addr) == 1;
    }
    out->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
    return inet_pton(AF_INET, text, &out->v4.sin_addr) == 1;
}

steno_status listen_address_parse(const char *text, listen_address *out, steno_error *error) {
    memset(out, 0, sizeof *out);
    char host[64] = LOOPBACK;
    in_port_t port;
    const char *colon = strrchr(text, ':');
    const bool fits = !colon || (size_t)(colon - text) < sizeof host;
    if (colon && fits) snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    if (fits && parse_port(colon ? colon + 1 : text, &port) && parse_host(host, port, out)) return STENO_OK;
    return steno_fail(error, STENO_INVALID, "%.80s: give ADDRESS:PORT as numbers, like 127.0.0.1:9469 or [::1]:9469",
                      text);
}

bool listen_address_is_loopback(const listen_address *self) {
    if (self->any.sa_family == AF_INET6) return IN6_IS_ADDR_LOOPBACK(&self->v6.sin6_addr);
    return ntohl(self->v4.sin_addr.s_addr) >> 24 == 127;
}
