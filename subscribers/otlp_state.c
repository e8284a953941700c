#include "subscribers/otlp_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "schema/clean.h"
#include "schema/control.h"
#include "schema/place.h"

/* 2,000 series of long names have 2 MiB. */
#define FILE_BYTES_MAX (32u << 20)

struct otlp_state {
    char folder[PLACE_PATH_BYTES + 8];
    char path[PLACE_PATH_BYTES + 8 + CONTROL_NAME_BYTES + 8];
    char fresh[PLACE_PATH_BYTES + 8 + CONTROL_NAME_BYTES + 16]; /* while it is written */
};

static void *take(void *arena, size_t size) { return otlp_arena_take(arena, size); }

static void give(void *arena, void *block) {
    (void)arena;
    (void)block;
}

static steno_status make_folder(const otlp_state *self, steno_error *error) {
    if (!mkdir(self->folder, 0700) || errno == EEXIST) return STENO_OK;
    return steno_fail(error, STENO_SYSTEM, "cannot make the folder %s: %s", self->folder, strerror(errno));
}

steno_status otlp_state_open(const char *dir, const char *name, otlp_state **out, steno_error *error) {
    *out = NULL;
    if (!control_name_valid(name))
        return steno_fail(error, STENO_INVALID, "name %.80s: 1 to %d of [A-Za-z0-9_.-]", name, CONTROL_NAME_BYTES - 1);
    place where;
    steno_status status = place_open(&where, dir, error);
    if (status) return status;
    otlp_state *self = otlp_memory(calloc(1, sizeof *self));
    snprintf(self->folder, sizeof self->folder, "%s/otlp", where.state);
    snprintf(self->path, sizeof self->path, "%s/%s.sums", self->folder, name);
    snprintf(self->fresh, sizeof self->fresh, "%s.new", self->path);
    status = make_folder(self, error);
    if (status) {
        free(self);
        return status;
    }
    *out = self;
    return STENO_OK;
}

void otlp_state_free(otlp_state *self) { free(self); }
const char *otlp_state_path(const otlp_state *self) { return self->path; }

/* What the series depend on beside the events. */
static char *shape_of(otlp_arena *arena, const otlp_sums *sums) {
    char *shape = otlp_arena_format(arena, "semconv %d", (int)sums->semconv);
    for (size_t i = 0; i < sums->set->count; i++)
        shape = otlp_arena_format(arena, "%s, %s=%s", shape, sums->set->items[i].key, sums->set->items[i].value);
    return shape;
}

/* ---- reading ---- */

/* The file's bytes in the arena; NULL: there are none. */
static unsigned char *read_file(const otlp_state *self, otlp_arena *arena, size_t *size) {
    cleanup_close int fd = open(self->path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (fd < 0 || fstat(fd, &about) || about.st_size <= 0 || about.st_size > FILE_BYTES_MAX) return NULL;
    unsigned char *bytes = otlp_arena_take(arena, (size_t)about.st_size);
    *size = 0;
    while (*size < (size_t)about.st_size) {
        const ssize_t got = read(fd, bytes + *size, (size_t)about.st_size - *size);
        if (got <= 0) return NULL;
        *size += (size_t)got;
    }
    return bytes;
}

bool otlp_state_load(otlp_state *self, otlp_sums *sums, steno_error *error) {
    otlp_arena arena = {0};
    ProtobufCAllocator allocator = {.alloc = take, .free = give, .allocator_data = &arena};
    size_t size;
    const unsigned char *bytes = read_file(self, &arena, &size);
    const Otlp__State *state = bytes ? otlp__state__unpack(&allocator, size, bytes) : NULL;
    bool same = false;
    steno_fail(error, STENO_OK, "%s", "");
    if (bytes && !state) steno_fail(error, STENO_CORRUPT, "%s is damaged: the metrics begin from zero", self->path);
    if (state) {
        same = !strcmp(state->shape, shape_of(&arena, sums));
        sums->offset = state->offset;
        if (strlen(state->call_id) < sizeof sums->call_id) strcpy(sums->call_id, state->call_id);
        if (same) sums->start_ns = state->start_time_unix_nano;
        if (same && state->sums) otlp_sums_restore(sums, state->sums);
    }
    otlp_arena_clear(&arena);
    return same;
}

/* ---- writing ---- */

static steno_status fail_on(const char *path, const char *what, steno_error *error) {
    return steno_fail(error, STENO_SYSTEM, "cannot %s %s: %s", what, path, strerror(errno));
}

static steno_status write_file(const otlp_state *self, const unsigned char *bytes, size_t size, steno_error *error) {
    cleanup_close int fd = open(self->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return fail_on(self->fresh, "open", error);
    for (size_t done = 0; done < size;) {
        const ssize_t put = write(fd, bytes + done, size - done);
        if (put < 0) return fail_on(self->fresh, "write to", error);
        done += (size_t)put;
    }
    if (fdatasync(fd)) return fail_on(self->fresh, "sync", error);
    return rename(self->fresh, self->path) ? fail_on(self->path, "replace", error) : STENO_OK;
}

steno_status otlp_state_save(otlp_state *self, const otlp_sums *sums, steno_error *error) {
    otlp_arena arena = {0};
    Otlp__State state = OTLP__STATE__INIT;
    state.offset = sums->offset;
    state.call_id = (char *)(uintptr_t)sums->call_id;
    state.start_time_unix_nano = sums->start_ns;
    state.shape = shape_of(&arena, sums);
    state.sums = otlp_sums_request(sums, &arena, OTLP_CUMULATIVE, sums->start_ns);
    unsigned char *bytes = otlp_arena_take(&arena, otlp__state__get_packed_size(&state));
    const size_t size = otlp__state__pack(&state, bytes);
    steno_status status = make_folder(self, error); /* it may have been deleted */
    if (!status) status = write_file(self, bytes, size, error);
    otlp_arena_clear(&arena);
    return status;
}
