/* Tests of daemon/store*.c and call_row.c: a batch is in the log whole or not at all, and offsets are dense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "daemon/store.h"

static char folder[64], path[96];
static store *log_db;
static batch events;
static publishers *table;
static publisher *from;

static int open_log(void **state) {
    (void)state;
    steno_error error;
    uint8_t uuid[16] = {7};
    strcpy(folder, "/tmp/steno-store-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/log.db", folder);
    if (store_open(path, false, &log_db, &error)) return -1;
    memset(&events, 0, sizeof events);
    table = publishers_new();
    from = publishers_add(table, uuid);
    return from ? 0 : -1;
}

static int close_log(void **state) {
    (void)state;
    batch_clear(&events);
    publishers_free(table);
    store_close(log_db);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* Adds an event to the batch; `json` holds its fields beside `event`. */
static void add(const char *name, const char *call_id, const char *json_name, const char *json) {
    const void *body;
    size_t size;
    steno_error error;
    steno_draft *draft = steno_draft_new();
    steno_draft_string(draft, "event", name);
    if (call_id) steno_draft_string(draft, "call_id", call_id);
    if (json) steno_draft_json(draft, json_name, json, strlen(json));
    steno_draft_double(draft, "time", 100);
    assert_int_equal(steno_draft_finish(draft, &body, &size, &error), STENO_OK);
    if (batch_add(&events, from, from->next, body, size, &error)) fail_msg("%s", error.message);
    from->next++;
    steno_draft_free(draft);
}

static void write_batch(void) {
    steno_error error;
    if (store_write(log_db, &events, &error)) fail_msg("%s", error.message);
    batch_clear(&events);
}

/* The first column of a query's first row, as an integer, through a connection of its own. */
static int64_t ask(const char *sql) {
    sqlite3 *other;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    if (sqlite3_prepare_v2(other, sql, -1, &statement, NULL)) fail_msg("%s: %s", sql, sqlite3_errmsg(other));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(other);
    return value;
}

static void run(const char *sql) {
    sqlite3 *other;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    if (sqlite3_exec(other, sql, NULL, NULL, NULL)) fail_msg("%s: %s", sql, sqlite3_errmsg(other));
    sqlite3_close(other);
}

static void offsets_and_next_are_stored_with_the_events(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++) add("test.event", NULL, NULL, NULL);
        write_batch();
    }
    assert_int_equal(store_last_offset(log_db), 30);
    assert_int_equal(ask("SELECT count(*) * 1000 + max(offset) FROM event"), 30030);
    assert_int_equal(ask("SELECT next FROM publisher"), 31);
    assert_int_equal(from->stored, 31);
    publisher again = {0};
    memcpy(again.uuid, from->uuid, sizeof again.uuid);
    assert_int_equal(store_load_publisher(log_db, &again, NULL), STENO_OK);
    assert_int_equal(again.next, 31);
}

static void a_batch_that_fails_is_not_there_and_can_be_written_again(void **state) {
    (void)state;
    add("test.event", NULL, NULL, NULL);
    write_batch();
    /* Fails at the last statement of the batch, after all its rows were written. */
    run("CREATE TRIGGER refuse BEFORE INSERT ON loss BEGIN SELECT raise(ABORT, 'no room'); END");
    for (int i = 0; i < 5; i++) add("pre_api_call", "a call", NULL, NULL);
    batch_add_loss(&events, from, from->next, from->next + 3, "test", NULL);
    from->next += 4;
    steno_error error;
    assert_int_equal(store_write(log_db, &events, &error), STENO_SYSTEM);
    assert_non_null(strstr(error.message, "no room"));
    assert_int_equal(store_last_offset(log_db), 1);
    assert_int_equal(from->stored, 2);
    assert_int_equal(ask("SELECT count(*) FROM event"), 1);
    assert_int_equal(ask("SELECT count(*) FROM call"), 0);
    assert_int_equal(ask("SELECT next FROM publisher"), 2);
    run("DROP TRIGGER refuse");
    write_batch();
    assert_int_equal(ask("SELECT count(*) * 1000 + max(offset) FROM event"), 6006);
    assert_int_equal(ask("SELECT next FROM publisher"), 11);
    assert_int_equal(ask("SELECT count FROM loss"), 4);
    assert_int_equal(store_losses(log_db), 4);
}

