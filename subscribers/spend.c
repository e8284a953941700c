/* A hash table from (kind, name, slot) to what is to be added to that row. */
#include "subscribers/spend.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024u

typedef enum figure {
    CALLS,
    FAILURES,
    UNPRICED,
    PRICED,
    ESTIMATED,
    PROMPT,
    CACHED,
    COMPLETION,
    PICO,
    SAVED,
    REPORTED,
    FIGURES,
} figure;

typedef struct sum {
    struct sum *after; /* in the bucket */
    const char *kind;  /* static */
    int64_t slot;
    int64_t figures[FIGURES];
    char name[];
} sum;

struct spend {
    sqlite3_stmt *read_call, *read_tags, *add;
    sum *buckets[BUCKETS];
};

static const char READ_CALL[] =
    "SELECT CAST(started / 900 AS INTEGER), status = 'failure', prompt_tokens IS NULL AND completion_tokens IS NULL "
    "AND "
    "first_token IS NULL, coalesce(prompt_tokens, 0), coalesce(cached_tokens, 0), coalesce(completion_tokens, 0),"
    " coalesce(model, ''), coalesce(provider, ''), coalesce(app, ''), coalesce(user, ''), tags FROM call WHERE call_id "
    "= "
    "?1";
/* A tag that is there twice is one. */
static const char READ_TAGS[] = "SELECT DISTINCT CAST(coalesce(tag.value, '') AS TEXT) FROM (SELECT 1) LEFT JOIN "
                                "json_each(CASE WHEN json_valid(?1) THEN ?1 END) AS tag";
/* SQLite's own sum would become a floating-point number where it goes beyond 64 bits. */
#define PLUS(column)                                                                                            \
    column " = CASE typeof(" column " + excluded." column ") WHEN 'integer' THEN " column " + excluded." column \
           " ELSE CASE WHEN " column " > 0 THEN 9223372036854775807 ELSE -9223372036854775807 END END"
static const char ADD[] =
    "INSERT INTO spend (kind, name, slot, calls, failures, unpriced, priced, estimated, prompt_tokens, cached_tokens,"
    " completion_tokens, pico_dollars, saved, reported) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
    "?13, ?14) ON CONFLICT (kind, name, slot) DO UPDATE SET calls = calls + excluded.calls, failures = failures + "
    "excluded.failures, unpriced = unpriced + excluded.unpriced, priced = priced + excluded.priced,"
    " estimated = estimated + excluded.estimated, " PLUS("prompt_tokens") ", " PLUS("cached_tokens") ", " PLUS(
        "completion_tokens") ", " PLUS("pico_dollars") ", " PLUS("saved") ", " PLUS("reported");

spend *spend_new(sqlite3 *database, steno_error *error) {
    spend *self = calloc(1, sizeof *self);
    if (!self) {
        steno_fail(error, STENO_NO_MEMORY, "no memory for roll-ups");
        return NULL;
    }
    if (sqlite3_prepare_v2(database, READ_CALL, -1, &self->read_call, NULL) ||
        sqlite3_prepare_v2(database, READ_TAGS, -1, &self->read_tags, NULL) ||
        sqlite3_prepare_v2(database, ADD, -1, &self->add, NULL)) {
        steno_fail(error, STENO_CORRUPT, "cannot prepare the roll-ups: %s", sqlite3_errmsg(database));
        spend_free(self);
        return NULL;
    }
    return self;
}

void spend_begin(spend *self) {
    for (size_t i = 0; i < BUCKETS; i++)
        while (self->buckets[i]) {
            sum *first = self->buckets[i];
            self->buckets[i] = first->after;
            free(first);
        }
}

void spend_free(spend *self) {
    if (!self) return;
    spend_begin(self);
    sqlite3_finalize(self->read_call);
    sqlite3_finalize(self->read_tags);
    sqlite3_finalize(self->add);
    free(self);
}

/* ---- adding up ---- */

/* FNV-1a: names come from one's own apps, and a batch is small. */
static size_t bucket_of(const char *kind, const char *name, int64_t slot) {
    uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)slot;
    for (; *kind; kind++) hash = (hash ^ (unsigned char)*kind) * UINT64_C(1099511628211);
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return (hash ^ hash >> 32) % BUCKETS;
}

/* What apps report may be absurd: a sum stops at the end of its range, so that it does not become a debt, and a budget stays used up. */
static void add_figure(int64_t *total, int64_t more) {
    if (__builtin_add_overflow(*total, more, total)) *total = more > 0 ? INT64_MAX : -INT64_MAX;
}

