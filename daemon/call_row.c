/* An event's effect on its call. Invariant: a call leaves `pending` once, by its first terminal event; nothing changes it after that. */
#include "daemon/call_row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store_database.h"
#include "schema/json_text.h"

/* JSON texts that one statement binds at once, each in a buffer that is kept for the next event. */
typedef enum text_slot { TEXT_TAGS, TEXT_METADATA, TEXT_MESSAGES, TEXT_RESPONSE, TEXT_SLOTS } text_slot;
/* A buffer that an event has made larger than this is given back. */
#define TEXT_KEPT_BYTES (256u << 10)

struct call_row {
    sqlite3 *database;
    buffer texts[TEXT_SLOTS];
    sqlite3_stmt *begin, *end, *find, *content_begin, *content_end;
};

/* The columns that both statements fill in, in the order of their parameters. */
#define COMMON_COLUMNS                                                                                           \
    "call_id, publisher, app, provider, model, call_type, stream, user, session_id, trace_id, parent_id, tags, " \
    "metadata"
#define COMMON_COUNT 13

static const char begin_sql[] =
    "INSERT INTO call (" COMMON_COLUMNS ", started, attempts)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
    " ON CONFLICT (call_id) DO UPDATE SET attempts = max(attempts, excluded.attempts) WHERE status = 'pending'";

static const char end_sql[] =
    "INSERT INTO call (" COMMON_COLUMNS ", started, attempts, status, ended, first_token, cache_hit, prompt_tokens,"
    " cached_tokens, cache_write_tokens, cache_write_1h_tokens, completion_tokens, reasoning_tokens, total_tokens,"
    " finish_reason, error_type, error_message, error_status)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, coalesce(?14, ?16), coalesce(?15, 0), ?17, ?18,"
    " ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31)"
    " ON CONFLICT (call_id) DO UPDATE SET started = coalesce(?14, started), attempts = coalesce(?15, attempts),"
    " app = coalesce(excluded.app, app), provider = coalesce(excluded.provider, provider),"
    " model = coalesce(excluded.model, model), call_type = coalesce(excluded.call_type, call_type),"
    " stream = max(stream, excluded.stream), user = coalesce(excluded.user, user),"
    " session_id = coalesce(excluded.session_id, session_id), trace_id = coalesce(excluded.trace_id, trace_id),"
    " parent_id = coalesce(excluded.parent_id, parent_id), tags = coalesce(excluded.tags, tags),"
    " metadata = coalesce(excluded.metadata, metadata), status = excluded.status, ended = excluded.ended,"
    " first_token = excluded.first_token, cache_hit = excluded.cache_hit, prompt_tokens = excluded.prompt_tokens,"
    " cached_tokens = excluded.cached_tokens, cache_write_tokens = excluded.cache_write_tokens,"
    " cache_write_1h_tokens = excluded.cache_write_1h_tokens, completion_tokens = excluded.completion_tokens,"
    " reasoning_tokens = excluded.reasoning_tokens, total_tokens = excluded.total_tokens,"
    " finish_reason = excluded.finish_reason, error_type = excluded.error_type,"
    " error_message = excluded.error_message, error_status = excluded.error_status"
    " WHERE status = 'pending'";
static const char find_sql[] = "SELECT id FROM call WHERE call_id = ?1";

static const char content_begin_sql[] =
    "INSERT INTO content (call, messages) VALUES (?1, ?2) ON CONFLICT (call) DO NOTHING";

static const char content_end_sql[] =
    "INSERT INTO content (call, messages, response, response_text) VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT (call) DO UPDATE SET messages = coalesce(excluded.messages, messages), response = excluded.response,"
    " response_text = excluded.response_text";

