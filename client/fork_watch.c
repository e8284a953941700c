/* Counts forks. The only state is the counter. */
#include "client/fork_watch.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_uint generation;
static pthread_once_t watched = PTHREAD_ONCE_INIT;

static void after_fork_in_child(void) { atomic_fetch_add(&generation, 1); }
static void watch(void) { pthread_atfork(NULL, NULL, after_fork_in_child); }

unsigned fork_generation(void) {
    pthread_once(&watched, watch);
    return atomic_load_explicit(&generation, memory_order_relaxed);
}
