/* The two ends of the daemon's benchmark (tests/bench/run drives it):
 *
 *     bench_store app COUNT SIZE RATE [FIRST]
 *         an app: waits for a line on stdin, publishes COUNT events of about SIZE bytes (RATE a second; 0: as fast as it can) with call ids from
 *         number FIRST on, prints when each left as JSON, and stays until stdin ends
 *     bench_store floor FILE COUNT SIZE
 *         the floor: a bare loop that inserts the rows of the same events into the same schema
 *
 * Each event is the `success` of a call of its own, so it makes a row in event, call and content.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/publisher.h"
#include "daemon/batch.h"
#include "daemon/store.h"

#define SIZE_MAX_BYTES 65536
#define FIXED_BYTES 700 /* of an event, beside its two texts */
#define SPOOL_LIMIT ((size_t)64 << 30)

extern const char log_sql[];

static char prompt[SIZE_MAX_BYTES], answer[SIZE_MAX_BYTES];
static char messages_json[2 * SIZE_MAX_BYTES], response_json[2 * SIZE_MAX_BYTES];

static _Noreturn void fail(const char *what, const char *why) {
    fprintf(stderr, "bench_store: %s: %s\n", what, why);
    exit(1);
}

static double now_s(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void make_texts(size_t size) {
    size_t text = size > FIXED_BYTES + 20 ? (size - FIXED_BYTES) / 2 : 10;
    memset(prompt, 'p', text);
    memset(answer, 'a', text);
    snprintf(messages_json, sizeof messages_json, "[{\"role\":\"user\",\"content\":\"%s\"}]", prompt);
    snprintf(response_json, sizeof response_json,
             "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"%s\"}}],\"model\":\"gpt-4o-mini\"}",
             answer);
}

static void call_id_of(long number, char out[64]) { snprintf(out, 64, "01936f2a-7c1e-7a53-9f0e-%012ld", number); }

static void draft_event(steno_draft *draft, const char *call_id) {
    double time = now_s(CLOCK_REALTIME);
    steno_draft_start(draft);
    steno_draft_int(draft, "v", 1);
    steno_draft_string(draft, "event", "success");
    steno_draft_string(draft, "log_event_type", "successful_api_call");
    steno_draft_string(draft, "call_id", call_id);
    steno_draft_string(draft, "call_type", "completion");
    steno_draft_string(draft, "model", "gpt-4o-mini");
    steno_draft_string(draft, "provider", "openai");
    steno_draft_bool(draft, "stream", false);
    steno_draft_double(draft, "time", time);
    steno_draft_double(draft, "start_time", time);
    steno_draft_double(draft, "end_time", time);
    steno_draft_int(draft, "attempts", 1);
    steno_draft_map_begin(draft, "app");
    steno_draft_string(draft, "name", "bench");
    steno_draft_string(draft, "host", "localhost");
    steno_draft_int(draft, "pid", getpid());
    steno_draft_map_end(draft);
    steno_draft_map_begin(draft, "usage");
    steno_draft_int(draft, "prompt_tokens", 200);
    steno_draft_int(draft, "completion_tokens", 100);
    steno_draft_int(draft, "total_tokens", 300);
    steno_draft_map_end(draft);
    steno_draft_string(draft, "finish_reason", "stop");
    steno_draft_array_begin(draft, "messages");
    steno_draft_map_begin(draft, NULL);
    steno_draft_string(draft, "role", "user");
    steno_draft_string(draft, "content", prompt);
    steno_draft_map_end(draft);
    steno_draft_array_end(draft);
    steno_draft_map_begin(draft, "response");
    steno_draft_string(draft, "model", "gpt-4o-mini");
    steno_draft_array_begin(draft, "choices");
    steno_draft_map_begin(draft, NULL);
    steno_draft_map_begin(draft, "message");
    steno_draft_string(draft, "role", "assistant");
    steno_draft_string(draft, "content", answer);
    steno_draft_map_end(draft);
    steno_draft_map_end(draft);
    steno_draft_array_end(draft);
    steno_draft_map_end(draft);
}

/* ---- the app ---- */

static void wait_until(double when) {
    double left = when - now_s(CLOCK_MONOTONIC);
    if (left <= 0) return;
    struct timespec pause = {.tv_sec = (time_t)left, .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
    nanosleep(&pause, NULL);
}

static void run_app(long count, double rate, long first) {
    static place where;
    steno_error error;
    publisher *self;
    steno_draft *draft = steno_draft_new();
    double *left = calloc((size_t)count, sizeof *left);
    char line[8], call_id[64];
    if (place_open(&where, NULL, &error) || publisher_open(&where, SPOOL_LIMIT, &self, &error))
        fail("app", error.message);
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) exit(1);
    double start = now_s(CLOCK_MONOTONIC);
    size_t bytes = 0;
    for (long i = 0; i < count; i++) {
        const void *body;
        if (rate > 0) wait_until(start + (double)i / rate);
        left[i] = now_s(CLOCK_REALTIME);
        call_id_of(first + i, call_id);
        draft_event(draft, call_id);
        if (steno_draft_finish(draft, &body, &bytes, &error) || publisher_publish(self, body, bytes, NULL, &error))
            fail("publish", error.message);
    }
    printf("{\"event_bytes\": %zu, \"publish_s\": %.6f, \"left\": [%.6f", bytes, now_s(CLOCK_MONOTONIC) - start,
           left[0]);
    if (rate > 0)
        for (long i = 1; i < count; i++) printf(",%.6f", left[i]);
    puts("]}");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
    }
    publisher_close(self);
    steno_draft_free(draft);
    free(left);
}

