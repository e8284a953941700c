/* One alert at a time: look whether the life before published it, publish, mark. */
#include "subscribers/budget_publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/steno.h"
#include "schema/clean.h"
#include "schema/identity.h"
#include "subscribers/budget_alerts.h"
#include "subscribers/steno_subscriber.h"

/* How long the daemon may take to store what is in the spools, and how often it is asked: then an alert is rather published twice than never. */
#define FLUSH_MS 2000
#define FLUSH_TRIES 5

struct budget_publish {
    char *dir;
    steno_client *client; /* NULL: there was no alert yet */
    bool sure;            /* no row is open that the life before may have published */
    unsigned tries;
    char unmarked[BUDGET_ALERT_ID_BYTES]; /* published, and its row does not say so yet; "": none */
};

static void finalize(sqlite3_stmt *statement) { sqlite3_finalize(statement); }
CLEANUP_FUNCTION(clean_statement, sqlite3_stmt, finalize)
CLEANUP_FUNCTION(clean_control, steno_control, steno_control_free)
CLEANUP_FUNCTION(clean_draft, steno_draft, steno_draft_free)

steno_status budget_publish_new(const char *dir, budget_publish **out, steno_error *error) {
    *out = calloc(1, sizeof **out);
    if (*out && (!dir || ((*out)->dir = strdup(dir)))) return STENO_OK;
    free(*out);
    *out = NULL;
    return steno_fail(error, STENO_NO_MEMORY, "no memory for alerts");
}

void budget_publish_free(budget_publish *self) {
    if (!self) return;
    steno_client_free(self->client);
    free(self->dir);
    free(self);
}

static steno_status fail(sqlite3 *database, const char *what, steno_error *error) {
    const int code = sqlite3_errcode(database) & 0xff;
    return steno_fail(error, code == SQLITE_BUSY || code == SQLITE_LOCKED ? STENO_TIMEOUT : STENO_SYSTEM,
                      "%s in table budget_alert: %s", what, sqlite3_errmsg(database));
}

/* Whether the journal has the alert. */
static steno_status find_event(sqlite3 *database, const char *id, bool *found, steno_error *error) {
    static const char sql[] = "SELECT 1 FROM event WHERE call_id = ?1 AND event = '" BUDGET_EVENT "'";
    cleanup(clean_statement) sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL))
        return fail(database, "cannot look for an alert", error);
    sqlite3_bind_text(statement, 1, id, -1, SQLITE_STATIC);
    const int code = sqlite3_step(statement);
    *found = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? STENO_OK : fail(database, "cannot look for an alert", error);
}

static steno_status mark(budget_publish *self, sqlite3 *database, steno_error *error) {
    static const char sql[] = "UPDATE budget_alert SET published = ?2 WHERE id = ?1";
    cleanup(clean_statement) sqlite3_stmt *statement = NULL;
    if (!self->unmarked[0]) return STENO_OK;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL)) return fail(database, "cannot mark an alert", error);
    sqlite3_bind_text(statement, 1, self->unmarked, -1, SQLITE_STATIC);
    sqlite3_bind_double(statement, 2, identity_now());
    if (sqlite3_step(statement) != SQLITE_DONE) return fail(database, "cannot mark an alert", error);
    self->unmarked[0] = '\0';
    return STENO_OK;
}

/* Waits until what is in the spools is in the journal: the life before may have left alerts there, which are not to be told again, and not after ours. */
static steno_status flush(budget_publish *self, steno_error *error) {
    const steno_value *reply;
    cleanup(clean_control) steno_control *control = NULL;
    cleanup(clean_draft) steno_draft *request = steno_draft_new();
    if (!request) return steno_fail(error, STENO_NO_MEMORY, "no memory for a request");
    steno_draft_start(request);
    steno_draft_string(request, "verb", "flush");
    steno_draft_int(request, "timeout_ms", FLUSH_MS);
    steno_status status = steno_control_new(self->dir, &control, error);
    return status ? status : steno_control_call(control, request, FLUSH_MS, &reply, error);
}

