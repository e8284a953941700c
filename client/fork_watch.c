/* Counts forks, and holds them off while somebody is in a guarded step. */
#include "client/fork_watch.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_uint generation;
static pthread_once_t watched = PTHREAD_ONCE_INIT;

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

static void before_fork(void) { pthread_mutex_lock(&guard); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&guard); }
static void after_fork_in_child(void) {
    atomic_fetch_add(&generation, 1);
    pthread_mutex_unlock(&guard);
}
static void watch(void) { pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child); }

unsigned fork_generation(void) {
    pthread_once(&watched, watch);
    return atomic_load_explicit(&generation, memory_order_relaxed);
}

void fork_guard_lock(void) {
    pthread_once(&watched, watch);
    pthread_mutex_lock(&guard);
}

void fork_guard_unlock(void) { pthread_mutex_unlock(&guard); }
