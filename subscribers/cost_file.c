/* Lines of a batch, appended at once: a file that is moved away meanwhile (logrotate) has whole lines. */
#include "subscribers/cost_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM "steno-cost"
/* Of a pico-dollar: what the line's eight decimals leave out. */
#define PICO_PER_UNIT 10000
#define UNITS_PER_DOLLAR 100000000

struct cost_file {
    const char *path; /* borrowed */
    int fd;           /* negative: it could not be opened */
    bool torn;        /* the last line has no end */
    bool complained;
    uint64_t missed; /* lines, since the complaint */
};

static volatile sig_atomic_t hung_up;

static void on_hangup(int number) {
    (void)number;
    hung_up = 1;
}

static void complain(cost_file *self, const char *what) {
    if (!self->complained)
        fprintf(stderr, PROGRAM ": cannot %s %s: %s: costs go on without it\n", what, self->path, strerror(errno));
    self->complained = true;
}

static void reopen(cost_file *self) {
    if (self->fd >= 0) close(self->fd);
    self->torn = false;
    /* Not blocking: a pipe that nobody reads must not hold up costs. */
    self->fd = open(self->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
}

steno_status cost_file_open(const char *path, cost_file **out, steno_error *error) {
    struct sigaction action = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
    cost_file *self = calloc(1, sizeof *self);
    *out = self;
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for %s", path);
    *self = (cost_file){.path = path, .fd = -1};
    sigaction(SIGHUP, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);
    reopen(self);
    if (self->fd >= 0) return STENO_OK;
    steno_fail(error, STENO_SYSTEM, "cannot open the log file %s: %s", path, strerror(errno));
    free(self);
    *out = NULL;
    return STENO_SYSTEM;
}

void cost_file_close(cost_file *self) {
    if (!self) return;
    if (self->fd >= 0) close(self->fd);
    free(self);
}

void cost_file_look(cost_file *self) {
    if (!hung_up) return;
    hung_up = 0;
    self->complained = false;
    reopen(self);
    if (self->fd < 0) complain(self, "open");
}

/* A word of the line: names come from apps and providers. */
static void put_word(char *out, size_t size, const char *word) {
    size_t at = 0;
    for (; *word && at + 1 < size; word++) out[at++] = (unsigned char)*word <= ' ' || *word == 0x7f ? '_' : *word;
    if (at == 0) out[at++] = '-';
    out[at] = '\0';
}

size_t cost_file_line(const cost_row *row, char *out) {
    char when[40] = "-", model[sizeof row->model], cost[40] = "unknown";
    const double whole = floor(row->time);
    const time_t seconds = (time_t)whole;
    struct tm parts;
    if (gmtime_r(&seconds, &parts)) {
        const size_t size = strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &parts);
        snprintf(when + size, sizeof when - size, ".%03dZ", (int)((row->time - whole) * 1000));
    }
    put_word(model, sizeof model, row->model);
    if (row->known) {
        const int64_t units =
            row->pico_dollars / PICO_PER_UNIT + (row->pico_dollars % PICO_PER_UNIT >= PICO_PER_UNIT / 2);
        snprintf(cost, sizeof cost, "%" PRId64 ".%08" PRId64, units / UNITS_PER_DOLLAR, units % UNITS_PER_DOLLAR);
    }
    return (size_t)snprintf(out, COST_LINE_BYTES, "%s %s %s %s\n", when, model, cost, row->source);
}

void cost_file_write(cost_file *self, const cost_row *rows, size_t count) {
    size_t lines = 0, size = 0;
    cost_file_look(self);
    if (self->fd < 0) reopen(self);
    char *text = malloc(count * COST_LINE_BYTES + 1);
    if (text && self->torn) text[size++] = '\n';
    for (size_t i = 0; text && i < count; i++)
        if (rows[i].is_new) {
            size += cost_file_line(&rows[i], text + size);
            lines++;
        }
    if (lines > 0) {
        const ssize_t written = self->fd >= 0 ? write(self->fd, text, size) : -1;
        if (written > 0) self->torn = text[written - 1] != '\n';
        if (written == (ssize_t)size) {
            if (self->complained)
                fprintf(stderr, PROGRAM ": %s takes lines again: %" PRIu64 " are missing\n", self->path, self->missed);
            self->complained = false;
            self->missed = 0;
        } else {
            if (written >= 0) errno = ENOSPC;
            complain(self, self->fd >= 0 ? "write to" : "open");
            self->missed += lines;
        }
    }
    free(text);
}
