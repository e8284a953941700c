/* A moment by when something has to have happened, in ms of CLOCK_MONOTONIC: several waits share one, so that together they take no longer. */
#ifndef CLIENT_DEADLINE_H
#define CLIENT_DEADLINE_H

#include <stdint.h>
#include <time.h>

static inline int64_t deadline_in(int64_t ms) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + ms;
}

/* Milliseconds until then, 0 when it has passed: what poll() takes. */
static inline int deadline_left_ms(int64_t deadline) {
    int64_t left_ms = deadline - deadline_in(0);
    return left_ms < 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

#endif
