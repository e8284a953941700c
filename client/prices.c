/* The tables: the built-in one, read once, and two files, read when they change. A file that can't be read leaves what was read before
 * of it, so that a slip of the hand does not make costs unknown. What changes is guarded by the fork guard, so that a child finds it whole; files are read
 * outside of it.
 */
#include "client/prices.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "client/fork_watch.h"
#include "schema/place.h"

extern const char steno_prices_json[];
extern const size_t steno_prices_json_size;

/* What tells that a file is another than before. */
typedef struct file_state {
    struct timespec changed;
    off_t size;
    ino_t inode;
} file_state;

struct steno_prices {
    char paths[PRICES_LAYERS][PLACE_PATH_BYTES + 32];
    _Atomic int64_t look_ms; /* the next look at the files is due */
    /* The rest is guarded by the fork guard. */
    unsigned reader; /* fork_generation() + 1 of who reads the files now; 0: nobody */
    file_state states[PRICES_LAYERS];
    price_table *tables[PRICES_LAYERS];
    steno_error problems[PRICES_LAYERS];
};

static pthread_once_t built_in_read = PTHREAD_ONCE_INIT;
static price_table *built_in; /* lives as long as the process; NULL only without memory */

static void read_built_in(void) {
    price_table_parse("prices.json", steno_prices_json, steno_prices_json_size, NULL, &built_in, NULL);
}

const char *prices_layer_name(prices_layer layer) {
    static const char *const names[] = {"built-in", "imported", "own"};
    return names[layer];
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static file_state state_of(const char *path) {
    struct stat found;
    if (stat(path, &found)) return (file_state){0};
    return (file_state){.changed = found.st_mtim, .size = found.st_size, .inode = found.st_ino};
}

static bool is_same(const file_state *a, const file_state *b) {
    return a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec && a->size == b->size &&
           a->inode == b->inode;
}

static bool refresh_layer(steno_prices *self, prices_layer layer) {
    file_state state = state_of(self->paths[layer]);
    /* Only the one reader changes states. */
    if (is_same(&state, &self->states[layer])) return false;
    price_table *table = NULL;
    steno_error problem = {0};
    bool read = !price_table_read(self->paths[layer], NULL, &table, &problem) || problem.status == STENO_NOT_FOUND;
    fork_guard_lock();
    self->states[layer] = state;
    self->problems[layer] = read ? (steno_error){0} : problem;
    price_table *old = read ? self->tables[layer] : NULL;
    if (read) self->tables[layer] = table;
    fork_guard_unlock();
    price_table_release(old);
    return read;
}

/* Looks at the files, where that is due and nobody else is at it. True: something is new. */
static bool refresh(steno_prices *self) {
    int64_t now = now_ms();
    if (now < atomic_load_explicit(&self->look_ms, memory_order_relaxed)) return false;
    unsigned me = fork_generation() + 1;
    fork_guard_lock();
    bool mine = self->reader != me;
    if (mine) self->reader = me;
    fork_guard_unlock();
    if (!mine) return false;
    bool changed = false;
    for (prices_layer layer = PRICES_LAYER_IMPORTED; layer < PRICES_LAYERS; layer++)
        changed |= refresh_layer(self, layer);
    atomic_store_explicit(&self->look_ms, now + PRICES_LOOK_MS, memory_order_relaxed);
    fork_guard_lock();
    self->reader = 0;
    fork_guard_unlock();
    return changed;
}

steno_status steno_prices_open(const char *dir, steno_prices **out, steno_error *error) {
    place where;
    *out = NULL;
    steno_status status = place_open(&where, dir, error);
    if (status) return status;
    pthread_once(&built_in_read, read_built_in);
    steno_prices *self = calloc(1, sizeof *self);
    if (!self || !built_in) {
        free(self);
        return steno_fail(error, STENO_NO_MEMORY, "no memory for prices");
    }
    snprintf(self->paths[PRICES_LAYER_IMPORTED], sizeof *self->paths, "%s/" PRICES_FOLDER "/" PRICES_IMPORTED,
             where.state);
    snprintf(self->paths[PRICES_LAYER_OWN], sizeof *self->paths, "%s/" PRICES_FOLDER "/" PRICES_OWN, where.state);
    self->tables[PRICES_BUILT_IN] = price_table_hold(built_in);
    refresh(self);
    *out = self;
    return STENO_OK;
}

void steno_prices_free(steno_prices *self) {
    if (!self) return;
    for (prices_layer layer = PRICES_BUILT_IN; layer < PRICES_LAYERS; layer++) price_table_release(self->tables[layer]);
    free(self);
}

bool steno_prices_refresh(steno_prices *self) { return refresh(self); }

bool steno_prices_problem(steno_prices *self, steno_error *out) {
    bool any = false;
    fork_guard_lock();
    for (prices_layer layer = PRICES_LAYER_IMPORTED; layer < PRICES_LAYERS && !any; layer++) {
        any = self->problems[layer].status != STENO_OK;
        if (any && out) *out = self->problems[layer];
    }
    fork_guard_unlock();
    return any;
}

prices_view prices_take(steno_prices *self) {
    prices_view view = {0};
    pthread_once(&built_in_read, read_built_in);
    if (!self) {
        view.tables[PRICES_BUILT_IN] = price_table_hold(built_in);
        return view;
    }
    refresh(self);
    fork_guard_lock();
    for (prices_layer layer = PRICES_BUILT_IN; layer < PRICES_LAYERS; layer++)
        view.tables[layer] = price_table_hold(self->tables[layer]);
    fork_guard_unlock();
    return view;
}

void prices_release(prices_view *view) {
    for (prices_layer layer = PRICES_BUILT_IN; layer < PRICES_LAYERS; layer++) price_table_release(view->tables[layer]);
}
