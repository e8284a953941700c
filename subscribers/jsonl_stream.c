/* poll and write, a pipe's atomic unit at a time: such a write does not block once poll has said that there is room. */
#include "subscribers/jsonl_stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "subscribers/clock.h"
#include "subscribers/stop_signal.h"

bool jsonl_stream_has(const jsonl_stream *self, uint64_t first, uint64_t last) {
    return self->done < self->lines.size && self->first == first && self->last == last;
}

void jsonl_stream_take(jsonl_stream *self, buffer *lines, uint64_t first, uint64_t last) {
    buffer_free(&self->lines);
    self->lines = *lines;
    *lines = (buffer){0};
    self->done = 0;
    self->first = first;
    self->last = last;
}

/* False when a stop signal has come and the time after it is up. */
static bool wait_for_room(const jsonl_stream *self, int64_t *deadline, int64_t grace_ms) {
    for (;;) {
        if (stop_signal_count() > 0 && *deadline == CLOCK_NEVER) *deadline = clock_after(grace_ms);
        struct pollfd items[] = {{.fd = self->fd, .events = POLLOUT},
                                 {.fd = *deadline == CLOCK_NEVER ? stop_signal_fd() : -1, .events = POLLIN}};
        const int ready = poll(items, 2, clock_until(*deadline));
        if (ready > 0 && items[0].revents) return true;
        if (clock_until(*deadline) == 0) return false;
    }
}

steno_status jsonl_stream_write(jsonl_stream *self, int64_t grace_ms, steno_error *error) {
    int64_t deadline = CLOCK_NEVER;
    while (self->done < self->lines.size) {
        if (!wait_for_room(self, &deadline, grace_ms))
            return steno_fail(error, STENO_TIMEOUT, "stopped: nobody reads standard output");
        const size_t left = self->lines.size - self->done;
        const ssize_t written = write(self->fd, self->lines.bytes + self->done, left < PIPE_BUF ? left : PIPE_BUF);
        if (written >= 0)
            self->done += (size_t)written;
        else if (errno == EPIPE)
            return steno_fail(error, STENO_END, "nobody reads standard output any more");
        else if (errno != EINTR && errno != EAGAIN)
            return steno_fail(error, STENO_SYSTEM, "cannot write to standard output: %s", strerror(errno));
    }
    return STENO_OK;
}

void jsonl_stream_free(jsonl_stream *self) { buffer_free(&self->lines); }
