/* Lines on stderr. Invariant: one write call a line, so that lines of several processes on one stderr do not mix. */
#include "daemon/logline.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/clock.h"

static void write_line(const char *format, va_list arguments, uint64_t withheld) {
    char line[LOGLINE_BYTES];
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    size_t at = strftime(line, sizeof line, "%Y-%m-%d %H:%M:%S", &local);
    at += (size_t)snprintf(line + at, sizeof line - at, ".%03ld stenod: ", now.tv_nsec / 1000000);
    size_t room = sizeof line - at - 64; /* for the count of those withheld, and the line's end */
    int wanted = vsnprintf(line + at, room, format, arguments);
    size_t size = wanted < 0 ? 0 : (size_t)wanted < room ? (size_t)wanted : room - 1;
    for (size_t i = at; i < at + size; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7F) line[i] = '?';
    at += size;
    if (withheld)
        at += (size_t)snprintf(line + at, sizeof line - at, " (and %llu more like it)", (unsigned long long)withheld);
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
