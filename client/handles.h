/* A pool of curl easy handles: a handle keeps its connection, so a call that gets a used one saves connecting. */
#ifndef CLIENT_HANDLES_H
#define CLIENT_HANDLES_H

#include <curl/curl.h>
#include <stddef.h>

/* Handles kept while idle, each with at most a few connections. */
#define HANDLES_IDLE_MAX 32

/* Guarded by the fork guard. */
typedef struct handle_pool {
    CURL *idle[HANDLES_IDLE_MAX];
    size_t count;
    unsigned generation; /* of the process that the idle handles belong to */
} handle_pool;

void handle_pool_init(handle_pool *self);
void handle_pool_free(handle_pool *self);
/* A handle with no options set; NULL when memory is short. */
CURL *handle_take(handle_pool *self);
void handle_give(handle_pool *self, CURL *handle);

#endif
