/* The thread looks now and then; the hooks' own thread writes a number before each event and after it. */
#include "subscribers/hook_watch.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "subscribers/clock.h"

#define LOOK_MS 1000

static _Atomic uint64_t in_hand; /* 0: none */
static const program *teller;

static void *watch(void *ctx) {
    const struct timespec pause = {.tv_sec = LOOK_MS / 1000};
    uint64_t known = 0;
    int64_t since = 0, tell_at = CLOCK_NEVER;
    (void)ctx;
    for (;; nanosleep(&pause, NULL)) {
        const uint64_t now = atomic_load_explicit(&in_hand, memory_order_relaxed);
        if (now != known) {
            known = now;
            since = clock_ms();
            tell_at = now ? clock_after(HOOK_WATCH_MS) : CLOCK_NEVER;
        }
        if (clock_until(tell_at) > 0) continue;
        program_say(teller, "event %" PRIu64 ": its hook has been at work for %" PRId64 " s", now,
                    (clock_ms() - since) / 1000);
        tell_at = clock_after(HOOK_WATCH_AGAIN_MS);
    }
    return NULL;
}

bool hook_watch_start(const program *who) {
    pthread_t thread;
    sigset_t all, before;
    teller = who;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    const int failed = pthread_create(&thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed && !pthread_detach(thread);
}

void hook_watch_begin(uint64_t offset) { atomic_store_explicit(&in_hand, offset, memory_order_relaxed); }
void hook_watch_end(void) { atomic_store_explicit(&in_hand, 0, memory_order_relaxed); }
