/* steno-exec's second way: one command that lives long and reads an event a line. Invariant: the cursor passes an event only when the command has acknowledged it
 * (--ack), or has read all of its line from the pipe (without), or it was given up on. What it had not is sent again to the next one that is started.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "schema/clean.h"
#include "subscribers/clock.h"
#include "subscribers/event_line.h"
#include "subscribers/exec_run.h"

/* Between two looks at how much of the pipe was read: nobody tells when a pipe gets empty. */
#define DRAIN_MS 2
#define DRAIN_MS_MAX 100
/* A command that ran so long begins again with the short pause. */
#define SETTLED_MS 60000
/* An offset, 20 digits, and spaces around it. A longer line of its output is none. */
#define ACK_BYTES_MAX 64
/* Of its output in one turn of the loop. */
#define OUTPUT_TURN_BYTES 65536
/* One that runs so long and has all that it was sent behind it is well, whatever was before. */
#define SOUND_MS 5000
/* How often it is said that its output has lines that are no acknowledgements. */
#define NOISE_SAID_MS 600000

typedef struct stream_run {
    exec_run *run;
    command command;
    /* To its stdin. `reader` is our copy of the other end: by it we see what was not read, also when the command is gone. -1: closed. */
    int writer, reader;
    int acks; /* from its stdout; -1: none */
    bool watching_writer;
    char *line; /* being written, up to `line_done` */
    size_t line_size, line_done;
    flight_item *line_item; /* NULL: it counts no more */
    size_t sent;            /* items of the flight whose line was begun, the first ones */
    uint64_t written;       /* bytes, to this command */
    uint64_t consumed;      /* of them, by it */
    char ack[ACK_BYTES_MAX];
    size_t ack_size;
    bool ack_long; /* the line is none: up to its end nothing is kept */
    int64_t noise_at;
    int64_t progress_at; /* something was read or acknowledged, or begun to be sent while nothing was out */
    int64_t drain_ms;
    int64_t start_at;  /* not earlier */
    unsigned failures; /* in a row, without progress */
    /* So many events at the front were out when a command ended: they go one by one, so that it shows which is to blame. */
    size_t suspects;
    int64_t bury_at; /* not earlier is the oldest given up on; 0: it is not to be */
    char why[160];
} stream_run;

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void watch(const stream_run *self, int operation, int fd, uint32_t events) {
    struct epoll_event event = {.events = events};
    epoll_ctl(self->run->wake, operation, fd, &event);
}

static flight_item *item_at(const stream_run *self, size_t index) { return flight_at(self->run->flight, index); }

/* The oldest event that was sent and is not done; NULL: there is none. */
static flight_item *oldest_out(const stream_run *self) {
    for (size_t i = 0; i < self->sent; i++)
        if (!item_at(self, i)->done) return item_at(self, i);
    return NULL;
}

static size_t count_out(const stream_run *self) {
    size_t count = 0;
    for (size_t i = 0; i < self->sent; i++) count += !item_at(self, i)->done;
    return count;
}

/* ---- its life ---- */

/* Pipes for it: its ends in theirs[], ours in self. False with errno. */
static bool open_pipes(stream_run *self, int theirs[2]) {
    int in[2], out[2] = {-1, -1};
    if (pipe2(in, O_CLOEXEC)) return false;
    theirs[0] = in[0];
    self->writer = in[1];
    self->reader = fcntl(in[0], F_DUPFD_CLOEXEC, 0);
    const bool good = self->reader >= 0 && !fcntl(self->writer, F_SETFL, O_NONBLOCK) &&
                      (!self->run->options->ack || !pipe2(out, O_CLOEXEC));
    theirs[1] = out[1];
    self->acks = out[0];
    return good && (self->acks < 0 || !fcntl(self->acks, F_SETFL, O_NONBLOCK));
}

static void close_pipes(stream_run *self) {
    close_fd(&self->writer);
    close_fd(&self->reader);
    close_fd(&self->acks);
    self->watching_writer = false;
}

