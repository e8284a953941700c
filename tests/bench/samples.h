/* What the benchmarks share: the clock, and the order of samples. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <time.h>

static inline double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

/* For qsort. */
static inline int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

#endif
