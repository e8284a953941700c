/* A real Redis server of the test's own, in the test's folder. It ends with the test, however that ends. */
#ifndef TEST_REDIS_SERVER_H
#define TEST_REDIS_SERVER_H

#include <stdbool.h>

typedef struct redis_server {
    int pid;  /* 0: it does not run */
    int port; /* 0: a Unix socket only */
    char folder[64];
    char url[128];        /* of the Unix socket */
    const char *password; /* NULL: none */
} redis_server;

/* Starts it, and waits until it takes connections. `self` begins with what is wanted of port and password (a literal). */
void redis_server_start(redis_server *self, const char *folder);
/* kill -9; what it had is gone. Fine where it does not run. */
void redis_server_kill(redis_server *self);
/* Between these two it takes connections, and does nothing else. */
void redis_server_hang(const redis_server *self);
void redis_server_go_on(const redis_server *self);
/* A port of loopback that nobody listens on. */
int redis_server_free_port(void);

#endif