/* Says why it does not run, and when it is started again. */
static void plan_restart(stream_run *self, const command_result *result, int64_t ran_ms) {
    exec_run *run = self->run;
    char told[256];
    if (ran_ms >= SETTLED_MS) self->failures = 0;
    const int64_t pause = exec_pause_ms(++self->failures);
    self->start_at = clock_after(pause);
    command_describe(result, run->options->timeout_ms, self->why, sizeof self->why);
    snprintf(told, sizeof told, "%.60s %s", run->options->command[0], self->why);
    if (run->ending) {
        if (result->end != COMMAND_EXITED || result->code) program_say(run->program, "%s; stopping", told);
        return;
    }
    health_note(&run->health, told);
    if (result->end == COMMAND_NOT_FOUND) {
        program_say(run->program, "%s; giving up", told);
        run->ending = run->failed = true;
        return;
    }
    program_say(run->program, "%s; it is started again in %.1f s", told, (double)pause / 1000);
}

static void start(stream_run *self) {
    command_result result = {COMMAND_NOT_RUN, 0};
    int theirs[2] = {-1, -1};
    const bool piped = open_pipes(self, theirs);
    result.code = errno;
    const bool runs =
        piped && command_start_stream(&self->command, self->run->options->command, theirs[0], theirs[1], &result);
    close_fd(&theirs[0]);
    close_fd(&theirs[1]);
    self->sent = self->line_size = self->line_done = 0;
    self->written = self->consumed = 0;
    self->ack_size = 0;
    self->ack_long = false;
    self->progress_at = clock_ms();
    self->drain_ms = DRAIN_MS;
    if (!runs) {
        close_pipes(self);
        plan_restart(self, &result, 0);
        return;
    }
    watch(self, EPOLL_CTL_ADD, self->command.process, EPOLLIN);
    if (self->acks >= 0) watch(self, EPOLL_CTL_ADD, self->acks, EPOLLIN);
}

/* ---- what it has read, and what it says ---- */

static void note_progress(stream_run *self) {
    self->progress_at = clock_ms();
    self->drain_ms = DRAIN_MS;
}

/* It works on events as it should. */
static void note_success(stream_run *self) {
    note_progress(self);
    self->failures = 0;
    if (!self->suspects) health_well(&self->run->health);
}

static void look_at_pipe(stream_run *self) {
    int unread = 0;
    if (self->reader < 0 || ioctl(self->reader, FIONREAD, &unread)) return;
    const uint64_t consumed = self->written - (uint64_t)unread;
    if (consumed > self->consumed) note_progress(self);
    self->consumed = consumed;
    if (self->run->options->ack) return;
    for (size_t i = 0; i < self->sent; i++) {
        flight_item *item = item_at(self, i);
        if (item->end == 0 || item->end > consumed) return;
        if (item->done) continue;
        flight_done(self->run->flight, item);
        note_success(self);
    }
}

static void on_ack(stream_run *self) {
    uint64_t offset = 0;
    char end;
    if (self->ack_size == 0 && !self->ack_long) return;
    self->ack[self->ack_size] = '\0';
    const bool number =
        !self->ack_long && sscanf(self->ack, "%" SCNu64 " %c", &offset, &end) == 1 && self->ack[0] != '-';
    self->ack_size = 0;
    self->ack_long = false;
    flight_item *item = number ? flight_find(self->run->flight, offset) : NULL;
    if (item && item->end && !item->done) { /* what was not sent is not answered */
        flight_done(self->run->flight, item);
        note_success(self);
    } else if (!number && clock_until(self->noise_at) == 0) {
        program_say(self->run->program, "%s: its output has lines that are no offset: passed over",
                    self->run->options->command[0]);
        self->noise_at = clock_after(NOISE_SAID_MS);
    }
}