steno_status call_row_open(sqlite3 *database, call_row **out, steno_error *error) {
    *out = NULL;
    call_row *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for the log");
    self->database = database;
    steno_status status = database_prepare(database, begin_sql, &self->begin, error);
    if (!status) status = database_prepare(database, end_sql, &self->end, error);
    if (!status) status = database_prepare(database, find_sql, &self->find, error);
    if (!status) status = database_prepare(database, content_begin_sql, &self->content_begin, error);
    if (!status) status = database_prepare(database, content_end_sql, &self->content_end, error);
    if (status) {
        call_row_close(self);
        return status;
    }
    *out = self;
    return STENO_OK;
}

void call_row_close(call_row *self) {
    if (!self) return;
    sqlite3_finalize(self->begin);
    sqlite3_finalize(self->end);
    sqlite3_finalize(self->find);
    sqlite3_finalize(self->content_begin);
    sqlite3_finalize(self->content_end);
    for (int i = 0; i < TEXT_SLOTS; i++) buffer_free(&self->texts[i]);
    free(self);
}

/* ---- binding: what is absent or of another type stays NULL; values outlive the statement's use ---- */

static void bind_string(sqlite3_stmt *statement, int at, const steno_value *value) {
    size_t size;
    if (steno_value_type(value) != STENO_TYPE_STRING) return;
    const char *text = steno_value_string(value, &size);
    sqlite3_bind_text64(statement, at, text, size, SQLITE_STATIC, SQLITE_UTF8);
}

/* Good until the next text in the same slot. */
static void bind_json(call_row *self, text_slot slot, sqlite3_stmt *statement, int at, const steno_value *value) {
    buffer *text = &self->texts[slot];
    if (steno_value_type(value) == STENO_TYPE_NIL) return;
    if (text->room > TEXT_KEPT_BYTES) buffer_free(text);
    buffer_clear(text);
    if (json_text_add_value(text, value))
        sqlite3_bind_text64(statement, at, buffer_text(text), text->size, SQLITE_STATIC, SQLITE_UTF8);
}

static bool is_number(const steno_value *value) {
    steno_type type = steno_value_type(value);
    return type == STENO_TYPE_INT || type == STENO_TYPE_DOUBLE;
}

static void bind_int(sqlite3_stmt *statement, int at, const steno_value *value) {
    if (is_number(value)) sqlite3_bind_int64(statement, at, steno_value_int(value, 0));
}

static void bind_time(sqlite3_stmt *statement, int at, const steno_value *value) {
    double time = steno_value_double(value, NAN);
    if (is_number(value) && isfinite(time)) sqlite3_bind_double(statement, at, time);
}

/* The first of the two that is a time, else `now`. */
static double time_of(const steno_value *first, const steno_value *second, double now) {
    double time = steno_value_double(first, NAN);
    if (!isfinite(time)) time = steno_value_double(second, NAN);
    return isfinite(time) ? time : now;
}

/* COMMON_COLUMNS, as parameters 1 to COMMON_COUNT. */
static void bind_common(call_row *self, sqlite3_stmt *statement, const steno_event *event, int64_t publisher_id) {
    static const char *const texts[] = {"provider", "model", "call_type"};
    static const char *const ids[] = {"user", "session_id", "trace_id", "parent_id"};
    bind_string(statement, 1, steno_event_get(event, "call_id"));
    if (publisher_id) sqlite3_bind_int64(statement, 2, publisher_id);
    bind_string(statement, 3, steno_value_get(steno_event_get(event, "app"), "name"));
    for (int i = 0; i < 3; i++) bind_string(statement, 4 + i, steno_event_get(event, texts[i]));
    sqlite3_bind_int(statement, 7, steno_value_bool(steno_event_get(event, "stream"), false));
    for (int i = 0; i < 4; i++) bind_string(statement, 8 + i, steno_event_get(event, ids[i]));
    const steno_value *tags = steno_event_get(event, "tags"), *metadata = steno_event_get(event, "metadata");
    if (steno_value_count(tags)) bind_json(self, TEXT_TAGS, statement, 12, tags);
    if (steno_value_count(metadata)) bind_json(self, TEXT_METADATA, statement, COMMON_COUNT, metadata);
}

