/* Lines on stderr. Invariant: one write call a line, so that lines of several processes on one stderr do not mix; and nobody waits for a reader of them. */
#include "daemon/logline.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/clock.h"

/* What a reader of a full pipe may take to make room, once. */
#define PATIENCE_MS 20
/* Where poll says that there is room, so much goes into a pipe without waiting. */
static_assert(LOGLINE_BYTES <= PIPE_BUF, "a line is written at once");

/* Lines that found no room: a pipe that nobody reads, a terminal that was stopped. Told with the next one that does. */
static uint64_t unwritten;

static bool has_room(void) {
    struct pollfd item = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&item, 1, unwritten ? 0 : PATIENCE_MS) != 0;
}

static void write_line(const char *format, va_list arguments, uint64_t withheld) {
    char line[LOGLINE_BYTES];
    if (!has_room()) {
        unwritten++;
        return;
    }
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    size_t at = strftime(line, sizeof line, "%Y-%m-%d %H:%M:%S", &local);
    at += (size_t)snprintf(line + at, sizeof line - at, ".%03ld stenod: ", now.tv_nsec / 1000000);
    size_t room = sizeof line - at - 128; /* for the counts, and the line's end */
    int wanted = vsnprintf(line + at, room, format, arguments);
    size_t size = wanted < 0 ? 0 : (size_t)wanted < room ? (size_t)wanted : room - 1;
    for (size_t i = at; i < at + size; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7F) line[i] = '?';
    at += size;
    if (withheld)
        at += (size_t)snprintf(line + at, sizeof line - at, " (and %llu more like it)", (unsigned long long)withheld);
    if (unwritten)
        at += (size_t)snprintf(line + at, sizeof line - at, " (and %" PRIu64 " lines before it that nobody read)",
                               unwritten);
    unwritten = 0;
    line[at++] = '\n';
    if (write(STDERR_FILENO, line, at) < 0) {
    } /* there is nobody left to tell */
}

void logline(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(format, arguments, 0);
    va_end(arguments);
}

void logline_limited(logline_limit *limit, const char *format, ...) {
    int64_t now = clock_ms();
    if (limit->next_ms && now < limit->next_ms) {
        limit->withheld++;
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    write_line(format, arguments, limit->withheld);
    va_end(arguments);
    *limit = (logline_limit){.next_ms = now + LOGLINE_LIMIT_MS};
}