/* Reads acknowledgements, a bounded part of them. False: there are none any more. */
static bool take_acks(stream_run *self) {
    static char block[OUTPUT_TURN_BYTES];
    if (self->acks < 0) return true;
    const ssize_t got = read(self->acks, block, sizeof block);
    if (got == 0) return false;
    for (ssize_t i = 0; i < got; i++) {
        if (block[i] == '\n')
            on_ack(self);
        else if (self->ack_size < ACK_BYTES_MAX - 1)
            self->ack[self->ack_size++] = block[i];
        else
            self->ack_long = true;
    }
    return got > 0 || errno == EAGAIN || errno == EINTR;
}

/* ---- sending ---- */

/* Makes the next event's line, if it may go now. */
static bool next_line(stream_run *self) {
    const size_t count = flight_count(self->run->flight);
    while (self->sent < count && item_at(self, self->sent)->done) self->sent++;
    if (self->run->ending || self->bury_at || self->sent == count) return false;
    const bool first = !oldest_out(self);
    if (self->suspects && !first) return false;
    flight_item *item = item_at(self, self->sent);
    free(self->line);
    self->line_done = 0;
    self->line = event_line(item->event, &self->line_size);
    if (!self->line) {
        self->line_size = 0; /* no memory now: at the next turn */
        return false;
    }
    if (first) note_progress(self);
    self->sent++;
    item->end = 0;
    self->line_item = item;
    if (self->suspects) item->attempts++;
    return true;
}

/* Writes what the pipe takes. */
static void send_lines(stream_run *self) {
    bool blocked = false;
    while (self->writer >= 0 && !blocked && (self->line_done < self->line_size || next_line(self))) {
        const ssize_t written = write(self->writer, self->line + self->line_done, self->line_size - self->line_done);
        blocked = written < 0 && errno != EINTR;
        if (written <= 0) continue;
        self->line_done += (size_t)written;
        self->written += (uint64_t)written;
        if (self->line_done == self->line_size && self->line_item) self->line_item->end = self->written;
    }
    if (blocked != self->watching_writer && self->writer >= 0) {
        watch(self, blocked ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, self->writer, EPOLLOUT);
        self->watching_writer = blocked;
    }
}

/* ---- its end ---- */

/* The oldest event was out alone, was read, and the command ended without answering it. */
static void blame(stream_run *self, flight_item *item) {
    exec_run *run = self->run;
    char next[64];
    if (item->attempts <= run->options->retries) {
        snprintf(next, sizeof next, "again (%u of %u)", item->attempts, run->options->retries);
        exec_say(run, item->event, self->why, next);
        return;
    }
    self->bury_at = clock_ms();
}

static void give_up(stream_run *self) {
    flight_item *item = item_at(self, 0);
    const exec_verdict verdict = exec_give_up(self->run, item->event, self->why);
    self->bury_at = 0;
    if (verdict == EXEC_LATER)
        self->bury_at = clock_after(exec_pause_ms(++item->attempts));
    else if (verdict == EXEC_HANDLED)
        flight_done(self->run->flight, item);
}

static void on_end(stream_run *self, const command_result *result, int64_t ran_ms) {
    exec_run *run = self->run;
    /* A pipe holds less than two turns' worth. */
    for (int i = 0; i < 2 && take_acks(self); i++) {
    }
    look_at_pipe(self);
    const size_t out = count_out(self);
    const bool alone = self->suspects > 0 || out == 1;
    plan_restart(self, result, ran_ms);
    if (!run->options->ack && (result->end != COMMAND_EXITED || result->code) && self->consumed > 0 && !run->ending)
        program_say(run->program, "what it had read and not worked on yet is lost to it: see --ack");
    if (run->options->ack && out > 0 && !run->ending) {
        flight_item *oldest = oldest_out(self);
        if (self->suspects < self->sent) self->suspects = self->sent;
        if (oldest->attempts == 0) oldest->attempts = alone;
        if (alone && oldest->end && oldest->end <= self->consumed) blame(self, oldest);
    }
    /* What is not done is sent anew. */
    for (size_t i = 0; i < self->sent; i++) item_at(self, i)->end = 0;
    self->sent = self->line_size = self->line_done = 0;
    self->line_item = NULL;
    close_pipes(self);
}

