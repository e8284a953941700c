/* What stenod says: one line on stderr each, with the time. What a hostile peer could repeat goes through a limit. */
#ifndef DAEMON_LOGLINE_H
#define DAEMON_LOGLINE_H

#include <stdint.h>

/* A line on the same subject comes at most once in this time; those in between are counted. */
#define LOGLINE_LIMIT_MS 60000
/* Longest line, with its time. */
#define LOGLINE_BYTES 2048

/* Zero to begin with; one for each subject. */
typedef struct logline_limit {
    int64_t next_ms; /* nothing is said before */
    uint64_t withheld;
} logline_limit;

void logline(const char *format, ...) __attribute__((format(printf, 1, 2)));
void logline_limited(logline_limit *limit, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
