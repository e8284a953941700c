/* The pool: last in, first out, because the connection used last is the likeliest to be open still. */
#include "client/handles.h"

#include "client/fork_watch.h"

void handle_pool_init(handle_pool *self) { *self = (handle_pool){.generation = fork_generation()}; }

/* Under the guard. */
static void forget_parents(handle_pool *self) {
    unsigned generation = fork_generation();
    if (self->generation == generation) return;
    /* Closing them would end the TLS sessions of the parent, who has the same connections: they are left alone. */
    self->count = 0;
    self->generation = generation;
}

void handle_pool_free(handle_pool *self) {
    forget_parents(self);
    while (self->count) curl_easy_cleanup(self->idle[--self->count]);
}

CURL *handle_take(handle_pool *self) {
    fork_guard_lock();
    forget_parents(self);
    CURL *handle = self->count ? self->idle[--self->count] : NULL;
    fork_guard_unlock();
    return handle ? handle : curl_easy_init();
}

void handle_give(handle_pool *self, CURL *handle) {
    curl_easy_reset(handle); /* options go, connections stay */
    fork_guard_lock();
    if (self->count < HANDLES_IDLE_MAX) {
        self->idle[self->count++] = handle;
        handle = NULL;
    }
    fork_guard_unlock();
    if (handle) curl_easy_cleanup(handle);
}
