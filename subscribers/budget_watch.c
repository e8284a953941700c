/* Budgets in order of their scopes, so that what a batch changed finds its own quickly. */
#include "subscribers/budget_watch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/clean.h"
#include "subscribers/budget_alerts.h"
#include "subscribers/budget_spent.h"

#define SLOT_SECONDS 900

/* One period of a budget. */
typedef struct figure {
    budget_span span;
    int64_t spent;
    uint32_t decided; /* thresholds that are stored, a bit each, in the order of the definition */
    bool fresh;       /* the two above are as the log has them */
    bool touched;     /* by the batch in hand */
} figure;

/* The period under way, and the one before: calls that began in it may end now. */
typedef struct watched {
    budget what;
    figure now, before;
} watched;

struct budget_watch {
    place where;
    budget_stamp stamp;
    char problem[sizeof((steno_error *)NULL)->message];
    watched *budgets;
    size_t count;
    bool known;        /* the definitions were read, now or once */
    sqlite3 *database; /* borrowed; NULL: none is open */
    sqlite3_stmt *spent, *decided, *decide, *recosts;
    int64_t recosts_last, recosts_changed;
};

/* How much `steno recost` has changed: of several runs at once an older one may be the last to write. */
static const char RECOSTS[] = "SELECT max(id), sum(changed) FROM recost";

static int by_scope(const void *a, const void *b) {
    return strcmp(((const watched *)a)->what.scope, ((const watched *)b)->what.scope);
}

/* ---- definitions ---- */

static void begin_period(watched *self, int64_t now) {
    if (self->now.span.end > now && self->now.span.start <= now) return;
    if (self->now.span.end == budget_span_of(self->what.period, now).start) self->before = self->now;
    self->now = (figure){.span = budget_span_of(self->what.period, now)};
    const int64_t start = self->now.span.start;
    if (self->before.span.end != start || start == INT64_MIN) {
        self->before = (figure){0};
        if (start != INT64_MIN) self->before.span = budget_span_of(self->what.period, start - 1);
    }
}

static bool replace(budget_watch *self, const budget_list *list) {
    watched *made = calloc(list->count + 1, sizeof *made);
    if (!made) return false;
    for (size_t i = 0; i < list->count; i++) made[i].what = list->items[i];
    qsort(made, list->count, sizeof *made, by_scope);
    free(self->budgets);
    self->budgets = made;
    self->count = list->count;
    return true;
}

/* Where they cannot be read, those from before stay. */
static void read_definitions(budget_watch *self) {
    budget_list list;
    steno_error error;
    if (budget_files_read(&self->where, &list, &error)) {
        snprintf(self->problem, sizeof self->problem, "%s", error.message);
        return;
    }
    self->problem[0] = '\0';
    self->known = replace(self, &list);
    if (!self->known) snprintf(self->problem, sizeof self->problem, "no memory for budgets");
    budget_list_clear(&list);
}

steno_status budget_watch_new(const place *where, budget_watch **out, steno_error *error) {
    *out = calloc(1, sizeof **out);
    if (!*out) return steno_fail(error, STENO_NO_MEMORY, "no memory for budgets");
    (*out)->where = *where;
    budget_files_changed(where, &(*out)->stamp);
    read_definitions(*out);
    return STENO_OK;
}

void budget_watch_free(budget_watch *self) {
    if (!self) return;
    budget_watch_close(self);
    free(self->budgets);
    free(self);
}

const char *budget_watch_problem(const budget_watch *self) { return self->problem[0] ? self->problem : NULL; }

bool budget_watch_stops(const budget_watch *self) {
    for (size_t i = 0; i < self->count; i++)
        if (self->budgets[i].what.stop) return true;
    return false;
}

bool budget_watch_ready(const budget_watch *self) {
    for (size_t i = 0; i < self->count; i++)
        if (!self->budgets[i].now.fresh) return false;
    return self->known;
}

/* ---- the log ---- */

steno_status budget_watch_open(budget_watch *self, sqlite3 *database, steno_error *error) {
    budget_watch_close(self);
    self->database = database;
    budget_watch_doubt(self);
    if (!budget_spent_prepare(database, &self->spent) &&
        !budget_alerts_prepare(database, &self->decided, &self->decide) &&
        !sqlite3_prepare_v2(database, RECOSTS, -1, &self->recosts, NULL))
        return STENO_OK;
    steno_fail(error, STENO_CORRUPT, "cannot prepare the budgets: %s", sqlite3_errmsg(database));
    budget_watch_close(self);
    return STENO_CORRUPT;
}

void budget_watch_close(budget_watch *self) {
    sqlite3_finalize(self->spent);
    sqlite3_finalize(self->decided);
    sqlite3_finalize(self->decide);
    sqlite3_finalize(self->recosts);
    self->spent = self->decided = self->decide = self->recosts = NULL;
    self->database = NULL;
}

void budget_watch_doubt(budget_watch *self) {
    for (size_t i = 0; i < self->count; i++) self->budgets[i].now.fresh = self->budgets[i].before.fresh = false;
}

