/* In order of the calls' rows: read some, compute, write what changed, rest. */
#include "subscribers/recost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schema/clean.h"
#include "schema/identity.h"
#include "subscribers/clock.h"
#include "subscribers/spend.h"

static const char READ[] =
    "SELECT " COST_AGAIN_COLUMNS ", call.id, call.model FROM call CROSS JOIN cost ON cost.call_id = call.call_id"
    " WHERE call.id > ?1 AND call.started >= ?2 AND call.started < ?3 AND (?4 IS NULL OR call.model = ?4)"
    " ORDER BY call.id LIMIT ?5";
/* Only what is still as it was read: steno-cost may have been there, or another run. */
static const char KEEP[] = "INSERT INTO cost_old (call_id, recost, pico_dollars, source, price_model, price_date, "
                           "saved, price_source, reported, breakdown)"
                           " SELECT call_id, ?2, pico_dollars, source, price_model, price_date, saved, price_source, "
                           "reported, breakdown FROM cost"
                           " WHERE call_id = ?1 AND offset = ?3 AND pico_dollars IS ?4 AND source = ?5 AND saved IS ?6"
                           " ON CONFLICT DO NOTHING";
static const char CHANGE[] =
    "UPDATE cost SET pico_dollars = ?2, source = ?3, price_model = ?4, price_date = ?5, saved = ?6, price_source = ?7,"
    " breakdown = ?8 WHERE call_id = ?1";

/* A call that costs something else than before. */
typedef struct change {
    cost_row now;
    spend_cost before;
    char *model;   /* owned; may be NULL */
    char *source;  /* as it was; owned */
    int64_t saved; /* as it was; STENO_UNKNOWN: nothing */
    bool done;
} change;

typedef struct recosting {
    sqlite3 *database;
    sqlite3_stmt *read, *keep, *change;
    spend *spend;
    int64_t id; /* of its row in `recost`; 0: there is none yet */
    int64_t last;
    change changes[RECOST_WRITE_ROWS];
    size_t count;
} recosting;

static void release(recosting *self) {
    sqlite3_finalize(self->read);
    sqlite3_finalize(self->keep);
    sqlite3_finalize(self->change);
    spend_free(self->spend);
    for (size_t i = 0; i < self->count; i++) {
        cost_row_clear(&self->changes[i].now);
        free(self->changes[i].model);
        free(self->changes[i].source);
    }
    free(self);
}
CLEANUP_FUNCTION(clean_recosting, recosting, release)

static steno_status fail(sqlite3 *database, const char *what, steno_error *error) {
    const int code = sqlite3_errcode(database) & 0xff;
    return steno_fail(error,
                      code == SQLITE_BUSY || code == SQLITE_LOCKED ? STENO_TIMEOUT
                      : code == SQLITE_NOMEM                       ? STENO_NO_MEMORY
                                                                   : STENO_SYSTEM,
                      "%s: %s", what, sqlite3_errmsg(database));
}

static steno_status execute(recosting *self, const char *sql, const char *what, steno_error *error) {
    return sqlite3_exec(self->database, sql, NULL, NULL, NULL) ? fail(self->database, what, error) : STENO_OK;
}

static void bind_known(sqlite3_stmt *statement, int at, int64_t number) {
    if (number == STENO_UNKNOWN)
        sqlite3_bind_null(statement, at);
    else
        sqlite3_bind_int64(statement, at, number);
}

static void bind_text(sqlite3_stmt *statement, int at, const char *text) {
    sqlite3_bind_text(statement, at, text && *text ? text : NULL, -1, SQLITE_STATIC);
}

static int64_t counted(int64_t number) { return number == STENO_UNKNOWN ? 0 : number; }

