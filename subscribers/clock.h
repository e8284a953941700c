/* Deadlines on the monotonic clock, in milliseconds: what a jump of the wall clock must not touch. */
#ifndef SUBSCRIBERS_CLOCK_H
#define SUBSCRIBERS_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_NEVER INT64_MAX
/* Longest single wait: loops look around once a minute whatever happens. */
#define CLOCK_WAIT_MAX_MS 60000

static inline int64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The moment `ms` from now; CLOCK_NEVER for ms < 0. */
static inline int64_t clock_after(int64_t ms) {
    int64_t now = clock_ms();
    return ms < 0 || ms > CLOCK_NEVER - now ? CLOCK_NEVER : now + ms;
}

/* Milliseconds to wait for a moment, for poll: 0 when it has come. */
static inline int clock_until(int64_t moment) {
    int64_t left = moment - clock_ms();
    return left <= 0 ? 0 : left > CLOCK_WAIT_MAX_MS ? CLOCK_WAIT_MAX_MS : (int)left;
}

static inline int64_t clock_earlier(int64_t a, int64_t b) { return a < b ? a : b; }

#endif