/* The row as an event. */
static steno_status emit(budget_publish *self, sqlite3_stmt *row, steno_error *error) {
    static const char *const texts[] = {"alert_id", "budget", "scope", "period"};
    cleanup(clean_draft) steno_draft *draft = steno_draft_new();
    if (!draft) return steno_fail(error, STENO_NO_MEMORY, "no memory for an alert");
    if (!self->client) {
        steno_config config = STENO_CONFIG_INIT;
        config.dir = self->dir;
        config.app_name = "steno-cost";
        steno_status status = steno_client_new(&config, &self->client, error);
        if (status) return status;
    }
    steno_draft_start(draft);
    steno_draft_string(draft, "event", BUDGET_EVENT);
    steno_draft_string(draft, "call_id", (const char *)sqlite3_column_text(row, 0));
    for (int i = 0; i < 4; i++) steno_draft_string(draft, texts[i], (const char *)sqlite3_column_text(row, i));
    steno_draft_int(draft, "threshold", sqlite3_column_int(row, 8));
    steno_draft_double(draft, "limit_usd", (double)sqlite3_column_int64(row, 6) / BUDGET_PICO_PER_DOLLAR);
    steno_draft_double(draft, "spent_usd", (double)sqlite3_column_int64(row, 7) / BUDGET_PICO_PER_DOLLAR);
    steno_draft_bool(draft, "stop", sqlite3_column_int(row, 9) != 0);
    if (sqlite3_column_type(row, 4) != SQLITE_NULL) {
        steno_draft_int(draft, "period_start", sqlite3_column_int64(row, 4));
        steno_draft_int(draft, "until", sqlite3_column_int64(row, 5));
    }
    return steno_emit(self->client, draft, NULL, error);
}

/* STENO_END: there is none. */
static steno_status find_open(sqlite3 *database, sqlite3_stmt **row, steno_error *error) {
    static const char sql[] =
        "SELECT id, budget, scope, period, period_start, period_end, pico_limit, pico_spent, threshold, stop"
        " FROM budget_alert WHERE published IS NULL ORDER BY decided, threshold, id LIMIT 1";
    if (sqlite3_prepare_v2(database, sql, -1, row, NULL)) return fail(database, "cannot read an alert", error);
    const int code = sqlite3_step(*row);
    if (code == SQLITE_DONE) return STENO_END;
    return code == SQLITE_ROW ? STENO_OK : fail(database, "cannot read an alert", error);
}

/* Once a life, before its first alert. No statement may be open: it would go on to see the journal as it was before the flush. */
static steno_status wait_for_spools(budget_publish *self, sqlite3 *database, steno_error *error) {
    cleanup(clean_statement) sqlite3_stmt *row = NULL;
    if (self->tries >= FLUSH_TRIES) return STENO_OK;
    steno_status status = find_open(database, &row, error);
    if (status) return status;
    sqlite3_reset(row);
    self->tries++;
    status = flush(self, error);
    if (!status) self->tries = FLUSH_TRIES; /* all of that life is in the journal now */
    return status;
}

/* The oldest row that is open: published if the journal does not have it, and noted in self->unmarked. STENO_END: there is none. */
static steno_status publish_next(budget_publish *self, sqlite3 *database, steno_error *error) {
    cleanup(clean_statement) sqlite3_stmt *row = NULL;
    bool there = false;
    steno_status status = find_open(database, &row, error);
    if (status) return status;
    const char *id = (const char *)sqlite3_column_text(row, 0);
    if (!self->sure) status = find_event(database, id, &there, error);
    if (!status && !there) status = emit(self, row, error);
    if (!status) snprintf(self->unmarked, sizeof self->unmarked, "%s", id);
    return status;
}

steno_status budget_publish_run(budget_publish *self, sqlite3 *database, steno_error *error) {
    steno_status status = mark(self, database, error);
    if (!status) status = wait_for_spools(self, database, error);
    while (!status) {
        status = publish_next(self, database, error);
        if (!status) status = mark(self, database, error);
    }
    if (status != STENO_END) return status;
    self->sure = true;
    return STENO_OK;
}