static void a_new_publisher_in_a_batch_that_fails_is_new_again(void **state) {
    (void)state;
    run("CREATE TRIGGER refuse BEFORE INSERT ON event BEGIN SELECT raise(ABORT, 'no room'); END");
    add("test.event", NULL, NULL, NULL);
    assert_int_equal(store_write(log_db, &events, NULL), STENO_SYSTEM);
    assert_int_equal(from->id, 0);
    run("DROP TRIGGER refuse");
    write_batch();
    assert_int_equal(ask("SELECT count(*) FROM publisher JOIN event ON event.publisher = publisher.id"), 1);
}

static void a_busy_log_is_told_from_a_full_one(void **state) {
    (void)state;
    sqlite3 *other;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    add("test.event", NULL, NULL, NULL);
    assert_int_equal(store_write(log_db, &events, NULL), STENO_BUSY);
    sqlite3_close(other);
    write_batch();
    assert_int_equal(store_last_offset(log_db), 1);
}

static void offsets_go_on_after_opening_again(void **state) {
    (void)state;
    steno_error error;
    add("test.event", NULL, NULL, NULL);
    write_batch();
    store_close(log_db);
    assert_int_equal(store_open(path, true, &log_db, &error), STENO_OK);
    assert_int_equal(store_last_offset(log_db), 1);
    add("test.event", NULL, NULL, NULL);
    write_batch();
    assert_int_equal(ask("SELECT max(offset) FROM event"), 2);
}

static void a_call_ends_by_its_first_terminal_event(void **state) {
    (void)state;
    add("pre_api_call", "c", "messages", "[{\"role\":\"user\",\"content\":\"hi\"}]");
    add("failure", "c", "error", "{\"type\":\"Timeout\",\"status\":504}");
    add("success", "c", "usage", "{\"prompt_tokens\":1}");
    write_batch();
    assert_int_equal(ask("SELECT count(*) FROM event"), 3);
    assert_int_equal(ask("SELECT count(*) FROM call WHERE status = 'failure' AND error_status = 504"), 1);
    assert_int_equal(ask("SELECT prompt_tokens IS NULL FROM call"), 1);
    assert_int_equal(ask("SELECT messages = '[{\"role\":\"user\",\"content\":\"hi\"}]' FROM content"), 1);
}

static void the_text_of_a_response_is_found_in_each_of_its_forms(void **state) {
    (void)state;
    add("success", "a", "response", "{\"choices\":[{\"message\":{\"content\":\"text\"}}]}");
    add("success", "b", "response", "{\"choices\":[{\"text\":\"text\"}]}");
    add("success", "c", "response",
        "{\"choices\":[{\"message\":{\"content\":[{\"text\":\"te\"},{\"x\":1},{\"text\":\"xt\"}]}}]}");
    add("success", "d", "complete_streaming_response", "{\"choices\":[{\"message\":{\"content\":\"text\"}}]}");
    add("success", "e", "response", "{\"choices\":[]}");
    add("success", "f", "response", "\"nonsense\"");
    write_batch();
    assert_int_equal(ask("SELECT count(*) FROM content WHERE response_text = 'text'"), 4);
    assert_int_equal(ask("SELECT count(*) FROM content WHERE response_text IS NULL"), 2);
}

static void usage_that_is_absent_or_no_number_is_null(void **state) {
    (void)state;
    add("success", "a", "usage", "{\"prompt_tokens\":3,\"completion_tokens\":4}");
    add("success", "b", "usage", "{\"prompt_tokens\":\"3\"}");
    add("success", "c", "usage", "{\"prompt_tokens\":9223372036854775807,\"completion_tokens\":1}");
    add("success", "d", NULL, NULL);
    write_batch();
    assert_int_equal(ask("SELECT total_tokens FROM call WHERE call_id = 'a'"), 7);
    assert_int_equal(ask("SELECT count(*) FROM call WHERE total_tokens IS NULL"), 3);
    assert_int_equal(ask("SELECT count(*) FROM call WHERE prompt_tokens IS NULL"), 2);
}

static unsigned trim(double stored_before, int64_t bytes_max) {
    unsigned deleted;
    steno_error error;
    if (store_trim(log_db, stored_before, bytes_max, &deleted, &error)) fail_msg("%s", error.message);
    return deleted;
}