/* ---- the texts ---- */

/* `messages`, or what an embedding or a text completion has instead. */
static const steno_value *messages_of(const steno_event *event) {
    static const char *const names[] = {"messages", "input", "prompt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const steno_value *found = steno_event_get(event, names[i]);
        if (steno_value_type(found) != STENO_TYPE_NIL) return found;
    }
    return NULL;
}

static const steno_value *response_of(const steno_event *event) {
    const steno_value *response = steno_event_get(event, "response");
    return steno_value_type(response) == STENO_TYPE_NIL ? steno_event_get(event, "complete_streaming_response")
                                                        : response;
}

/* Joins the texts of a message's content that comes in parts. Owned by the caller; NULL if there is none. */
static char *join_parts(const steno_value *parts, size_t *size) {
    size_t total = 0, at = 0;
    for (size_t i = 0; i < steno_value_count(parts); i++) {
        size_t part = 0;
        steno_value_string(steno_value_get(steno_value_at(parts, i), "text"), &part);
        total += part;
    }
    char *joined = total ? malloc(total) : NULL;
    for (size_t i = 0; joined && i < steno_value_count(parts); i++) {
        size_t part = 0;
        const char *text = steno_value_string(steno_value_get(steno_value_at(parts, i), "text"), &part);
        if (part) memcpy(joined + at, text, part);
        at += part;
    }
    *size = total;
    return joined;
}

/* The text of the first choice: of a chat message, or of a text completion. */
static void bind_response_text(sqlite3_stmt *statement, int at, const steno_value *response) {
    const steno_value *choice = steno_value_at(steno_value_get(response, "choices"), 0);
    const steno_value *content = steno_value_get(steno_value_get(choice, "message"), "content");
    if (steno_value_type(content) == STENO_TYPE_ARRAY) {
        size_t size;
        char *joined = join_parts(content, &size);
        if (joined) sqlite3_bind_text64(statement, at, joined, size, free, SQLITE_UTF8);
    } else {
        bind_string(statement, at, content ? content : steno_value_get(choice, "text"));
    }
}

/* ---- the two effects ---- */

/* Runs begin or end, whose first parameter is bound to `call_id`: *id is the call's row, 0 if it was left as it is. (RETURNING would tell, too, but
 * SQLite makes a temporary table for it each time, which costs as much as the rest.)
 */
static int run_on_call(call_row *self, sqlite3_stmt *statement, const steno_value *call_id, int64_t *id) {
    *id = 0;
    sqlite3_set_last_insert_rowid(self->database, 0);
    int code = sqlite3_step(statement);
    if (code != SQLITE_DONE) return code;
    if (sqlite3_changes(self->database) == 0) return SQLITE_OK;
    *id = sqlite3_last_insert_rowid(self->database);
    if (*id) return SQLITE_OK; /* it is new; else it was there */
    cleanup_reset sqlite3_stmt *find = self->find;
    bind_string(find, 1, call_id);
    code = sqlite3_step(find);
    if (code == SQLITE_ROW) *id = sqlite3_column_int64(find, 0);
    return code == SQLITE_ROW ? SQLITE_OK : code;
}

