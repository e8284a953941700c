/* One line a dead letter. The file is opened for each: they are rare, and it may have been moved away meanwhile. A lock keeps apart two programs
 * that use one name.
 */
#include "subscribers/dead_letter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/clean.h"
#include "schema/control.h"
#include "schema/identity.h"
#include "schema/json.h"
#include "schema/place.h"
#include "subscribers/line_file.h"

struct dead_letter {
    char name[CONTROL_NAME_BYTES];
    char folder[PLACE_PATH_BYTES + 16];
    char path[PLACE_PATH_BYTES + 16 + CONTROL_NAME_BYTES + 8];
    uint64_t count;
};

static steno_status make_folder(const dead_letter *self, steno_error *error) {
    if (!mkdir(self->folder, 0700) || errno == EEXIST) return STENO_OK;
    return steno_fail(error, STENO_SYSTEM, "cannot make the folder %s: %s", self->folder, strerror(errno));
}

steno_status dead_letter_open(const char *dir, const char *name, dead_letter **out, steno_error *error) {
    *out = NULL;
    if (!control_name_valid(name))
        return steno_fail(error, STENO_INVALID, "name %.80s: 1 to %d of [A-Za-z0-9_.-]", name, CONTROL_NAME_BYTES - 1);
    place where;
    steno_status status = place_open(&where, dir, error);
    if (status) return status;
    cleanup_free dead_letter *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for dead letters");
    strcpy(self->name, name);
    snprintf(self->folder, sizeof self->folder, "%s/dead-letters", where.state);
    snprintf(self->path, sizeof self->path, "%s/%s.jsonl", self->folder, name);
    status = make_folder(self, error);
    if (status) return status;
    cleanup_close int fd = open(self->path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) status = line_file_count(fd, &self->count, error);
    if (status) return status;
    *out = self;
    self = NULL;
    return STENO_OK;
}

void dead_letter_free(dead_letter *self) { free(self); }
uint64_t dead_letter_count(const dead_letter *self) { return self->count; }
const char *dead_letter_path(const dead_letter *self) { return self->path; }

/* The line with its newline; owned by the caller. */
static char *make_line(const dead_letter *self, const steno_event *event, const char *why, size_t *size) {
    char topic[STENO_TOPIC_BYTES];
    steno_event_topic(event, topic);
    json_t *body = value_to_json(steno_event_value(event));
    json_t *json = json_pack("{s:f, s:s, s:I, s:s+, s:o}", "time", identity_now(), "name", self->name, "offset",
                             (json_int_t)steno_event_offset(event), "topic", topic, "", "event", body);
    json_t *error = json_string(why);
    if (!error) error = json_string("(not told in UTF-8)");
    if (json) json_object_set_new(json, "error", error);
    char *text = json ? json_dumps(json, JSON_FLAGS_OUT) : NULL;
    json_decref(json);
    if (!text) return NULL;
    *size = strlen(text);
    text[(*size)++] = '\n'; /* in place of the NUL */
    return text;
}

static steno_status fail_on(const dead_letter *self, const char *what, steno_error *error) {
    return steno_fail(error, STENO_SYSTEM, "cannot %s %s: %s", what, self->path, strerror(errno));
}

steno_status dead_letter_add(dead_letter *self, const steno_event *event, const char *why, steno_error *error) {
    size_t size;
    cleanup_free char *line = make_line(self, event, why, &size);
    if (!line) return steno_fail(error, STENO_NO_MEMORY, "no memory for a dead letter");
    steno_status status = make_folder(self, error); /* it may have been deleted */
    if (status) return status;
    cleanup_close int fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail_on(self, "open", error);
    if (flock(fd, LOCK_EX)) return fail_on(self, "lock", error);
    off_t end;
    steno_error reason;
    if (line_file_repair(fd, &end, NULL, &reason))
        return steno_fail(error, STENO_SYSTEM, "%s: %s", self->path, reason.message);
    if (end == 0) self->count = 0; /* a new file */
    const off_t begun = end;
    if (line_file_append(fd, &end, line, size, &reason))
        return steno_fail(error, STENO_SYSTEM, "cannot write to %s: %s", self->path, reason.message);
    if (fdatasync(fd)) {
        status = fail_on(self, "sync", error);
        if (ftruncate(fd, begun)) return status; /* then it is there twice */
        return status;
    }
    self->count++;
    return STENO_OK;
}
