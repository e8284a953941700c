/* subscribers/recost.c: runs beside each other, and rows that an older Steno wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/steno.h"
#include "subscribers/recost.h"

extern const char log_sql[], migration_005[], migration_006[];

static char dir[] = "/tmp/steno-recost-XXXXXX";
static char path[64], prices_path[64];
static sqlite3 *first, *second, *lock;
static int64_t left;

static void run(sqlite3 *database, const char *sql) {
    char *why = NULL;
    if (sqlite3_exec(database, sql, NULL, NULL, &why)) fail_msg("%s: %s", sql, why);
}

static int64_t ask(const char *sql) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(lock, sql, -1, &statement, NULL)) fail_msg("%s: %s", sql, sqlite3_errmsg(lock));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t answer = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return answer;
}

/* A token of model m, in pico-dollars. */
static void set_price(int pico) {
    FILE *file = fopen(prices_path, "w");
    assert_non_null(file);
    fprintf(file, "{\"m\": {\"input_cost_per_token\": %de-12, \"output_cost_per_token\": %de-12}}", pico, pico);
    fclose(file);
}

static int begin(void **state) {
    (void)state;
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    if (!mkdtemp(dir)) return -1;
    snprintf(path, sizeof path, "%s/prices", dir);
    mkdir(path, 0700);
    snprintf(prices_path, sizeof prices_path, "%s/prices/own.json", dir);
    snprintf(path, sizeof path, "%s/log.db", dir);
    sqlite3 **all[] = {&first, &second, &lock};
    for (size_t i = 0; i < 3; i++)
        if (sqlite3_open(path, all[i])) return -1;
    run(lock, "PRAGMA journal_mode = WAL");
    run(lock, log_sql);
    sqlite3_busy_timeout(second, 10000);
    return 0;
}

static int end(void **state) {
    (void)state;
    char command[64];
    sqlite3_close(first);
    sqlite3_close(second);
    sqlite3_close(lock);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* Each of ten tokens; every third out of the cache. With their sums. */
static void fill(int calls, const char *facts) {
    char sql[512];
    for (int i = 0; i < calls; i++) {
        const bool hit = i % 3 == 0;
        snprintf(sql, sizeof sql,
                 "INSERT INTO call (call_id, status, started, model, cache_hit, prompt_tokens, completion_tokens) "
                 "VALUES ('c%d', 'success', 1, 'm', %d, 9, 1);"
                 "INSERT INTO cost (call_id, offset, pico_dollars, source, price_model, saved, breakdown, facts) VALUES"
                 " ('c%d', %d, %s, %s, 'm', %s, %s, %s)",
                 i, hit, i, i + 1, hit ? "0" : "10", hit ? "'cache'" : "'table'", hit ? "10" : "NULL",
                 hit ? "NULL" : "'{\"input\":[9,1],\"output\":[1,1]}'", facts);
        run(lock, sql);
    }
    run(lock, "INSERT INTO spend SELECT 'all', '', 0, count(*), 0, 0, count(*), 0, 0, 0, 0, sum(pico_dollars), "
              "sum(saved), 0 FROM cost");
}

static void ignore(const char *model, const cost_stored *before, const cost_row *now, bool changed, void *ctx) {
    (void)model, (void)before, (void)now, (void)changed, (void)ctx;
}

static void recost(sqlite3 *database) {
    steno_prices *prices;
    steno_error error = {0};
    const recost_query all = {.since = -INFINITY, .until = INFINITY};
    assert_int_equal(steno_prices_open(dir, &prices, &error), STENO_OK);
    if (recost_run(database, prices, &all, ignore, NULL, &left, &error)) fail_msg("%s", error.message);
    steno_prices_free(prices);
}

/* The first run has read its calls, and waits to write: the second does all of it. */
static int let_second(void *ctx, int tries) {
    (void)ctx;
    assert_int_equal(tries, 0);
    run(lock, "COMMIT");
    recost(second);
    return 1;
}

static void check_sums(void) {
    assert_int_equal(
        ask("SELECT (SELECT sum(pico_dollars) FROM spend WHERE kind = 'all') - (SELECT sum(pico_dollars) FROM cost)"),
        0);
    assert_int_equal(ask("SELECT (SELECT sum(saved) FROM spend WHERE kind = 'all') - (SELECT sum(saved) FROM cost)"),
                     0);
}

static void two_runs_at_once_change_each_call_once(void **state) {
    (void)state;
    set_price(1);
    fill(9, "NULL");
    recost(second);
    assert_int_equal(ask("SELECT count(*) FROM recost"), 0);
    set_price(7);
    run(lock, "BEGIN IMMEDIATE");
    sqlite3_busy_handler(first, let_second, NULL);
    recost(first);
    assert_int_equal(ask("SELECT sum(pico_dollars) FROM cost"), 6 * 70);
    assert_int_equal(ask("SELECT sum(saved) FROM cost"), 3 * 70);
    assert_int_equal(ask("SELECT count(*) FROM cost_old"), 9);
    assert_int_equal(ask("SELECT sum(changed) FROM recost"), 9);
    check_sums();
}

static void calls_of_a_log_of_version_4_are_priced_again(void **state) {
    (void)state;
    run(lock, "DROP TABLE budget_alert; DROP TABLE cost_old; DROP TABLE recost; PRAGMA user_version = 4");
    set_price(7);
    fill(9, "'{\"usage\":{\"prompt_audio_tokens\":4}}'");
    run(lock, migration_005);
    run(lock, migration_006);
    recost(second);
    assert_int_equal(left, 0);
    assert_int_equal(ask("SELECT sum(pico_dollars) FROM cost"), 6 * 70);
    assert_int_equal(ask("SELECT count(*) FROM cost WHERE json_extract(breakdown, '$.input_audio[0]') = 4"), 6);
    assert_int_equal(ask("SELECT sum(pico_dollars) FROM cost_old"), 6 * 10);
    check_sums();
}

/* Whatever they are priced by: a service tier, audio, a search may have been forgotten. */
static void calls_whose_facts_were_not_kept_stay_as_they_are(void **state) {
    (void)state;
    set_price(7);
    fill(9, "'{\"not_kept\":true}'");
    run(lock,
        "UPDATE cost SET breakdown = NULL; UPDATE cost SET source = 'unknown', pico_dollars = NULL WHERE offset = 2;"
        "UPDATE cost SET facts = NULL WHERE offset = 3; UPDATE spend SET pico_dollars = pico_dollars - 10");
    recost(second);
    assert_int_equal(left, 9);
    assert_int_equal(ask("SELECT sum(pico_dollars) FROM cost"), 5 * 10);
    assert_int_equal(ask("SELECT count(*) FROM recost"), 0);
    check_sums();
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(two_runs_at_once_change_each_call_once),
        TEST(calls_of_a_log_of_version_4_are_priced_again),
        TEST(calls_whose_facts_were_not_kept_stay_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