/* ---- the floor ---- */

static void check(sqlite3 *database, int code, const char *what) {
    if (code != SQLITE_OK && code != SQLITE_DONE) fail(what, sqlite3_errmsg(database));
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *sql) {
    sqlite3_stmt *statement;
    check(database, sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), sql);
    return statement;
}

static void step(sqlite3 *database, sqlite3_stmt *statement) {
    check(database, sqlite3_step(statement), "insert");
    sqlite3_reset(statement);
}

/* As stenod opens its log (daemon/store_open.c). */
static sqlite3 *open_log(const char *path) {
    sqlite3 *database;
    char settings[256];
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL))
        fail(path, "cannot be opened");
    snprintf(settings, sizeof settings,
             "PRAGMA page_size = %d; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -%d;"
             "PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = %d;",
             STORE_PAGE_BYTES, STORE_CACHE_KIB, STORE_CHECKPOINT_PAGES);
    check(database, sqlite3_exec(database, settings, NULL, NULL, NULL), "settings");
    check(database, sqlite3_exec(database, log_sql, NULL, NULL, NULL), "schema");
    return database;
}

static void run_floor(const char *path, long count) {
    sqlite3 *database = open_log(path);
    sqlite3_stmt *event =
        prepare(database, "INSERT INTO event (offset, publisher, seq, time, event, call_id, topic, body, stored)"
                          " VALUES (?1, 1, ?1, ?3, 'success', ?2, 'success.openai.gpt-4o-mini', ?4, ?3)");
    sqlite3_stmt *call = prepare(
        database,
        "INSERT INTO call (call_id, publisher, status, started, ended, app, provider, model, call_type,"
        " attempts, prompt_tokens, completion_tokens, total_tokens, finish_reason)"
        " VALUES (?1, 1, 'success', ?2, ?2, 'bench', 'openai', 'gpt-4o-mini', 'completion', 1, 200, 100, 300, 'stop')");
    sqlite3_stmt *content =
        prepare(database, "INSERT INTO content (call, messages, response, response_text) VALUES (?1, ?2, ?3, ?4)");
    steno_draft *draft = steno_draft_new();
    char call_id[64];
    call_id_of(0, call_id);
    draft_event(draft, call_id);
    const void *encoded;
    size_t size;
    if (steno_draft_finish(draft, &encoded, &size, NULL)) fail("event", "cannot be encoded");
    char *body = malloc(size);
    memcpy(body, encoded, size);
    char *id_in_body = memmem(body, size, call_id, strlen(call_id));
    double start = now_s(CLOCK_MONOTONIC);
    for (long i = 0; i < count; i++) {
        if (i % BATCH_EVENTS_MAX == 0)
            check(database, sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL), "begin");
        double time = now_s(CLOCK_REALTIME);
        call_id_of(i, call_id);
        memcpy(id_in_body, call_id, strlen(call_id));
        sqlite3_bind_int64(event, 1, i + 1);
        sqlite3_bind_text(event, 2, call_id, -1, SQLITE_STATIC);
        sqlite3_bind_double(event, 3, time);
        sqlite3_bind_blob64(event, 4, body, size, SQLITE_STATIC);
        step(database, event);
        sqlite3_bind_text(call, 1, call_id, -1, SQLITE_STATIC);
        sqlite3_bind_double(call, 2, time);
        step(database, call);
        sqlite3_bind_int64(content, 1, sqlite3_last_insert_rowid(database));
        sqlite3_bind_text(content, 2, messages_json, -1, SQLITE_STATIC);
        sqlite3_bind_text(content, 3, response_json, -1, SQLITE_STATIC);
        sqlite3_bind_text(content, 4, answer, -1, SQLITE_STATIC);
        step(database, content);
        if (i % BATCH_EVENTS_MAX == BATCH_EVENTS_MAX - 1 || i == count - 1)
            check(database, sqlite3_exec(database, "COMMIT", NULL, NULL, NULL), "commit");
    }
    printf("{\"seconds\": %.6f}\n", now_s(CLOCK_MONOTONIC) - start);
    sqlite3_finalize(event);
    sqlite3_finalize(call);
    sqlite3_finalize(content);
    sqlite3_close(database);
    steno_draft_free(draft);
    free(body);
}

int main(int argc, char **argv) {
    if (argc < 5 || argc > 6 || (strcmp(argv[1], "app") && strcmp(argv[1], "floor"))) {
        fprintf(stderr, "usage: bench_store app COUNT SIZE RATE [FIRST] | bench_store floor FILE COUNT SIZE\n");
        return 2;
    }
    const bool app = !strcmp(argv[1], "app");
    const long count = strtol(argv[app ? 2 : 3], NULL, 10);
    const size_t size = strtoul(argv[app ? 3 : 4], NULL, 10);
    if (count < 1 || size >= SIZE_MAX_BYTES) fail(argv[1], "COUNT is 1 or more, SIZE below 65,536");
    make_texts(size);
    if (app)
        run_app(count, strtod(argv[4], NULL), argc > 5 ? strtol(argv[5], NULL, 10) : 0);
    else
        run_floor(argv[2], count);
    return 0;
}
