/* Reading, cutting into lines, and the two limits. */
#include "daemon/said.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "daemon/logline.h"

#define LINE_MS (1000 / SAID_LINES_A_SECOND)
/* Reads of one turn of the loop: others wait for it. */
#define READS_A_TURN 16
/* What a pipe holds (pipe(7)): all that a dead child can have left behind. */
#define PIPE_BYTES (64 << 10)

void said_begin(said *self, int fd) {
    if (self->fd >= 0) close(self->fd);
    self->fd = fd;
    self->size = 0;
}

/* ---- into the log ---- */

static void tell_withheld(said *self, const char *name) {
    logline("[%s] … %" PRIu64 " more lines: more than %d a second are not passed on", name, self->withheld,
            SAID_LINES_A_SECOND);
    self->withheld = 0;
}

static void say(said *self, const char *name, const char *text, size_t size, int64_t now) {
    if (size == 0) return;
    size_t shown = size < SAID_LAST_BYTES ? size : SAID_LAST_BYTES - 1;
    memcpy(self->last, text, shown);
    self->last[shown] = '\0';
    const int64_t used = self->lines_ms > now ? self->lines_ms : now;
    if (used - now > (SAID_LINES_AT_ONCE - 1) * LINE_MS) {
        if (self->withheld++ == 0) self->withheld_ms = now + SAID_WITHHELD_MS;
        return;
    }
    self->lines_ms = used + LINE_MS;
    logline("[%s] %.*s", name, (int)size, text);
}

/* Whole lines; and what there is when nothing more comes or fits. */
static void pass_on(said *self, const char *name, bool all, int64_t now) {
    size_t at = 0;
    for (char *end; (end = memchr(self->line + at, '\n', self->size - at));) {
        say(self, name, self->line + at, (size_t)(end - self->line) - at, now);
        at = (size_t)(end - self->line) + 1;
    }
    self->size -= at;
    memmove(self->line, self->line + at, self->size);
    if (!all && self->size < SAID_LINE_BYTES) return;
    say(self, name, self->line, self->size, now);
    self->size = 0;
}

/* ---- out of the pipe ---- */

static void hang_up(said *self) {
    if (self->fd >= 0) close(self->fd);
    self->fd = -1;
}

/* Reads at most `limit` bytes. False: there is nothing more now. */
static bool read_some(said *self, const char *name, size_t limit, int64_t now) {
    const size_t room = SAID_LINE_BYTES - self->size;
    ssize_t size = read(self->fd, self->line + self->size, limit < room ? limit : room);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (size <= 0) {
        pass_on(self, name, true, now);
        hang_up(self);
        return false;
    }
    self->size += (size_t)size;
    self->second_bytes += size;
    pass_on(self, name, false, now);
    return true;
}

bool said_open(const said *self, int64_t now) {
    return self->fd >= 0 && (self->second_bytes < SAID_BYTES_A_SECOND || now - self->second_ms >= 1000);
}

void said_listen(said *self, const char *name, int64_t now) {
    if (now - self->second_ms >= 1000) {
        self->second_ms = now;
        self->second_bytes = 0;
    }
    for (int turn = 0; turn < READS_A_TURN && said_open(self, now); turn++)
        if (!read_some(self, name, SAID_LINE_BYTES, now)) break;
    if (self->withheld && now >= self->withheld_ms) tell_withheld(self, name);
}

void said_end(said *self, const char *name, int64_t now) {
    for (size_t left = PIPE_BYTES; left > 0 && self->fd >= 0;) {
        const size_t part = left < SAID_LINE_BYTES ? left : SAID_LINE_BYTES;
        if (!read_some(self, name, part, now)) break;
        left -= part;
    }
    if (self->fd >= 0) pass_on(self, name, true, now);
    hang_up(self);
    if (self->withheld) tell_withheld(self, name);
}

int64_t said_due(const said *self, int64_t now) {
    const int64_t resting = self->fd >= 0 && !said_open(self, now) ? self->second_ms + 1000 : INT64_MAX;
    const int64_t telling = self->withheld ? self->withheld_ms : INT64_MAX;
    return resting < telling ? resting : telling;
}
