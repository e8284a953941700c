/* Writing the log: a batch is one transaction. What is read from it is in store_read.c. */
#include "daemon/store.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/store_database.h"
#include "schema/identity.h"

static steno_status prepare_all(store *self, steno_error *error) {
    const struct {
        sqlite3_stmt **statement;
        const char *sql;
    } all[] = {
        {&self->begin, "BEGIN IMMEDIATE"},
        {&self->commit, "COMMIT"},
        {&self->rollback, "ROLLBACK"},
        {&self->insert_event, "INSERT INTO event (offset, publisher, seq, time, event, call_id, topic, body, stored)"
                              " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"},
        {&self->insert_publisher, "INSERT INTO publisher (uuid, app, host, pid, version, next, first_seen, last_seen)"
                                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)"},
        {&self->update_publisher,
         "UPDATE publisher SET next = ?2, last_seen = ?3, app = coalesce(app, ?4),"
         " host = coalesce(host, ?5), pid = coalesce(pid, ?6), version = coalesce(version, ?7),"
         " ended = CASE WHEN ?8 THEN coalesce(ended, ?3) END WHERE id = ?1"},
        {&self->insert_loss, "INSERT INTO loss (time, publisher, first_seq, last_seq, count, reason, file)"
                             " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
        {&self->load_publisher, "SELECT id, next, app, host, pid, version,"
                                " (SELECT coalesce(sum(count), 0) FROM loss WHERE loss.publisher = publisher.id), ended"
                                " FROM publisher WHERE uuid = ?1"},
        {&self->read, "SELECT offset, topic, body FROM event WHERE offset > ?1 ORDER BY offset LIMIT ?2"},
        {&self->set_journal, "UPDATE journal SET bytes = ?1"},
        {&self->oldest, "SELECT offset, stored, length(body) FROM event ORDER BY offset LIMIT ?1"},
        {&self->delete_events, "DELETE FROM event WHERE offset <= ?1"},
        {&self->first, "SELECT coalesce(min(offset), 0) FROM event"},
        {&self->get_cursor, "SELECT offset FROM subscriber WHERE name = ?1"},
        {&self->set_cursor, "INSERT INTO subscriber (name, offset, updated) VALUES (?1, ?2, ?3)"
                            " ON CONFLICT (name) DO UPDATE SET offset = excluded.offset, updated = excluded.updated"},
        {&self->each_cursor, "SELECT name, offset, updated FROM subscriber ORDER BY name LIMIT ?1"},
        {&self->count_pending, "SELECT count(*) FROM call WHERE status = 'pending'"},
        {&self->each_pending, "SELECT call_id, model, provider, call_type, app, user, session_id, trace_id, parent_id,"
                              " tags, metadata, started, attempts, stream"
                              " FROM call WHERE publisher = ?1 AND status = 'pending' ORDER BY id LIMIT ?2"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        steno_status status = database_prepare(self->database, all[i].sql, all[i].statement, error);
        if (status) return status;
    }
    return STENO_OK;
}

static steno_status load_totals(store *self, steno_error *error) {
    sqlite3_stmt *statement = NULL;
    steno_status status = database_prepare(
        self->database,
        "SELECT (SELECT coalesce(max(offset), 0) FROM event), (SELECT coalesce(sum(count), 0) FROM loss),"
        " (SELECT bytes FROM journal)",
        &statement, error);
    if (status) return status;
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        self->last_offset = (uint64_t)sqlite3_column_int64(statement, 0);
        self->losses = (uint64_t)sqlite3_column_int64(statement, 1);
        self->journal_bytes = sqlite3_column_int64(statement, 2);
    } else {
        status = database_fail(self->database, code, "be read", error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* In place of SQLite's own hook, which checkpoints: see checkpoint.h. */
static int on_commit(void *ctx, sqlite3 *database, const char *name, int pages) {
    (void)database, (void)name;
    ((store *)ctx)->wal_pages = pages;
    return SQLITE_OK;
}

steno_status store_open(const char *path, bool durability_full, store **out, steno_error *error) {
    *out = NULL;
    store *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for the log");
    self->path = strdup(path);
    steno_status status = self->path ? STENO_OK : steno_fail(error, STENO_NO_MEMORY, "no memory for the log");
    if (!status) status = database_open(path, durability_full, &self->database, error);
    if (!status) sqlite3_wal_hook(self->database, on_commit, self);
    if (!status) status = prepare_all(self, error);
    if (!status) status = call_row_open(self->database, &self->calls, error);
    if (!status) status = load_totals(self, error);
    if (status) {
        store_close(self);
        return status;
    }
    *out = self;
    return STENO_OK;
}

steno_status store_set_durability(store *self, bool full, steno_error *error) {
    int code = sqlite3_exec(self->database, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", NULL,
                            NULL, NULL);
    return code ? database_fail(self->database, code, "change its durability", error) : STENO_OK;
}

void store_close(store *self) {
    if (!self) return;
    call_row_close(self->calls);
    for (sqlite3_stmt *statement; self->database && (statement = sqlite3_next_stmt(self->database, NULL));)
        sqlite3_finalize(statement);
    sqlite3_close(self->database); /* the last connection copies the write-ahead log back */
    free(self->path);
    free(self);
}

/* ---- one transaction ---- */

/* Runs a statement that returns no rows. */
static int run(sqlite3_stmt *statement) {
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static void bind_note(sqlite3_stmt *statement, int at, const char *text) {
    if (*text) sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static int write_publisher(store *self, publisher *from, double now) {
    bool added = !from->id;
    cleanup_reset sqlite3_stmt *statement = added ? self->insert_publisher : self->update_publisher;
    if (added)
        sqlite3_bind_blob(statement, 1, from->uuid, SPOOL_PUBLISHER_BYTES, SQLITE_STATIC);
    else
        sqlite3_bind_int64(statement, 1, from->id);
    int note = added ? 2 : 4;
    bind_note(statement, note, from->app);
    bind_note(statement, note + 1, from->host);
    if (from->pid) sqlite3_bind_int64(statement, note + 2, from->pid);
    bind_note(statement, note + 3, from->version);
    sqlite3_bind_int64(statement, added ? 6 : 2, (sqlite3_int64)from->next);
    sqlite3_bind_double(statement, added ? 7 : 3, now);
    if (!added) sqlite3_bind_int(statement, 8, from->ended);
    int code = run(statement);
    if (!code && added) {
        from->id = sqlite3_last_insert_rowid(self->database);
        from->fresh = true;
    }
    return code;
}

static int write_event(store *self, batch_event *entry, double now) {
    cleanup_reset sqlite3_stmt *statement = self->insert_event;
    const steno_event *event = entry->event;
    double time = steno_value_double(steno_event_get(event, "time"), now);
    size_t call_id_size = 0;
    const char *call_id = steno_value_string(steno_event_get(event, "call_id"), &call_id_size);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)entry->offset);
    if (entry->from) {
        sqlite3_bind_int64(statement, 2, entry->from->id);
        sqlite3_bind_int64(statement, 3, (sqlite3_int64)entry->seq);
    }
    sqlite3_bind_double(statement, 4, isfinite(time) ? time : now);
    sqlite3_bind_text(statement, 5, steno_event_name(event), -1, SQLITE_STATIC);
    if (call_id) sqlite3_bind_text64(statement, 6, call_id, call_id_size, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_text(statement, 7, entry->topic, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(statement, 8, entry->body->bytes, entry->body->size, SQLITE_STATIC);
    sqlite3_bind_double(statement, 9, now);
    int code = run(statement);
    return code ? code : call_row_apply(self->calls, event, entry->from ? entry->from->id : 0, now);
}

static uint64_t loss_count(const batch_loss *loss) { return loss->last_seq ? loss->last_seq - loss->first_seq + 1 : 1; }

static int write_loss(store *self, const batch_loss *loss, double now) {
    cleanup_reset sqlite3_stmt *statement = self->insert_loss;
    sqlite3_bind_double(statement, 1, now);
    sqlite3_bind_int64(statement, 2, loss->from->id);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)loss->first_seq);
    if (loss->last_seq) sqlite3_bind_int64(statement, 4, (sqlite3_int64)loss->last_seq);
    sqlite3_bind_int64(statement, 5, (sqlite3_int64)loss_count(loss));
    sqlite3_bind_text(statement, 6, loss->reason, -1, SQLITE_STATIC);
    if (loss->file) sqlite3_bind_text(statement, 7, loss->file, -1, SQLITE_STATIC);
    return run(statement);
}

static int write_journal_bytes(store *self, int64_t bytes) {
    cleanup_reset sqlite3_stmt *statement = self->set_journal;
    sqlite3_bind_int64(statement, 1, bytes);
    return run(statement);
}

static int64_t bytes_with(const store *self, const batch *events) {
    return self->journal_bytes + (int64_t)(events->bytes + events->count * STORE_EVENT_BYTES);
}

static int write_rows(store *self, batch *events) {
    double now = identity_now();
    int code = SQLITE_OK;
    /* First, so that the other rows can name them. */
    for (publisher *from = events->dirty; from && !code; from = from->dirty_after)
        code = write_publisher(self, from, now);
    for (size_t i = 0; i < events->count && !code; i++) {
        events->events[i].offset = self->last_offset + 1 + i;
        code = write_event(self, &events->events[i], now);
    }
    for (size_t i = 0; i < events->loss_count && !code; i++) code = write_loss(self, &events->losses[i], now);
    if (!code && events->count) code = write_journal_bytes(self, bytes_with(self, events));
    return code;
}

steno_status store_write(store *self, batch *events, steno_error *error) {
    const char *what = "begin a transaction";
    int code = run(self->begin);
    if (!code) {
        what = "write";
        code = write_rows(self, events);
    }
    if (!code) {
        what = "commit";
        code = run(self->commit);
    }
    if (code) {
        steno_status status = database_fail(self->database, code, what, error);
        if (!sqlite3_get_autocommit(self->database)) run(self->rollback);
        for (publisher *from = events->dirty; from; from = from->dirty_after) {
            if (from->fresh) from->id = 0;
            from->fresh = false;
        }
        return status;
    }
    self->journal_bytes = bytes_with(self, events);
    self->last_offset += events->count;
    for (size_t i = 0; i < events->loss_count; i++) {
        self->losses += loss_count(&events->losses[i]);
        events->losses[i].from->losses += loss_count(&events->losses[i]);
    }
    for (publisher *from = events->dirty; from; from = from->dirty_after) {
        from->fresh = false;
        from->stored = from->next;
    }
    return STENO_OK;
}

/* ---- deleting ---- */

/* How far the journal is to be deleted: *through is the last offset that goes, 0 for none. */
static int choose_oldest(store *self, double stored_before, int64_t bytes_max, uint64_t *through, unsigned *count,
                         int64_t *bytes) {
    cleanup_reset sqlite3_stmt *statement = self->oldest;
    int code;
    *through = 0;
    *count = 0;
    *bytes = 0;
    sqlite3_bind_int64(statement, 1, STORE_TRIM_EVENTS_MAX);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW && *bytes < STORE_TRIM_BYTES_MAX) {
        uint64_t offset = (uint64_t)sqlite3_column_int64(statement, 0);
        bool old = sqlite3_column_double(statement, 1) < stored_before;
        if (offset == self->last_offset || (!old && self->journal_bytes - *bytes <= bytes_max)) break;
        *through = offset;
        *bytes += sqlite3_column_int64(statement, 2) + STORE_EVENT_BYTES;
        ++*count;
    }
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int delete_through(store *self, uint64_t offset) {
    cleanup_reset sqlite3_stmt *statement = self->delete_events;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)offset);
    return run(statement);
}

steno_status store_trim(store *self, double stored_before, int64_t bytes_max, unsigned *deleted, steno_error *error) {
    uint64_t through;
    int64_t bytes;
    unsigned count;
    *deleted = 0;
    int code = choose_oldest(self, stored_before, bytes_max, &through, &count, &bytes);
    if (!code && count == 0) return STENO_OK;
    if (!code) code = run(self->begin);
    if (!code) code = delete_through(self, through);
    if (!code) code = write_journal_bytes(self, self->journal_bytes - bytes);
    if (!code) code = run(self->commit);
    if (code) {
        steno_status status = database_fail(self->database, code, "delete old events", error);
        if (!sqlite3_get_autocommit(self->database)) run(self->rollback);
        return status;
    }
    self->journal_bytes -= bytes;
    *deleted = count;
    return STENO_OK;
}

/* ---- what is known without asking SQL ---- */

int64_t store_journal_bytes(const store *self) { return self->journal_bytes; }

uint64_t store_last_offset(const store *self) { return self->last_offset; }
uint64_t store_losses(const store *self) { return self->losses; }

static int64_t file_bytes(const char *path, const char *suffix) {
    char name[PATH_MAX];
    struct stat file;
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &file) ? 0 : file.st_size;
}

int64_t store_bytes(const store *self) { return file_bytes(self->path, "") + file_bytes(self->path, "-wal"); }

/* ---- the write-ahead log ---- */

void store_checkpoint(store *self) {
    sqlite3_wal_checkpoint_v2(self->database, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

int store_wal_pages(const store *self) { return self->wal_pages; }

steno_status store_restart_wal(store *self) {
    sqlite3_busy_timeout(self->database, 0);
    int code = sqlite3_wal_checkpoint_v2(self->database, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    sqlite3_busy_timeout(self->database, STORE_BUSY_MS);
    if (code) return STENO_BUSY;
    self->wal_pages = 0;
    return STENO_OK;
}
