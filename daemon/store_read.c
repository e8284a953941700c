/* What is read from the log while it is written: replay, cursors, publishers and open calls. Each read is bounded by its caller and
 * ends its statement before it returns, so that no read holds the write-ahead log back.
 */
#include <stdio.h>

#include "daemon/store_database.h"
#include "schema/identity.h"

/* Cursors that `status` lists. */
#define CURSORS_LISTED_MAX 1000

static void copy_note(char out[PUBLISHER_TEXT_BYTES], sqlite3_stmt *statement, int column) {
    const unsigned char *text = sqlite3_column_text(statement, column);
    snprintf(out, PUBLISHER_TEXT_BYTES, "%s", text ? (const char *)text : "");
}

steno_status store_load_publisher(store *self, publisher *entry, steno_error *error) {
    cleanup_reset sqlite3_stmt *statement = self->load_publisher;
    sqlite3_bind_blob(statement, 1, entry->uuid, SPOOL_PUBLISHER_BYTES, SQLITE_STATIC);
    int code = sqlite3_step(statement);
    if (code == SQLITE_DONE) return STENO_NOT_FOUND;
    if (code != SQLITE_ROW) return database_fail(self->database, code, "look up a publisher", error);
    entry->id = sqlite3_column_int64(statement, 0);
    entry->next = entry->stored = (uint64_t)sqlite3_column_int64(statement, 1);
    copy_note(entry->app, statement, 2);
    copy_note(entry->host, statement, 3);
    entry->pid = sqlite3_column_int64(statement, 4);
    copy_note(entry->version, statement, 5);
    entry->described = sqlite3_column_type(statement, 2) != SQLITE_NULL;
    entry->losses = (uint64_t)sqlite3_column_int64(statement, 6);
    entry->ended = sqlite3_column_type(statement, 7) != SQLITE_NULL;
    return STENO_OK;
}

uint64_t store_first_offset(store *self) {
    cleanup_reset sqlite3_stmt *statement = self->first;
    return sqlite3_step(statement) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
}

int64_t store_pending_calls(store *self) {
    cleanup_reset sqlite3_stmt *statement = self->count_pending;
    return sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
}

steno_status store_read(store *self, uint64_t after, const char *call_id, unsigned rows_max, store_event_fn visit,
                        void *ctx, uint64_t *last, steno_error *error) {
    cleanup_reset sqlite3_stmt *statement = call_id ? self->read_call : self->read;
    *last = after;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)after);
    sqlite3_bind_int64(statement, 2, rows_max);
    if (call_id) sqlite3_bind_text(statement, 3, call_id, -1, SQLITE_STATIC);
    unsigned rows = 0;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        uint64_t offset = (uint64_t)sqlite3_column_int64(statement, 0);
        const void *body = sqlite3_column_blob(statement, 2);
        if (!visit(ctx, offset, (const char *)sqlite3_column_text(statement, 1), body,
                   (size_t)sqlite3_column_bytes(statement, 2)))
            return STENO_OK;
        *last = offset;
        rows++;
    }
    /* A call's last event is not the journal's: there is nothing more of it up to there. */
    if (code == SQLITE_DONE && call_id && rows < rows_max && self->last_offset > *last) *last = self->last_offset;
    return code == SQLITE_DONE ? STENO_OK : database_fail(self->database, code, "read the journal", error);
}

steno_status store_cursor(store *self, const char *name, uint64_t *offset, bool *exists, steno_error *error) {
    cleanup_reset sqlite3_stmt *statement = self->get_cursor;
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    int code = sqlite3_step(statement);
    *exists = code == SQLITE_ROW;
    *offset = *exists ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    return code == SQLITE_ROW || code == SQLITE_DONE ? STENO_OK
                                                     : database_fail(self->database, code, "read a cursor", error);
}

steno_status store_set_cursor(store *self, const char *name, uint64_t offset, steno_error *error) {
    cleanup_reset sqlite3_stmt *statement = self->set_cursor;
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)offset);
    sqlite3_bind_double(statement, 3, identity_now());
    int code = sqlite3_step(statement);
    return code == SQLITE_DONE ? STENO_OK : database_fail(self->database, code, "store a cursor", error);
}

steno_status store_each_cursor(store *self, store_cursor_fn visit, void *ctx, steno_error *error) {
    cleanup_reset sqlite3_stmt *statement = self->each_cursor;
    sqlite3_bind_int(statement, 1, CURSORS_LISTED_MAX);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        visit(ctx, (const char *)sqlite3_column_text(statement, 0), (uint64_t)sqlite3_column_int64(statement, 1),
              sqlite3_column_double(statement, 2));
    return code == SQLITE_DONE ? STENO_OK : database_fail(self->database, code, "list the cursors", error);
}

steno_status store_each_pending(store *self, const publisher *from, unsigned max, store_call_fn visit, void *ctx,
                                steno_error *error) {
    cleanup_reset sqlite3_stmt *statement = self->each_pending;
    sqlite3_bind_int64(statement, 1, from->id);
    sqlite3_bind_int64(statement, 2, max);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *text[11];
        for (int i = 0; i < 11; i++) text[i] = (const char *)sqlite3_column_text(statement, i);
        pending_call call = {.call_id = text[0],
                             .model = text[1],
                             .provider = text[2],
                             .call_type = text[3],
                             .app = text[4],
                             .user = text[5],
                             .session_id = text[6],
                             .trace_id = text[7],
                             .parent_id = text[8],
                             .tags = text[9],
                             .metadata = text[10],
                             .started = sqlite3_column_double(statement, 11),
                             .attempts = sqlite3_column_int64(statement, 12),
                             .stream = sqlite3_column_int(statement, 13)};
        if (!visit(ctx, &call)) return STENO_OK;
    }
    return code == SQLITE_DONE ? STENO_OK : database_fail(self->database, code, "list open calls", error);
}