/* It has done nothing for too long although something is out. */
static void check_time(stream_run *self) {
    const int64_t limit = self->run->options->timeout_ms;
    if (!limit || !self->command.pid || (!oldest_out(self) && self->writer >= 0)) return;
    if (clock_ms() - self->progress_at >= limit) command_stop(&self->command, COMMAND_TIMED_OUT);
}

/* Told to end: the line in hand is finished, then its stdin ends, and it may finish what it has. */
static void let_it_end(stream_run *self) {
    if (self->run->stops > 1 || self->run->failed) command_stop(&self->command, COMMAND_INTERRUPTED);
    if (self->writer < 0 || self->line_done < self->line_size) return;
    close_fd(&self->writer);
    self->watching_writer = false;
    note_progress(self);
}

static void look_at_command(stream_run *self) {
    command_result result;
    const int64_t begun = self->command.begun;
    check_time(self);
    if (!command_look(&self->command, &result)) return;
    on_end(self, &result, clock_ms() - begun);
}

/* ---- the loop ---- */

static void settle(stream_run *self) {
    uint64_t offset;
    const size_t settled = flight_settle(self->run->flight, &offset);
    if (settled == 0) return;
    steno_subscriber_handled(self->run->subscriber, offset);
    self->sent -= settled < self->sent ? settled : self->sent;
    self->suspects -= settled < self->suspects ? settled : self->suspects;
}

/* The cursor was moved: what is in the pipe is worked on, and counts no more. */
static void forget(stream_run *self) {
    flight_forget(self->run->flight, NULL, NULL);
    self->sent = self->suspects = 0;
    self->line_item = NULL;
    self->bury_at = 0;
    if (self->line_done == 0) self->line_size = 0; /* a line that was begun is finished */
}

static int64_t next_moment(const stream_run *self) {
    int64_t moment = clock_after(EXEC_TURN_MS);
    if (self->command.pid) moment = clock_earlier(moment, self->command.due);
    if (!self->command.pid) moment = clock_earlier(moment, self->start_at);
    if (self->bury_at) moment = clock_earlier(moment, self->bury_at);
    if (self->command.pid && self->consumed < self->written)
        moment = clock_earlier(moment, clock_after(self->drain_ms));
    return moment;
}

static void turn(stream_run *self) {
    exec_run *run = self->run;
    if (self->bury_at && clock_until(self->bury_at) == 0) give_up(self);
    if (!self->command.pid && !run->ending && clock_until(self->start_at) == 0) start(self);
    if (self->command.pid) {
        /* What it wrote is read to the end before its end is looked at. */
        if (!take_acks(self)) {
            watch(self, EPOLL_CTL_DEL, self->acks, 0);
            close_fd(&self->acks);
        }
        look_at_pipe(self);
        settle(self);
        send_lines(self);
        if (run->ending) let_it_end(self);
        look_at_command(self);
    }
    settle(self);
    if (self->command.pid && !self->suspects && !self->bury_at && !oldest_out(self) &&
        clock_ms() - self->command.begun >= SOUND_MS)
        health_well(&run->health);
    health_repeat(&run->health);
    self->drain_ms = self->drain_ms * 2 < DRAIN_MS_MAX ? self->drain_ms * 2 : DRAIN_MS_MAX;
}

void exec_stream(exec_run *run) {
    stream_run self = {
        .run = run, .writer = -1, .reader = -1, .acks = -1, .command = {.process = -1}, .drain_ms = DRAIN_MS};
    for (;;) {
        turn(&self);
        if (run->ending && !self.command.pid) break;
        bool moved;
        const bool may_take = !run->ending && !flight_full(run->flight);
        const steno_event *event = exec_next(run, may_take, clock_until(next_moment(&self)), &moved);
        if (moved) forget(&self);
        if (event && !flight_take(run->flight, event)) {
            program_say(run->program, "no memory for event %" PRIu64, steno_event_offset(event));
            run->ending = run->failed = true;
        }
    }
    close_pipes(&self);
    free(self.line);
}
