/* steno-cost's side of log.db: short immediate transactions beside the daemon's. May touch tables `cost`, `spend`, `budget_alert` and
 * `subscriber`. */
#include "subscribers/cost_log.h"

#include <sqlite3.h>
#include <string.h>

#include "client/steno.h"
#include "schema/clean.h"
#include "schema/identity.h"
#include "schema/log.h"
#include "subscribers/spend.h"

/* The daemon's transactions take milliseconds; this is for a machine that was asleep or a long checkpoint. */
#define BUSY_TIMEOUT_MS 10000

/* A call's first event counts, and keeps the figure that it got: one that comes again (a replay) only fills in what was unknown. */
static const char INSERT_COST[] =
    "INSERT INTO cost (call_id, offset, pico_dollars, source, price_model, price_date, saved, price_source, reported, "
    "breakdown, facts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
    " ON CONFLICT (call_id) DO UPDATE SET offset = excluded.offset, pico_dollars = excluded.pico_dollars,"
    " source = excluded.source, price_model = excluded.price_model, price_date = excluded.price_date, saved = "
    "excluded.saved, price_source = excluded.price_source, reported = excluded.reported, breakdown = "
    "excluded.breakdown, facts = excluded.facts"
    " WHERE excluded.offset < cost.offset OR (excluded.offset = cost.offset AND cost.pico_dollars IS NULL)";
static const char READ_COST[] =
    "SELECT pico_dollars, source = 'estimated', coalesce(saved, 0), coalesce(reported, 0) FROM cost WHERE call_id = ?1";
static const char MOVE_CURSOR[] =
    "UPDATE subscriber SET offset = ?1, updated = ?2 WHERE name = '" COST_SUBSCRIBER "' AND offset = ?3";
static const char MAKE_CURSOR[] =
    "INSERT OR IGNORE INTO subscriber (name, offset, updated) VALUES ('" COST_SUBSCRIBER "', 0, ?1)";
static const char READ_CURSOR[] = "SELECT offset FROM subscriber WHERE name = '" COST_SUBSCRIBER "'";

struct cost_log {
    sqlite3 *database;
    sqlite3_stmt *insert_cost, *read_cost, *move_cursor, *read_cursor;
    spend *spend;
    budget_watch *budgets; /* borrowed; NULL: none */
    size_t decided;        /* thresholds that the last write stored */
    uint64_t cursor;
};

CLEANUP_FUNCTION(clean_log, cost_log, cost_log_close)
static void finalize(sqlite3_stmt *statement) { sqlite3_finalize(statement); }
CLEANUP_FUNCTION(clean_statement, sqlite3_stmt, finalize)

static steno_status fail(const cost_log *self, const char *what, steno_error *error) {
    const int code = sqlite3_errcode(self->database) & 0xff;
    const steno_status status = code == SQLITE_BUSY || code == SQLITE_LOCKED  ? STENO_TIMEOUT
                                : code == SQLITE_NOMEM                        ? STENO_NO_MEMORY
                                : code == SQLITE_FULL || code == SQLITE_IOERR ? STENO_SYSTEM
                                                                              : STENO_CORRUPT;
    return steno_fail(error, status, "%s in %s: %s", what, sqlite3_db_filename(self->database, "main"),
                      sqlite3_errmsg(self->database));
}

static steno_status execute(cost_log *self, const char *sql, const char *what, steno_error *error) {
    return sqlite3_exec(self->database, sql, NULL, NULL, NULL) ? fail(self, what, error) : STENO_OK;
}

static steno_status prepare(cost_log *self, const char *sql, sqlite3_stmt **out, steno_error *error) {
    return sqlite3_prepare_v2(self->database, sql, -1, out, NULL) ? fail(self, "cannot prepare a statement", error)
                                                                  : STENO_OK;
}

/* The schema is there once stenod's first transaction has set its version. */
static steno_status check_schema(cost_log *self, steno_error *error) {
    cleanup(clean_statement) sqlite3_stmt *statement = NULL;
    steno_status status = prepare(self, "PRAGMA user_version", &statement, error);
    if (status) return status;
    if (sqlite3_step(statement) != SQLITE_ROW) return fail(self, "cannot read the version", error);
    return sqlite3_column_int(statement, 0) >= STENO_LOG_VERSION
               ? STENO_OK
               : steno_fail(error, STENO_NOT_FOUND, "log.db is empty, or not brought up to date, as yet");
}

