/* The list of used-up budgets: read when the file changes, then only looked at. What changes is guarded by the fork guard. */
#include "client/budgets.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "client/failure.h"
#include "client/fork_watch.h"
#include "schema/clean.h"
#include "schema/identity.h"

/* A list as it was read once. */
typedef struct stopped_list {
    atomic_uint holders;
    json_t *root; /* only read */
} stopped_list;

struct budgets {
    char path[PLACE_PATH_BYTES + 16];
    /* Guarded by the fork guard. */
    struct timespec changed;
    off_t size;
    ino_t inode;
    stopped_list *list; /* NULL: nothing is used up */
};

static void release(stopped_list *list) {
    if (!list || atomic_fetch_sub(&list->holders, 1) > 1) return;
    json_decref(list->root);
    free(list);
}

CLEANUP_FUNCTION(clean_list, stopped_list, release)

steno_status budgets_open(const place *where, budgets **out, steno_error *error) {
    *out = calloc(1, sizeof **out);
    if (!*out) return steno_fail(error, STENO_NO_MEMORY, "no memory for budgets");
    snprintf((*out)->path, sizeof(*out)->path, "%s/" BUDGETS_FILE, where->state);
    return STENO_OK;
}

void budgets_free(budgets *self) {
    if (!self) return;
    release(self->list);
    free(self);
}

/* NULL: there is no such file, or it is none of steno-cost's. */
static stopped_list *read_file(const char *path, const struct stat *found) {
    if (found->st_size <= 0 || found->st_size > (off_t)BUDGETS_BYTES_MAX) return NULL;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    stopped_list *list = root ? calloc(1, sizeof *list) : NULL;
    if (!list) {
        json_decref(root);
        return NULL;
    }
    atomic_init(&list->holders, 1);
    list->root = root;
    return list;
}

/* The list as the file has it now; held for the caller. */
static stopped_list *take(budgets *self) {
    struct stat found = {0};
    if (stat(self->path, &found)) found = (struct stat){0};
    fork_guard_lock();
    bool same = found.st_mtim.tv_sec == self->changed.tv_sec && found.st_mtim.tv_nsec == self->changed.tv_nsec &&
                found.st_size == self->size && found.st_ino == self->inode;
    stopped_list *list = same ? self->list : NULL;
    if (list) atomic_fetch_add(&list->holders, 1);
    fork_guard_unlock();
    if (same) return list;
    list = read_file(self->path, &found);
    if (list) atomic_fetch_add(&list->holders, 1); /* the caller's */
    fork_guard_lock();
    stopped_list *old = self->list;
    self->list = list;
    self->changed = found.st_mtim;
    self->size = found.st_size;
    self->inode = found.st_ino;
    fork_guard_unlock();
    release(old);
    return list;
}

static bool is_named(const char *name, const char *own) { return own && !strcmp(name, own); }

/* Whether "user:alice", "all", … is one of the scope's. */
static bool is_in(const char *listed, const budget_scope *scope) {
    const char *colon = strchr(listed, ':');
    if (!colon) return !strcmp(listed, "all");
    const size_t size = (size_t)(colon - listed);
    const char *name = colon + 1;
#define IS(kind) (size == strlen(kind) && !strncmp(listed, kind, size))
    if (IS("user")) return is_named(name, scope->user);
    if (IS("app")) return is_named(name, scope->app);
    if (IS("model")) return is_named(name, scope->model);
    if (IS("provider")) return is_named(name, scope->provider);
    for (size_t i = 0; IS("tag") && i < json_array_size(scope->tags); i++)
        if (is_named(name, json_string_value(json_array_get(scope->tags, i)))) return true;
#undef IS
    return false;
}

/* Cents, and where these say nothing, as much as prices of a token have. */
static int decimals(double dollars) { return dollars > 0 && dollars < 0.01 ? 8 : 2; }

static void refuse(const json_t *budget, const char *scope, double until, steno_error *error) {
    char end[32] = "it is raised";
    const time_t seconds = (time_t)until;
    struct tm local;
    const char *period = json_string_value(json_object_get(budget, "period"));
    const double spent = json_number_value(json_object_get(budget, "spent_usd")),
                 limit = json_number_value(json_object_get(budget, "limit_usd"));
    if (until > 0 && localtime_r(&seconds, &local)) strftime(end, sizeof end, "%Y-%m-%d %H:%M", &local);
    failure_set(error, "BudgetExceeded", 0, false,
                "the budget of %.200s is used up: $%.*f of $%.*f%s%.16s; calls are refused until %s", scope,
                decimals(spent), spent, decimals(limit), limit, period && until > 0 ? " this " : "",
                period && until > 0 ? period : "", end);
}

steno_status budgets_check(budgets *self, const budget_scope *scope, steno_error *error) {
    cleanup(clean_list) stopped_list *list = take(self);
    const json_t *stopped = list ? json_object_get(list->root, "stopped") : NULL;
    const double now = identity_now();
    for (size_t i = 0; i < json_array_size(stopped) && i < BUDGETS_MAX; i++) {
        const json_t *budget = json_array_get(stopped, i), *end = json_object_get(budget, "until");
        const char *listed = json_string_value(json_object_get(budget, "scope"));
        double until = json_is_number(end) ? json_number_value(end) : 0;
        if (!listed || (until > 0 && until <= now) || !is_in(listed, scope)) continue;
        refuse(budget, listed, until, error);
        return STENO_FAILED;
    }
    return STENO_OK;
}