static int step(sqlite3_stmt *statement) {
    const int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* ---- writing ---- */

/* One call's rows. SQLite's code. */
static int write_change(recosting *self, change *one) {
    const cost_row *now = &one->now;
    sqlite3_bind_text(self->keep, 1, now->call_id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(self->keep, 2, self->id);
    sqlite3_bind_int64(self->keep, 3, (int64_t)now->offset);
    bind_known(self->keep, 4, one->before.known ? one->before.pico_dollars : STENO_UNKNOWN);
    bind_text(self->keep, 5, one->source);
    bind_known(self->keep, 6, one->saved);
    int code = step(self->keep);
    one->done = !code && sqlite3_changes(self->database) > 0;
    if (!one->done) return code;
    sqlite3_bind_text(self->change, 1, now->call_id, -1, SQLITE_STATIC);
    bind_known(self->change, 2, now->known ? now->pico_dollars : STENO_UNKNOWN);
    bind_text(self->change, 3, now->source);
    bind_text(self->change, 4, now->price_model);
    bind_text(self->change, 5, now->price_date);
    bind_known(self->change, 6, now->saved);
    bind_text(self->change, 7, now->price_source);
    bind_text(self->change, 8, now->breakdown);
    code = step(self->change);
    const spend_cost then = {.known = now->known,
                             .estimated = !strcmp(now->source, "estimated"),
                             .pico_dollars = now->known ? now->pico_dollars : 0,
                             .saved = counted(now->saved),
                             .reported = counted(now->reported)};
    return code ? code : spend_add(self->spend, now->call_id, &one->before, &then);
}

static steno_status number_run(recosting *self, steno_error *error) {
    if (self->id) return STENO_OK;
    char sql[128];
    snprintf(sql, sizeof sql, "INSERT INTO recost (started) VALUES (%.6f)", identity_now());
    steno_status status = execute(self, sql, "cannot note the run", error);
    if (!status) self->id = sqlite3_last_insert_rowid(self->database);
    return status;
}

static steno_status note_changed(recosting *self, size_t done, steno_error *error) {
    char sql[128];
    snprintf(sql, sizeof sql, "UPDATE recost SET changed = changed + %zu WHERE id = %lld", done, (long long)self->id);
    return execute(self, sql, "cannot note the run", error);
}

static steno_status write_all(recosting *self, steno_error *error) {
    const int64_t id = self->id;
    size_t done = 0;
    steno_status status = execute(self, "BEGIN IMMEDIATE", "cannot begin to write", error);
    if (status) return status;
    status = number_run(self, error);
    spend_begin(self->spend);
    for (size_t i = 0; i < self->count && !status; i++) {
        if (write_change(self, &self->changes[i])) status = fail(self->database, "cannot change a cost", error);
        done += self->changes[i].done;
    }
    if (!status && spend_write(self->spend)) status = fail(self->database, "cannot store sums", error);
    if (!status) status = note_changed(self, done, error);
    if (!status) status = execute(self, "COMMIT", "cannot store costs", error);
    if (!status) return STENO_OK;
    if (!sqlite3_get_autocommit(self->database)) sqlite3_exec(self->database, "ROLLBACK", NULL, NULL, NULL);
    self->id = id;
    return status;
}

static void pause_after(int64_t began) {
    const int64_t took = clock_ms() - began, ms = took > RECOST_PAUSE_MS ? took : RECOST_PAUSE_MS;
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

/* Writes what is in hand, tells of it, and forgets it. */
static steno_status flush(recosting *self, const recost_query *query, recost_fn visit, void *ctx, steno_error *error) {
    const int64_t began = clock_ms();
    if (self->count == 0) return STENO_OK;
    steno_status status = query->dry_run ? STENO_OK : write_all(self, error);
    for (size_t i = 0; i < self->count; i++) {
        change *one = &self->changes[i];
        const cost_stored before = {
            .known = one->before.known, .pico_dollars = one->before.pico_dollars, .source = one->source};
        if (!status) visit(one->model, &before, &one->now, one->done || query->dry_run, ctx);
        cost_row_clear(&one->now);
        free(one->model);
        free(one->source);
    }
    self->count = 0;
    if (!status && !query->dry_run) pause_after(began);
    return status;
}

/* ---- reading ---- */

static char *copy(const char *text) { return text ? strdup(text) : NULL; }

/* The call in the statement's row: computed, and kept if it is to change. */
static steno_status take_row(recosting *self, steno_prices *prices, recost_fn visit, void *ctx, int64_t *left,
                             steno_error *error) {
    cost_row now;
    const cost_stored stored = cost_again_stored(self->read);
    const char *model = (const char *)sqlite3_column_text(self->read, COST_AGAIN_COUNT + 1);
    self->last = sqlite3_column_int64(self->read, COST_AGAIN_COUNT);
    const bool computed = cost_again(self->read, prices, &now);
    if (!computed) ++*left;
    if (!computed || !cost_again_differs(&stored, &now)) {
        if (computed) visit(model, &stored, &now, false, ctx);
        cost_row_clear(&now);
        return STENO_OK;
    }
    change *one = &self->changes[self->count++];
    *one = (change){.now = now,
                    .before = {.known = stored.known,
                               .estimated = !strcmp(stored.source, "estimated"),
                               .pico_dollars = stored.known ? stored.pico_dollars : 0,
                               .saved = counted(stored.saved),
                               .reported = counted(now.reported)},
                    .model = copy(model),
                    .saved = stored.saved,
                    .source = copy(stored.source)};
    return one->source ? STENO_OK : steno_fail(error, STENO_NO_MEMORY, "no memory to price calls again");
}

/* Reads some rows, until there are no more, or as many are to change as go into one transaction. *any: there were rows. */
static steno_status read_some(recosting *self, steno_prices *prices, const recost_query *query, recost_fn visit,
                              void *ctx, int64_t *left, bool *any, steno_error *error) {
    int code = SQLITE_DONE;
    steno_status status = STENO_OK;
    sqlite3_bind_int64(self->read, 1, self->last);
    sqlite3_bind_double(self->read, 2, query->since);
    sqlite3_bind_double(self->read, 3, query->until);
    bind_text(self->read, 4, query->model);
    sqlite3_bind_int(self->read, 5, RECOST_READ_ROWS);
    *any = false;
    while (!status && self->count < RECOST_WRITE_ROWS && (code = sqlite3_step(self->read)) == SQLITE_ROW) {
        *any = true;
        status = take_row(self, prices, visit, ctx, left, error);
    }
    if (!status && code != SQLITE_ROW && code != SQLITE_DONE) status = fail(self->database, "cannot read calls", error);
    sqlite3_reset(self->read);
    return status;
}

static steno_status prepare(recosting *self, sqlite3 *database, steno_error *error) {
    self->database = database;
    if (sqlite3_prepare_v2(database, READ, -1, &self->read, NULL) ||
        sqlite3_prepare_v2(database, KEEP, -1, &self->keep, NULL) ||
        sqlite3_prepare_v2(database, CHANGE, -1, &self->change, NULL))
        return fail(database, "cannot prepare a statement", error);
    self->spend = spend_new(database, error);
    return self->spend ? STENO_OK : STENO_NO_MEMORY;
}

steno_status recost_run(sqlite3 *database, steno_prices *prices, const recost_query *query, recost_fn visit, void *ctx,
                        int64_t *left, steno_error *error) {
    cleanup(clean_recosting) recosting *self = calloc(1, sizeof *self);
    *left = 0;
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory to price calls again");
    steno_status status = prepare(self, database, error);
    for (bool any = true; !status && any;) {
        status = read_some(self, prices, query, visit, ctx, left, &any, error);
        if (!status) status = flush(self, query, visit, ctx, error);
    }
    if (status || !self->id) return status;
    char sql[128];
    snprintf(sql, sizeof sql, "UPDATE recost SET ended = %.6f WHERE id = %lld", identity_now(), (long long)self->id);
    return execute(self, sql, "cannot note the end of the run", error);
}