steno_status cost_log_open(const char *path, budget_watch *budgets, cost_log **out, steno_error *error) {
    *out = NULL;
    cleanup(clean_log) cost_log *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory to open %s", path);
    const int code = sqlite3_open_v2(path, &self->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_CANTOPEN && access(path, F_OK))
        return steno_fail(error, STENO_NOT_FOUND, "%s is not there yet", path);
    if (code) return steno_fail(error, STENO_SYSTEM, "cannot open %s: %s", path, sqlite3_errstr(code));
    sqlite3_busy_timeout(self->database, BUSY_TIMEOUT_MS);
    /* Checkpoints are the daemon's; a commit here may be undone by a power cut, together with its cursor. */
    steno_status status =
        execute(self, "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0", "cannot set up", error);
    if (!status) status = check_schema(self, error);
    if (!status) status = prepare(self, INSERT_COST, &self->insert_cost, error);
    if (!status) status = prepare(self, READ_COST, &self->read_cost, error);
    if (!status && !(self->spend = spend_new(self->database, error))) status = error ? error->status : STENO_CORRUPT;
    if (!status) status = prepare(self, MOVE_CURSOR, &self->move_cursor, error);
    if (!status) status = prepare(self, READ_CURSOR, &self->read_cursor, error);
    if (!status && budgets) status = budget_watch_open(budgets, self->database, error);
    if (status) return status;
    self->budgets = budgets;
    *out = self;
    self = NULL;
    return STENO_OK;
}

void cost_log_close(cost_log *self) {
    if (!self) return;
    if (self->budgets) budget_watch_close(self->budgets);
    spend_free(self->spend);
    sqlite3_finalize(self->insert_cost);
    sqlite3_finalize(self->read_cost);
    sqlite3_finalize(self->move_cursor);
    sqlite3_finalize(self->read_cursor);
    sqlite3_close(self->database);
    free(self);
}

uint64_t cost_log_cursor(const cost_log *self) { return self->cursor; }

size_t cost_log_decided(const cost_log *self) { return self->decided; }

sqlite3 *cost_log_database(const cost_log *self) { return self->database; }

static steno_status stored_cursor(cost_log *self, uint64_t *offset, steno_error *error) {
    steno_status status = STENO_OK;
    if (sqlite3_step(self->read_cursor) != SQLITE_ROW) status = fail(self, "cannot read the cursor", error);
    const int64_t stored = status ? 0 : sqlite3_column_int64(self->read_cursor, 0);
    sqlite3_reset(self->read_cursor);
    *offset = stored > 0 ? (uint64_t)stored : 0;
    return status;
}

steno_status cost_log_read_cursor(cost_log *self, uint64_t *offset, steno_error *error) {
    cleanup(clean_statement) sqlite3_stmt *make = NULL;
    steno_status status = prepare(self, MAKE_CURSOR, &make, error);
    if (status) return status;
    sqlite3_bind_double(make, 1, identity_now());
    if (sqlite3_step(make) != SQLITE_DONE) return fail(self, "cannot make the cursor", error);
    status = stored_cursor(self, &self->cursor, error);
    *offset = self->cursor;
    if (self->budgets) budget_watch_doubt(self->budgets); /* whoever moved it may have changed more */
    return status;
}

static steno_status moved(steno_error *error) {
    return steno_fail(error, STENO_BUSY, "the cursor of " COST_SUBSCRIBER " was moved by somebody else");
}

steno_status cost_log_check_cursor(cost_log *self, steno_error *error) {
    uint64_t offset;
    steno_status status = stored_cursor(self, &offset, error);
    return status || offset == self->cursor ? status : moved(error);
}

static void bind_known(sqlite3_stmt *statement, int at, bool known, int64_t number) {
    if (known)
        sqlite3_bind_int64(statement, at, number);
    else
        sqlite3_bind_null(statement, at);
}

/* NULL and "" are NULL. */
static void bind_text(sqlite3_stmt *statement, int at, const char *text) {
    sqlite3_bind_text(statement, at, text && *text ? text : NULL, -1, SQLITE_STATIC);
}