/* Whether costs were computed again since the last look. */
static int check_recosts(budget_watch *self) {
    const int code = sqlite3_step(self->recosts);
    const int64_t last = code == SQLITE_ROW ? sqlite3_column_int64(self->recosts, 0) : 0;
    const int64_t changed = code == SQLITE_ROW ? sqlite3_column_int64(self->recosts, 1) : 0;
    sqlite3_reset(self->recosts);
    if (code != SQLITE_ROW) return code;
    if (last != self->recosts_last || changed != self->recosts_changed) budget_watch_doubt(self);
    self->recosts_last = last;
    self->recosts_changed = changed;
    return SQLITE_OK;
}

static int freshen(budget_watch *self, const budget *what, figure *period) {
    budget_sum sum;
    if (period->fresh) return SQLITE_OK;
    int code = budget_spent(self->spent, what->scope, period->span, &sum);
    if (!code) code = budget_alerts_decided(self->decided, what, period->span, &period->decided);
    if (code) return code;
    period->spent = sum.pico_dollars;
    period->fresh = true;
    return SQLITE_OK;
}

/* ---- counting ---- */

static void add(figure *period, int64_t pico_dollars) {
    period->touched = true;
    if (!period->fresh) return; /* it is read from the log, where the change is */
    if (__builtin_add_overflow(period->spent, pico_dollars, &period->spent))
        period->spent = pico_dollars > 0 ? INT64_MAX : INT64_MIN;
}

static bool within(budget_span span, int64_t time) { return time >= span.start && time < span.end; }

static void count_sum(const char *kind, const char *name, int64_t slot, int64_t pico_dollars, void *ctx) {
    budget_watch *self = ctx;
    watched wanted = {0};
    if (self->count == 0) return;
    const int size = !strcmp(kind, "all") ? snprintf(wanted.what.scope, sizeof wanted.what.scope, "all")
                                          : snprintf(wanted.what.scope, sizeof wanted.what.scope, "%s:%s", kind, name);
    if (size >= (int)sizeof wanted.what.scope) return; /* no budget has such a name */
    watched *found = bsearch(&wanted, self->budgets, self->count, sizeof *found, by_scope);
    if (!found) return;
    while (found > self->budgets && by_scope(found - 1, &wanted) == 0) found--;
    for (; found < self->budgets + self->count && by_scope(found, &wanted) == 0; found++) {
        if (within(found->now.span, slot * SLOT_SECONDS))
            add(&found->now, pico_dollars);
        else if (within(found->before.span, slot * SLOT_SECONDS))
            add(&found->before, pico_dollars);
    }
}

static bool is_due(const budget *what, const figure *period, size_t alert) {
    return !(period->decided & 1u << alert) && budget_reached(what, period->spent, what->alerts[alert]);
}

static int decide(budget_watch *self, const budget *what, figure *period, double now, size_t *decided) {
    int code = freshen(self, what, period);
    for (size_t i = 0; !code && i < what->alerts_count; i++) {
        if (!is_due(what, period, i)) continue;
        code = budget_alerts_decide(self->decide, what, period->span, period->spent, what->alerts[i], now);
        period->decided |= 1u << i;
        ++*decided;
    }
    return code;
}

int budget_watch_count(budget_watch *self, spend *changes, double now, size_t *decided) {
    assert(self->database);
    *decided = 0;
    for (size_t i = 0; i < self->count; i++) begin_period(&self->budgets[i], (int64_t)now);
    int code = self->count ? check_recosts(self) : SQLITE_OK;
    spend_each(changes, count_sum, self);
    for (size_t i = 0; !code && i < self->count; i++) {
        watched *one = &self->budgets[i];
        /* What is not fresh and not touched waits for budget_watch_look: the transaction is to be short. */
        if (one->now.fresh || one->now.touched) code = decide(self, &one->what, &one->now, now, decided);
        if (!code && one->before.touched) code = decide(self, &one->what, &one->before, now, decided);
        one->now.touched = one->before.touched = false;
    }
    return code;
}

int budget_watch_look(budget_watch *self, double now, bool *due) {
    *due = false;
    if (budget_files_changed(&self->where, &self->stamp)) read_definitions(self);
    for (size_t i = 0; i < self->count; i++) begin_period(&self->budgets[i], (int64_t)now);
    int code = self->database && self->count ? check_recosts(self) : SQLITE_OK;
    for (size_t i = 0; !code && self->database && i < self->count; i++) {
        watched *one = &self->budgets[i];
        code = freshen(self, &one->what, &one->now);
        for (size_t at = 0; !code && at < one->what.alerts_count; at++)
            *due = *due || is_due(&one->what, &one->now, at);
    }
    return code;
}

void budget_watch_each_stopped(const budget_watch *self, double now, budget_stopped_fn visit, void *ctx) {
    for (size_t i = 0; i < self->count; i++) {
        const watched *one = &self->budgets[i];
        if (one->what.stop && one->now.fresh && within(one->now.span, (int64_t)now) &&
            budget_reached(&one->what, one->now.spent, 100))
            visit(&one->what, one->now.span, one->now.spent, ctx);
    }
}