static const char journal_sql[] = "SELECT (SELECT bytes FROM journal) = sum(length(body)) + 128 * count(*) FROM event";

static void the_oldest_events_leave_the_journal(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) add("success", i % 2 ? "a" : "b", NULL, NULL);
    write_batch();
    assert_int_equal(ask(journal_sql), 1);
    assert_int_equal(trim(0, INT64_MAX), 0);
    run("UPDATE event SET stored = 5 WHERE offset <= 30 OR offset = 50"); /* 50 is behind younger ones */
    assert_int_equal(trim(6, INT64_MAX), 30);
    assert_int_equal(store_first_offset(log_db), 31);
    assert_int_equal(ask(journal_sql), 1);
    const int64_t each = store_journal_bytes(log_db) / 70;
    assert_int_equal(trim(0, 20 * each), 50);
    assert_int_equal(store_first_offset(log_db), 81);
    assert_int_equal(trim(0, 1), 19);
    assert_int_equal(trim(0, 1), 0); /* the last one stays, so that offsets go on */
    assert_int_equal(trim(1e18, 1), 0);
    assert_int_equal(ask("SELECT min(offset) * 1000 + max(offset) FROM event"), 100100);
    assert_int_equal(ask(journal_sql), 1);
    assert_int_equal(ask("SELECT count(*) FROM call WHERE status = 'success'"), 2); /* calls stay */
    store_close(log_db);
    assert_int_equal(store_open(path, false, &log_db, NULL), STENO_OK);
    assert_int_equal(store_last_offset(log_db), 100);
    assert_int_equal(trim(0, 1), 0);
}

static void one_trim_deletes_a_bounded_number(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        while (batch_fits(&events, 1000)) add("test.event", NULL, NULL, NULL);
        write_batch();
    }
    const uint64_t last = store_last_offset(log_db);
    assert_true(last > 2 * STORE_TRIM_EVENTS_MAX);
    assert_int_equal(trim(1e18, INT64_MAX), STORE_TRIM_EVENTS_MAX);
    assert_int_equal(store_first_offset(log_db), STORE_TRIM_EVENTS_MAX + 1);
}

static void a_trim_that_fails_changes_nothing(void **state) {
    (void)state;
    unsigned deleted;
    for (int i = 0; i < 10; i++) add("test.event", NULL, NULL, NULL);
    write_batch();
    sqlite3 *other;
    sqlite3_open(path, &other);
    sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    const int64_t bytes = store_journal_bytes(log_db);
    assert_int_equal(store_trim(log_db, 1e18, INT64_MAX, &deleted, NULL), STENO_BUSY);
    assert_int_equal(deleted, 0);
    assert_int_equal(store_journal_bytes(log_db), bytes);
    sqlite3_close(other);
    assert_int_equal(trim(1e18, INT64_MAX), 9);
}

/* People's scripts count on them, some by their number. */
static void check_columns(void) {
    static const char *const columns[] = {"call_id",
                                          "started_at",
                                          "app",
                                          "provider",
                                          "model",
                                          "call_type",
                                          "stream",
                                          "status",
                                          "cache_hit",
                                          "attempts",
                                          "latency_ms",
                                          "ttft_ms",
                                          "prompt_tokens",
                                          "cached_tokens",
                                          "cache_write_tokens",
                                          "completion_tokens",
                                          "reasoning_tokens",
                                          "total_tokens",
                                          "cost_usd",
                                          "user",
                                          "session_id",
                                          "trace_id",
                                          "tags",
                                          "metadata",
                                          "messages",
                                          "response",
                                          "response_text",
                                          "finish_reason",
                                          "error_type",
                                          "error_message",
                                          "error_status",
                                          "cost_source",
                                          "reported_cost_usd"};
    sqlite3 *database;
    sqlite3_stmt *none;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, "SELECT * FROM calls", -1, &none, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_column_count(none), sizeof columns / sizeof *columns);
    for (int i = 0; i < sqlite3_column_count(none); i++) assert_string_equal(sqlite3_column_name(none, i), columns[i]);
    sqlite3_finalize(none);
    sqlite3_close(database);
}

static void the_view_has_its_columns_in_their_order(void **state) {
    (void)state;
    check_columns();
}

