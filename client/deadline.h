/* A moment by when something has to have happened, in ms of CLOCK_MONOTONIC: several waits share one, so that together they take no longer. */
#ifndef CLIENT_DEADLINE_H
#define CLIENT_DEADLINE_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

static inline int64_t deadline_in(int64_t ms) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    return ms < INT64_MAX - now_ms ? now_ms + ms : INT64_MAX;
}

/* The same as pthread_cond_timedwait takes it, and a condition that can be waited for until then. */
static inline struct timespec deadline_time(int64_t deadline) {
    return (struct timespec){.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};
}

static inline void deadline_condition(pthread_cond_t *condition) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* Milliseconds until then, 0 when it has passed: what poll() takes. */
static inline int deadline_left_ms(int64_t deadline) {
    int64_t left_ms = deadline - deadline_in(0);
    return left_ms < 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

#endif