static int add(spend *self, const char *kind, const char *name, int64_t slot, const int64_t figures[FIGURES]) {
    sum **at = &self->buckets[bucket_of(kind, name, slot)];
    while (*at && ((*at)->slot != slot || strcmp((*at)->kind, kind) || strcmp((*at)->name, name))) at = &(*at)->after;
    if (!*at) {
        sum *made = calloc(1, sizeof *made + strlen(name) + 1);
        if (!made) return SQLITE_NOMEM;
        made->kind = kind;
        made->slot = slot;
        strcpy(made->name, name);
        *at = made;
    }
    for (int i = 0; i < FIGURES; i++) add_figure(&(*at)->figures[i], figures[i]);
    return SQLITE_OK;
}

static int add_tags(spend *self, const char *tags, int64_t slot, const int64_t figures[FIGURES]) {
    int code, failed = SQLITE_OK;
    sqlite3_bind_text(self->read_tags, 1, tags, -1, SQLITE_STATIC);
    while (!failed && (code = sqlite3_step(self->read_tags)) == SQLITE_ROW)
        failed = add(self, "tag", (const char *)sqlite3_column_text(self->read_tags, 0), slot, figures);
    sqlite3_reset(self->read_tags);
    return failed ? failed : code == SQLITE_DONE ? SQLITE_OK : code;
}

/* What a row of `cost` counts as, times +1 or -1. */
static void count(int64_t figures[FIGURES], const spend_cost *cost, bool nothing_came, int64_t sign) {
    if (!cost) return;
    figures[UNPRICED] += sign * (!cost->known && !nothing_came);
    figures[PRICED] += sign * cost->known;
    figures[ESTIMATED] += sign * cost->estimated;
    figures[PICO] += sign * cost->pico_dollars;
    figures[SAVED] += sign * cost->saved;
    figures[REPORTED] += sign * cost->reported;
}

/* With the call's row at hand. */
static int add_call(spend *self, const spend_cost *before, const spend_cost *now) {
    static const struct {
        const char *kind;
        int column;
    } dimensions[] = {{"model", 6}, {"provider", 7}, {"app", 8}, {"user", 9}};
    sqlite3_stmt *call = self->read_call;
    const int64_t slot = sqlite3_column_int64(call, 0);
    const bool failed = sqlite3_column_int(call, 1), nothing_came = failed && sqlite3_column_int(call, 2);
    int64_t figures[FIGURES] = {0};
    if (!before) {
        figures[CALLS] = 1;
        figures[FAILURES] = failed;
        figures[PROMPT] = sqlite3_column_int64(call, 3);
        figures[CACHED] = sqlite3_column_int64(call, 4);
        figures[COMPLETION] = sqlite3_column_int64(call, 5);
    }
    count(figures, before, nothing_came, -1);
    count(figures, now, nothing_came, 1);
    int code = add(self, "all", "", slot, figures);
    for (size_t i = 0; i < sizeof dimensions / sizeof *dimensions && !code; i++)
        code =
            add(self, dimensions[i].kind, (const char *)sqlite3_column_text(call, dimensions[i].column), slot, figures);
    return code ? code : add_tags(self, (const char *)sqlite3_column_text(call, 10), slot, figures);
}

int spend_add(spend *self, const char *call_id, const spend_cost *before, const spend_cost *now) {
    sqlite3_bind_text(self->read_call, 1, call_id, -1, SQLITE_STATIC);
    int code = sqlite3_step(self->read_call);
    if (code == SQLITE_ROW) code = add_call(self, before, now);
    sqlite3_reset(self->read_call);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

void spend_each(const spend *self, spend_each_fn visit, void *ctx) {
    for (size_t i = 0; i < BUCKETS; i++)
        for (const sum *what = self->buckets[i]; what; what = what->after)
            if (what->figures[PICO]) visit(what->kind, what->name, what->slot, what->figures[PICO], ctx);
}

/* ---- writing ---- */

static int write_sum(spend *self, const sum *what) {
    sqlite3_bind_text(self->add, 1, what->kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(self->add, 2, what->name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(self->add, 3, what->slot);
    for (int i = 0; i < FIGURES; i++) sqlite3_bind_int64(self->add, 4 + i, what->figures[i]);
    int code = sqlite3_step(self->add);
    sqlite3_reset(self->add);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int spend_write(spend *self) {
    int code = SQLITE_OK;
    for (size_t i = 0; i < BUCKETS && !code; i++)
        for (const sum *what = self->buckets[i]; what && !code; what = what->after) code = write_sum(self, what);
    return code;
}
