/* Four numbers, written in place by one pwrite each time: the page cache keeps them when the process dies. */
#include "subscribers/crash_note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/clean.h"
#include "schema/control.h"
#include "schema/place.h"

typedef struct note {
    uint64_t in_hand; /* the event that a hook has; 0: none */
    uint64_t suspect; /* on which the last life ended; 0: none */
    uint64_t deaths;  /* so many in a row */
    int64_t stamp;
} note;

struct crash_note {
    int fd;
    note note;
};

CLEANUP_FUNCTION(clean_note, crash_note, crash_note_free)

static void write_note(const crash_note *self) {
    const ssize_t written = pwrite(self->fd, &self->note, sizeof self->note, 0);
    (void)written;
}

/* What the last life left. */
static void read_note(crash_note *self, int64_t stamp) {
    note *now = &self->note;
    const bool whole = pread(self->fd, now, sizeof *now, 0) == sizeof *now;
    if (!whole || now->stamp != stamp) *now = (note){.stamp = stamp};
    if (now->in_hand) {
        now->deaths = now->in_hand == now->suspect ? now->deaths + 1 : 1;
        now->suspect = now->in_hand;
        now->in_hand = 0;
    }
    write_note(self);
}

steno_status crash_note_open(const char *dir, const char *name, int64_t stamp, crash_note **out, steno_error *error) {
    *out = NULL;
    if (!control_name_valid(name))
        return steno_fail(error, STENO_INVALID, "name %.80s: 1 to %d of [A-Za-z0-9_.-]", name, CONTROL_NAME_BYTES - 1);
    place where;
    steno_status status = place_open(&where, dir, error);
    if (status) return status;
    cleanup(clean_note) crash_note *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for a note of what is in hand");
    char path[PLACE_PATH_BYTES + CONTROL_NAME_BYTES + 16];
    snprintf(path, sizeof path, "%s/plugin", where.state);
    self->fd = -1;
    if (mkdir(path, 0700) && errno != EEXIST)
        return steno_fail(error, STENO_SYSTEM, "cannot make the folder %s: %s", path, strerror(errno));
    snprintf(path, sizeof path, "%s/plugin/%s.note", where.state, name);
    self->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->fd < 0) return steno_fail(error, STENO_SYSTEM, "cannot open %s: %s", path, strerror(errno));
    read_note(self, stamp);
    *out = self;
    self = NULL;
    return STENO_OK;
}

void crash_note_free(crash_note *self) {
    if (!self) return;
    if (self->fd >= 0) close(self->fd);
    free(self);
}

uint64_t crash_note_deaths(const crash_note *self, uint64_t offset) {
    return offset == self->note.suspect ? self->note.deaths : 0;
}

void crash_note_begin(crash_note *self, uint64_t offset) {
    self->note.in_hand = offset;
    write_note(self);
}

void crash_note_end(crash_note *self) {
    if (self->note.in_hand == self->note.suspect) self->note.suspect = self->note.deaths = 0;
    self->note.in_hand = 0;
    write_note(self);
}

void crash_note_clear(crash_note *self) {
    self->note.suspect = self->note.deaths = 0;
    write_note(self);
}