static int run(sqlite3_stmt *statement) {
    int code = sqlite3_step(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* An attempt begins or is over: the call is there, pending, and has had so many attempts. */
static int apply_attempt(call_row *self, const steno_event *event, int64_t publisher_id, double now) {
    cleanup_reset sqlite3_stmt *statement = self->begin;
    bind_common(self, statement, event, publisher_id);
    sqlite3_bind_double(statement, 14,
                        time_of(steno_event_get(event, "start_time"), steno_event_get(event, "time"), now));
    sqlite3_bind_int64(statement, 15, steno_value_int(steno_event_get(event, "attempt"), 1));
    int64_t call;
    int code = run_on_call(self, statement, steno_event_get(event, "call_id"), &call);
    const steno_value *messages = messages_of(event);
    if (code || !call || steno_value_type(messages) == STENO_TYPE_NIL) return code;
    cleanup_reset sqlite3_stmt *content = self->content_begin;
    sqlite3_bind_int64(content, 1, call);
    bind_json(self, TEXT_MESSAGES, content, 2, messages);
    return run(content);
}

/* -1: not reported. */
static int64_t tokens_of(const steno_value *usage, const char *name) {
    const steno_value *value = steno_value_get(usage, name);
    const int64_t count = is_number(value) ? steno_value_int(value, -1) : -1;
    return count < 0 || count > STENO_EVENT_TOKENS_MAX ? -1 : count;
}

static void bind_usage(sqlite3_stmt *statement, int at, const steno_value *usage) {
    static const char *const names[] = {"prompt_tokens",         "cached_tokens",     "cache_write_tokens",
                                        "cache_write_1h_tokens", "completion_tokens", "reasoning_tokens",
                                        "total_tokens"};
    for (int i = 0; i < 7; i++) {
        const int64_t count = tokens_of(usage, names[i]);
        if (count >= 0) sqlite3_bind_int64(statement, at + i, count);
    }
    const int64_t prompt = tokens_of(usage, "prompt_tokens"), completion = tokens_of(usage, "completion_tokens");
    if (!is_number(steno_value_get(usage, "total_tokens")) && prompt >= 0 && completion >= 0 &&
        prompt + completion <= STENO_EVENT_TOKENS_MAX)
        sqlite3_bind_int64(statement, at + 6, prompt + completion);
}

static int apply_end(call_row *self, const steno_event *event, int64_t publisher_id, double now) {
    cleanup_reset sqlite3_stmt *statement = self->end;
    const steno_value *time = steno_event_get(event, "time"), *failure = steno_event_get(event, "error");
    const steno_value *response = response_of(event), *reason = steno_event_get(event, "finish_reason");
    bool stream = steno_value_bool(steno_event_get(event, "stream"), false);
    if (!reason) reason = steno_value_get(steno_value_at(steno_value_get(response, "choices"), 0), "finish_reason");

    bind_common(self, statement, event, publisher_id);
    bind_time(statement, 14, steno_event_get(event, "start_time"));
    bind_int(statement, 15, steno_event_get(event, "attempts"));
    sqlite3_bind_double(statement, 16, time_of(time, NULL, now));
    sqlite3_bind_text(statement, 17, steno_event_name(event), -1, SQLITE_STATIC);
    sqlite3_bind_double(statement, 18, time_of(steno_event_get(event, "end_time"), time, now));
    if (stream) bind_time(statement, 19, steno_event_get(event, "completion_start_time"));
    sqlite3_bind_int(statement, 20, steno_value_bool(steno_event_get(event, "cache_hit"), false));
    bind_usage(statement, 21, steno_event_get(event, "usage"));
    bind_string(statement, 28, reason);
    bind_string(statement, 29, steno_value_get(failure, "type"));
    bind_string(statement, 30, steno_value_get(failure, "message"));
    bind_int(statement, 31, steno_value_get(failure, "status"));
    int64_t call;
    int code = run_on_call(self, statement, steno_event_get(event, "call_id"), &call);
    if (code || !call) return code;

    cleanup_reset sqlite3_stmt *content = self->content_end;
    sqlite3_bind_int64(content, 1, call);
    bind_json(self, TEXT_MESSAGES, content, 2, messages_of(event));
    bind_json(self, TEXT_RESPONSE, content, 3, response);
    bind_response_text(content, 4, response);
    return run(content);
}

int call_row_apply(call_row *self, const steno_event *event, int64_t publisher_id, double now) {
    switch (steno_event_kind_of(event)) {
    case STENO_PRE_API_CALL:
    case STENO_POST_API_CALL: return apply_attempt(self, event, publisher_id, now);
    case STENO_SUCCESS:
    case STENO_FAILURE: return apply_end(self, event, publisher_id, now);
    default: return SQLITE_OK;
    }
}
