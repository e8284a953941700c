/* FILE, its place in the folder, and when to rotate. */
#include "subscribers/jsonl_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/clean.h"
#include "subscribers/clock.h"
#include "subscribers/line_file.h"

struct jsonl_file {
    jsonl_settings settings;
    jsonl_archive *archive;
    int fd; /* -1: closed, to be opened */
    off_t end;
    dev_t device;
    ino_t number;
    struct tm day;        /* of what is in it */
    uint64_t last_offset; /* in it; 0: not known */
    bool unsynced;
    int64_t sync_at;
    atomic_bool reopen;
};

CLEANUP_FUNCTION(release_file, jsonl_file, jsonl_file_close)

static steno_status fail_on(const jsonl_file *self, const char *what, steno_error *error) {
    return steno_fail(error, STENO_SYSTEM, "cannot %s %s: %s", what, self->settings.path, strerror(errno));
}

static void today(struct tm *out) {
    const time_t now = time(NULL);
    localtime_r(&now, out);
}

static bool same_day(const struct tm *a, const struct tm *b) {
    return a->tm_year == b->tm_year && a->tm_yday == b->tm_yday;
}

/* Up to JSONL_TAIL_BYTES of what the file ends with; owned by the caller. NULL: not readable, or no memory. */
static char *read_tail(const jsonl_file *self, size_t *size) {
    *size = self->end < (off_t)JSONL_TAIL_BYTES ? (size_t)self->end : JSONL_TAIL_BYTES;
    char *bytes = malloc(*size + 1);
    size_t done = 0;
    while (bytes && done < *size) {
        const ssize_t got = pread(self->fd, bytes + done, *size - done, self->end - (off_t)(*size - done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += (size_t)got;
    }
    if (bytes && done == *size) return bytes;
    free(bytes);
    return NULL;
}

/* The offset that the last line ends with. */
static uint64_t last_offset_of(const char *bytes, size_t size) {
    if (size < 2) return 0;
    const char *before = memrchr(bytes, '\n', size - 1);
    const char *line = before ? before + 1 : bytes;
    return jsonl_tail_offset(line, (size_t)(bytes + size - 1 - line));
}

/* Opens what is under the name and makes it whole. */
static steno_status open_file(jsonl_file *self, off_t *cut, steno_error *error) {
    cleanup_close int fd = open(self->settings.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    struct stat file;
    if (fd < 0 || fstat(fd, &file)) return fail_on(self, "open", error);
    if (!S_ISREG(file.st_mode))
        return steno_fail(error, STENO_INVALID, "%s is no file: for a pipe or a device give - and redirect",
                          self->settings.path);
    if (flock(fd, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK
                   ? steno_fail(error, STENO_BUSY, "another steno-jsonl writes to %s", self->settings.path)
                   : fail_on(self, "lock", error);
    steno_error reason;
    steno_status status = line_file_repair(fd, &self->end, cut, &reason);
    if (status) return steno_fail(error, status, "%s: %s", self->settings.path, reason.message);
    if (self->end > 0)
        localtime_r(&file.st_mtime, &self->day);
    else
        today(&self->day);
    self->last_offset = 0;
    self->device = file.st_dev;
    self->number = file.st_ino;
    self->fd = fd;
    fd = -1;
    return STENO_OK;
}

static void add_rotated(const char *bytes, size_t size, void *ctx) { jsonl_tail_add(ctx, bytes, size); }

/* What was written last. */
static steno_status read_back(jsonl_file *self, jsonl_tail **tail, steno_error *error) {
    size_t size;
    cleanup_free char *bytes = read_tail(self, &size);
    *tail = jsonl_tail_new();
    if (!bytes || !*tail || !jsonl_tail_add(*tail, bytes, size))
        return steno_fail(error, STENO_SYSTEM, "cannot read the end of %s: %s", self->settings.path, strerror(errno));
    self->last_offset = last_offset_of(bytes, size);
    if (size < JSONL_TAIL_BYTES) jsonl_archive_recent(self->archive, JSONL_TAIL_BYTES - size, add_rotated, *tail);
    return STENO_OK;
}

static steno_status sync_now(jsonl_file *self, steno_error *error) {
    if (!self->unsynced || self->settings.sync_ms == JSONL_SYNC_NEVER) return STENO_OK;
    self->sync_at = clock_after(self->settings.sync_ms);
    if (fdatasync(self->fd)) return fail_on(self, "sync", error);
    self->unsynced = false;
    return STENO_OK;
}

static void close_file(jsonl_file *self) {
    if (self->fd >= 0) close(self->fd);
    self->fd = -1;
}

/* Is what we write to still what is under the name, and as long as we left it? Else the name goes first. */
static steno_status follow_name(jsonl_file *self, steno_error *error) {
    struct stat there;
    const bool gone = stat(self->settings.path, &there) || there.st_dev != self->device || there.st_ino != self->number;
    if (self->fd >= 0 && (gone || atomic_exchange(&self->reopen, false))) {
        sync_now(self, NULL); /* it was moved with all that is in it */
        close_file(self);
    }
    if (self->fd < 0) {
        steno_status status = open_file(self, NULL, error);
        if (!status && (status = jsonl_archive_follow(self->archive, error))) close_file(self);
        return status;
    }
    if (there.st_size == self->end) return STENO_OK;
    /* Cut short or added to by somebody else (copytruncate). */
    steno_error reason;
    if (line_file_repair(self->fd, &self->end, NULL, &reason))
        return steno_fail(error, STENO_SYSTEM, "%s: %s", self->settings.path, reason.message);
    return STENO_OK;
}

static bool due(const jsonl_file *self, size_t size) {
    if (self->end == 0) return false;
    if (self->settings.size_max && self->end + (off_t)size > self->settings.size_max) return true;
    struct tm now;
    if (!self->settings.daily) return false;
    today(&now);
    return !same_day(&now, &self->day);
}

static steno_status rotate(jsonl_file *self, steno_error *error) {
    steno_status status = sync_now(self, error);
    if (!status) status = jsonl_archive_take(self->archive, &self->day, self->last_offset, error);
    if (status) return status;
    close_file(self);
    return open_file(self, NULL, error);
}

steno_status jsonl_file_open(const jsonl_settings *settings, jsonl_file **out, jsonl_tail **tail, off_t *cut,
                             steno_error *error) {
    *out = NULL;
    *tail = NULL;
    cleanup(release_file) jsonl_file *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for a file");
    self->settings = *settings;
    self->fd = -1;
    steno_status status = open_file(self, cut, error);
    if (!status) status = jsonl_archive_open(settings->path, settings->gzip, settings->keep, &self->archive, error);
    if (!status) status = read_back(self, tail, error);
    if (!status) status = jsonl_archive_start(self->archive, error);
    if (status) {
        jsonl_tail_free(*tail);
        *tail = NULL;
        return status;
    }
    *out = self;
    self = NULL;
    return STENO_OK;
}

void jsonl_file_close(jsonl_file *self) {
    if (!self) return;
    if (self->fd >= 0) sync_now(self, NULL);
    close_file(self);
    jsonl_archive_stop(self->archive);
    free(self);
}

size_t jsonl_file_room(const jsonl_file *self) {
    if (!self->settings.size_max) return SIZE_MAX;
    const int64_t left = self->settings.size_max - self->end;
    return (size_t)(left > 0 ? left : self->settings.size_max);
}

steno_status jsonl_file_put(jsonl_file *self, const void *lines, size_t size, uint64_t last_offset,
                            steno_error *error) {
    steno_status status = follow_name(self, error);
    if (!status && due(self, size)) status = rotate(self, error);
    if (status) return status;
    const off_t begun = self->end;
    steno_error reason;
    if (line_file_append(self->fd, &self->end, lines, size, &reason))
        return steno_fail(error, STENO_SYSTEM, "cannot write to %s: %s", self->settings.path, reason.message);
    self->unsynced = true;
    if (begun == 0) today(&self->day);
    if (self->settings.sync_ms == JSONL_SYNC_EACH || (self->settings.sync_ms > 0 && clock_until(self->sync_at) == 0))
        status = sync_now(self, error);
    if (status && !ftruncate(self->fd, begun)) self->end = begun; /* it is written anew */
    if (!status) self->last_offset = last_offset;
    return status;
}

steno_status jsonl_file_tick(jsonl_file *self, steno_error *error) {
    steno_status status = follow_name(self, error);
    if (!status && due(self, 0)) status = rotate(self, error);
    if (!status && self->settings.sync_ms > 0 && clock_until(self->sync_at) == 0) status = sync_now(self, error);
    return status;
}

void jsonl_file_reopen(jsonl_file *self) { atomic_store(&self->reopen, true); }

void jsonl_file_problem(jsonl_file *self, char out[256]) { jsonl_archive_problem(self->archive, out); }