/* What the call's row counts as until now. False: it has none. */
static bool read_before(cost_log *self, const char *call_id, spend_cost *out) {
    sqlite3_stmt *statement = self->read_cost;
    sqlite3_bind_text(statement, 1, call_id, -1, SQLITE_STATIC);
    const bool there = sqlite3_step(statement) == SQLITE_ROW;
    if (there)
        *out = (spend_cost){.known = sqlite3_column_type(statement, 0) != SQLITE_NULL,
                            .pico_dollars = sqlite3_column_int64(statement, 0),
                            .estimated = sqlite3_column_int(statement, 1),
                            .saved = sqlite3_column_int64(statement, 2),
                            .reported = sqlite3_column_int64(statement, 3)};
    sqlite3_reset(statement);
    return there;
}

static int64_t known(int64_t number) { return number == STENO_UNKNOWN ? 0 : number; }

static steno_status insert(cost_log *self, cost_row *row, steno_error *error) {
    sqlite3_stmt *statement = self->insert_cost;
    spend_cost before;
    const spend_cost now = {.known = row->known,
                            .estimated = !strcmp(row->source, "estimated"),
                            .pico_dollars = row->known ? row->pico_dollars : 0,
                            .saved = known(row->saved),
                            .reported = known(row->reported)};
    const bool again = read_before(self, row->call_id, &before);
    row->is_new = !again;
    sqlite3_bind_text(statement, 1, row->call_id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (int64_t)row->offset);
    bind_known(statement, 3, row->known, row->pico_dollars);
    bind_text(statement, 4, row->source);
    bind_text(statement, 5, row->price_model);
    bind_text(statement, 6, row->price_date);
    bind_known(statement, 7, row->saved != STENO_UNKNOWN, row->saved);
    bind_text(statement, 8, row->price_source);
    bind_known(statement, 9, row->reported != STENO_UNKNOWN, row->reported);
    bind_text(statement, 10, row->breakdown);
    bind_text(statement, 11, row->facts);
    const int code = sqlite3_step(statement);
    const bool changed = code == SQLITE_DONE && sqlite3_changes(self->database) > 0;
    steno_status status = code == SQLITE_DONE ? STENO_OK : fail(self, "cannot store a cost", error);
    sqlite3_reset(statement);
    if (!changed) return status; /* what is there counts */
    if (spend_add(self->spend, row->call_id, again ? &before : NULL, &now))
        status = fail(self, "cannot add up a cost", error);
    return status;
}

static steno_status move_cursor(cost_log *self, uint64_t offset, steno_error *error) {
    sqlite3_bind_int64(self->move_cursor, 1, (int64_t)offset);
    sqlite3_bind_double(self->move_cursor, 2, identity_now());
    sqlite3_bind_int64(self->move_cursor, 3, (int64_t)self->cursor);
    const int code = sqlite3_step(self->move_cursor);
    steno_status status = code == SQLITE_DONE ? STENO_OK : fail(self, "cannot move the cursor", error);
    sqlite3_reset(self->move_cursor);
    return !status && sqlite3_changes(self->database) == 0 ? moved(error) : status;
}

/* Sums and budgets, at the end of a transaction. */
static steno_status add_up(cost_log *self, steno_error *error) {
    if (spend_write(self->spend)) return fail(self, "cannot store sums", error);
    if (self->budgets && budget_watch_count(self->budgets, self->spend, identity_now(), &self->decided))
        return fail(self, "cannot store what budgets have come to", error);
    return STENO_OK;
}

/* COMMIT, or ROLLBACK where something failed before. */
static steno_status end(cost_log *self, steno_status status, steno_error *error) {
    if (!status) status = execute(self, "COMMIT", "cannot store costs", error);
    if (!status) return STENO_OK;
    if (!sqlite3_get_autocommit(self->database)) sqlite3_exec(self->database, "ROLLBACK", NULL, NULL, NULL);
    if (self->budgets) budget_watch_doubt(self->budgets);
    self->decided = 0;
    return status;
}

steno_status cost_log_write(cost_log *self, cost_row *rows, size_t count, uint64_t offset, steno_error *error) {
    steno_status status = execute(self, "BEGIN IMMEDIATE", "cannot begin to write", error);
    if (status) return status;
    status = move_cursor(self, offset, error);
    spend_begin(self->spend);
    for (size_t i = 0; i < count && !status; i++) status = insert(self, &rows[i], error);
    if (!status) status = add_up(self, error);
    status = end(self, status, error);
    if (!status) self->cursor = offset;
    return status;
}

steno_status cost_log_decide(cost_log *self, steno_error *error) {
    steno_status status = execute(self, "BEGIN IMMEDIATE", "cannot begin to write", error);
    if (status) return status;
    spend_begin(self->spend);
    return end(self, add_up(self, error), error);
}