static void a_log_of_version_1_is_brought_up_to_date(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) add("test.event", NULL, NULL, NULL);
    write_batch();
    store_close(log_db);
    run("DROP VIEW calls; CREATE VIEW calls AS SELECT call_id FROM call; DROP VIEW spend_daily; DROP TABLE spend; "
        "DROP TABLE budget_alert; DROP TABLE cost_old; DROP TABLE recost; DROP TABLE cost; CREATE TABLE cost (call_id "
        "TEXT PRIMARY KEY, offset INTEGER, "
        "pico_dollars INTEGER, source TEXT, price_model TEXT, price_date TEXT) WITHOUT ROWID;"
        "ALTER TABLE event DROP COLUMN stored; DROP TABLE journal; PRAGMA user_version = 1");
    run("INSERT INTO call (call_id, status, started, model, tags) VALUES ('a', 'success', 100, 'm', '[\"x\",\"y\"]'),"
        " ('b', 'failure', 899, 'm', NULL), ('c', 'success', 900, 'n', '[]');"
        "INSERT INTO cost (call_id, offset, pico_dollars, source) VALUES ('a', 1, 5, 'table'), ('b', 2, NULL, "
        "'unknown'), ('c', 3, 7, 'reported')");
    steno_error error = {0};
    if (store_open(path, false, &log_db, &error)) fail_msg("%s", error.message);
    assert_int_equal(ask("SELECT count(*) FROM event WHERE stored = 100"), 10); /* their time */
    assert_int_equal(ask(journal_sql), 1);
    for (int i = 0; i < 10; i++) add("test.event", NULL, NULL, NULL);
    write_batch();
    assert_int_equal(ask(journal_sql), 1);
    assert_int_equal(trim(101, INT64_MAX), 10);
    /* What was spent before is in the sums. */
    assert_int_equal(ask("SELECT pico_dollars FROM spend WHERE kind = 'all' AND slot = 0"), 5);
    assert_int_equal(ask("SELECT calls * 10 + failures FROM spend WHERE kind = 'model' AND name = 'm'"), 21);
    assert_int_equal(ask("SELECT sum(pico_dollars) FROM spend WHERE kind = 'tag' AND name IN ('x', 'y')"), 10);
    assert_int_equal(ask("SELECT sum(calls) FROM spend WHERE kind = 'tag' AND name = ''"), 2);
    assert_int_equal(ask("SELECT count(*) FROM cost WHERE price_source = 'built-in'"), 1);
    assert_int_equal(ask("SELECT count(*) FROM calls WHERE cost_source = 'reported'"), 1);
    assert_int_equal(ask("SELECT count(*) FROM cost WHERE json_extract(facts, '$.not_kept')"), 3);
    check_columns();
    assert_int_equal(ask("SELECT (SELECT count(*) FROM budget_alert) + (SELECT count(*) FROM cost_old) + (SELECT "
                         "count(*) FROM recost)"),
                     0);
}

static void a_newer_log_is_refused_and_a_foreign_one_too(void **state) {
    (void)state;
    steno_error error;
    store_close(log_db);
    run("PRAGMA user_version = 7");
    assert_int_equal(store_open(path, false, &log_db, &error), STENO_INVALID);
    assert_null(log_db);
    run("PRAGMA user_version = 0"); /* has our tables already: not an empty file */
    assert_int_equal(store_open(path, false, &log_db, &error), STENO_SYSTEM);
    run("PRAGMA user_version = 6");
    assert_int_equal(store_open(path, false, &log_db, &error), STENO_OK);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_log, close_log)
    const struct CMUnitTest tests[] = {
        TEST(offsets_and_next_are_stored_with_the_events),
        TEST(a_batch_that_fails_is_not_there_and_can_be_written_again),
        TEST(a_new_publisher_in_a_batch_that_fails_is_new_again),
        TEST(a_busy_log_is_told_from_a_full_one),
        TEST(offsets_go_on_after_opening_again),
        TEST(a_call_ends_by_its_first_terminal_event),
        TEST(the_text_of_a_response_is_found_in_each_of_its_forms),
        TEST(usage_that_is_absent_or_no_number_is_null),
        TEST(the_oldest_events_leave_the_journal),
        TEST(one_trim_deletes_a_bounded_number),
        TEST(a_trim_that_fails_changes_nothing),
        TEST(the_view_has_its_columns_in_their_order),
        TEST(a_log_of_version_1_is_brought_up_to_date),
        TEST(a_newer_log_is_refused_and_a_foreign_one_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
