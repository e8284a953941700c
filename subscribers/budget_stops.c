/* The list of used-up budgets as JSON. What was written last is kept, so that nothing is written without need. */
#include "subscribers/budget_stops.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/budgets.h"
#include "schema/clean.h"

#define OWNER_KEY "written_by"
#define OWNER "steno-cost"

struct budget_stops {
    char path[PLACE_PATH_BYTES + 16], new_path[PLACE_PATH_BYTES + 32];
    json_t *written; /* which budgets the file lists, without what they have spent; NULL: not known */
    bool ours;       /* the file, if there is one */
};

CLEANUP_FUNCTION(clean_json, json_t, json_decref)

steno_status budget_stops_new(const place *where, budget_stops **out, steno_error *error) {
    budget_stops *self = calloc(1, sizeof *self);
    *out = self;
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for budgets");
    snprintf(self->path, sizeof self->path, "%s/" BUDGETS_FILE, where->state);
    snprintf(self->new_path, sizeof self->new_path, "%s/" BUDGETS_FILE ".new", where->state);
    cleanup(clean_json) json_t *found = json_load_file(self->path, 0, NULL);
    const char *owner = json_string_value(json_object_get(found, OWNER_KEY));
    self->ours = owner && !strcmp(owner, OWNER);
    return STENO_OK;
}

void budget_stops_free(budget_stops *self) {
    if (!self) return;
    json_decref(self->written);
    free(self);
}

typedef struct listing {
    json_t *stopped, *same; /* what is written, and what makes it another list than before */
} listing;

static void add_stopped(const budget *which, budget_span span, int64_t spent, void *ctx) {
    listing *self = ctx;
    const bool ends = span.end != INT64_MAX;
    char limit[BUDGET_DOLLARS_BYTES];
    budget_dollars(which->limit, limit);
    json_array_append_new(self->stopped, json_pack("{s:s, s:s, s:s, s:f, s:f, s:o}", "budget", which->name, "scope",
                                                   which->scope, "period", budget_period_name(which->period),
                                                   "limit_usd", (double)which->limit / BUDGET_PICO_PER_DOLLAR,
                                                   "spent_usd", (double)spent / BUDGET_PICO_PER_DOLLAR, "until",
                                                   ends ? json_integer(span.end) : json_null()));
    json_array_append_new(self->same,
                          json_pack("[s, s, s, I]", which->name, which->scope, limit, (json_int_t)span.end));
}

static steno_status replace(const budget_stops *self, const json_t *root, steno_error *error) {
    cleanup_free char *text = json_dumps(root, JSON_REAL_PRECISION(15));
    if (!text) return steno_fail(error, STENO_NO_MEMORY, "no memory for %s", self->path);
    const size_t size = strlen(text);
    cleanup_close int fd = open(self->new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && write(fd, text, size) == (ssize_t)size && rename(self->new_path, self->path) == 0) return STENO_OK;
    const int why = errno;
    if (fd >= 0) unlink(self->new_path);
    return steno_fail(error, STENO_SYSTEM, "cannot write %s: %s", self->path, strerror(why));
}

steno_status budget_stops_write(budget_stops *self, const budget_watch *watch, double now, steno_error *error) {
    if (!budget_watch_ready(watch) || (!budget_watch_stops(watch) && !self->ours)) return STENO_OK;
    cleanup(clean_json) json_t *root = json_pack("{s:s, s:[]}", OWNER_KEY, OWNER, "stopped");
    cleanup(clean_json) json_t *same = json_array();
    if (!root || !same) return steno_fail(error, STENO_NO_MEMORY, "no memory for %s", self->path);
    listing list = {.stopped = json_object_get(root, "stopped"), .same = same};
    budget_watch_each_stopped(watch, now, add_stopped, &list);
    const bool gone = access(self->path, F_OK) != 0, empty = json_array_size(same) == 0;
    if (self->written && json_equal(self->written, same) && (!gone || empty)) return STENO_OK;
    if (!self->written && !self->ours && empty && gone) return STENO_OK;
    steno_status status = replace(self, root, error);
    if (status) return status;
    json_decref(self->written);
    self->written = json_incref(same);
    self->ours = true;
    return STENO_OK;
}
