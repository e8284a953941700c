/* steno recost: prices calls again after prices have changed, out of what the log keeps, and tells the difference by model. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/database.h"
#include "cli/format.h"
#include "cli/money.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/since.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "subscribers/recost.h"

/* The daemon's transactions take milliseconds; this is for a machine that was asleep. */
#define BUSY_TIMEOUT_MS 10000

struct recost {
    recost_query query;
    bool json;
};

static const option_spec options[] = {
    {0, "since", "TIME", OPTION_SINCE, offsetof(struct recost, query.since), 0,
     "only calls that started then or later"},
    {0, "until", "TIME", OPTION_SINCE, offsetof(struct recost, query.until), 0, "only calls that started before then"},
    {'m', "model", "NAME", OPTION_TEXT, offsetof(struct recost, query.model), 0, "only calls of this model"},
    {'n', "dry-run", NULL, OPTION_FLAG, offsetof(struct recost, query.dry_run), 0,
     "tell the difference, and change nothing"},
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct recost, json), 0, "one JSON array of objects, one a model"},
};

static const command self = {
    .name = "recost",
    .about = "Prices calls again, by the prices of today",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes = "TIME: " SINCE_FORMS "\n"
             "Calls are priced by what the log keeps of them, also those whose events have left the journal. What they "
             "cost before\n"
             "stays in table cost_old; sums and budgets follow. It may run beside everything else, and again after it "
             "was cut off.\n",
};

/* What it comes to for one model. */
typedef struct model_sum {
    char *name;                               /* owned; NULL: the calls have none */
    int64_t calls, changed, priced, unpriced; /* of the changed: those that have a figure now, or have none any more */
    money before, now;
} model_sum;

typedef struct sums {
    model_sum *rows;
    size_t count;
    json_t *places; /* name → place in rows */
    bool no_memory;
} sums;

static void release_sums(sums *all) {
    for (size_t i = 0; i < all->count; i++) free(all->rows[i].name);
    free(all->rows);
    json_decref(all->places);
}

/* The sums of that model; NULL when memory is short. */
static model_sum *sum_of(sums *all, const char *model) {
    char key[512];
    snprintf(key, sizeof key, "%s%s", model ? "m" : "", model ? model : "");
    const json_t *at = json_object_get(all->places, key);
    if (at) return &all->rows[json_integer_value(at)];
    model_sum *grown = reallocarray(all->rows, all->count + 1, sizeof *grown);
    if (!grown) return NULL;
    all->rows = grown;
    grown[all->count] = (model_sum){.name = model ? strdup(model) : NULL};
    if (json_object_set_new_nocheck(all->places, key, json_integer((json_int_t)all->count))) return NULL;
    return &grown[all->count++];
}

static void on_call(const char *model, const cost_stored *before, const cost_row *now, bool changed, void *ctx) {
    sums *all = ctx;
    model_sum *sum = sum_of(all, model);
    all->no_memory = all->no_memory || !sum;
    if (!sum) return;
    const money old = money_of(0, before->known ? before->pico_dollars : 0);
    sum->calls++;
    sum->changed += changed;
    sum->priced += changed && now->known && !before->known;
    sum->unpriced += changed && !now->known && before->known;
    sum->before = money_add(sum->before, old);
    sum->now = money_add(sum->now, changed ? money_of(0, now->known ? now->pico_dollars : 0) : old);
}

static money money_minus(money a, money b) {
    money out = {a.dollars - b.dollars, a.pico - b.pico};
    if (out.pico < 0) {
        out.pico += INT64_C(1000000000000);
        out.dollars--;
    }
    return out;
}

static int by_difference(const void *a, const void *b) {
    const model_sum *left = a, *right = b;
    const double more = fabs(money_dollars(money_minus(left->now, left->before))),
                 less = fabs(money_dollars(money_minus(right->now, right->before)));
    if (more != less) return more < less ? 1 : -1;
    return strcmp(left->name ? left->name : "", right->name ? right->name : "");
}

static json_t *exact(money sum) { return json_real(money_dollars(sum)); }

static int print_json(const sums *all) {
    struct report array;
    int failed = EXIT_FINE;
    report_begin(&array, stdout);
    for (size_t i = 0; i < all->count && !failed; i++) {
        const model_sum *row = &all->rows[i];
        failed =
            report_row(&array, json_pack("{s:s?, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "model", row->name, "calls",
                                         (json_int_t)row->calls, "changed", (json_int_t)row->changed, "newly_priced",
                                         (json_int_t)row->priced, "newly_unpriced", (json_int_t)row->unpriced,
                                         "before_usd", exact(row->before), "now_usd", exact(row->now), "difference_usd",
                                         exact(money_minus(row->now, row->before))));
    }
    report_end(&array);
    return failed;
}

CLEANUP_FUNCTION(table_release, table, table_free)

static void money_cell(table *grid, size_t column, money sum, const char *sign) {
    char text[FORMAT_BYTES], whole[FORMAT_BYTES + 2];
    format_money(money_pico(sum), text);
    snprintf(whole, sizeof whole, "%s%s", sign, text);
    table_cell(grid, column, whole, TONE_PLAIN);
}

static void print_row(table *grid, const model_sum *row, const char *name) {
    size_t column = 0;
    table_row(grid);
    table_cell(grid, column++, name ? name : "(none)", name ? TONE_PLAIN : TONE_DIM);
    table_count(grid, column++, row->calls);
    table_count(grid, column++, row->changed);
    money_cell(grid, column++, row->before, "");
    money_cell(grid, column++, row->now, "");
    const int order = money_compare(row->now, row->before);
    if (order > 0) money_cell(grid, column, money_minus(row->now, row->before), "+");
    if (order < 0) money_cell(grid, column, money_minus(row->before, row->now), "-");
}

static int print_table(const sums *all, const struct recost *wanted, int64_t left) {
    cleanup(table_release) table *grid = table_new();
    if (!grid) return program_fail("out of memory");
    static const char *const names[] = {"MODEL", "CALLS", "CHANGED", "BEFORE", "NOW", "DIFFERENCE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) table_column(grid, names[i], i ? TABLE_RIGHT : TABLE_CUT);
    model_sum total = {0};
    for (size_t i = 0; i < all->count; i++) {
        const model_sum *row = &all->rows[i];
        print_row(grid, row, row->name);
        total.calls += row->calls;
        total.changed += row->changed;
        total.priced += row->priced;
        total.unpriced += row->unpriced;
        total.before = money_add(total.before, row->before);
        total.now = money_add(total.now, row->now);
    }
    if (all->count != 1) print_row(grid, &total, "total");
    const int failed = table_print(grid);
    if (failed) return failed;
    if (total.priced) printf("%" PRId64 " of them had no figure before.\n", total.priced);
    if (total.unpriced) printf("%" PRId64 " of them have no figure any more.\n", total.unpriced);
    if (left)
        printf("%" PRId64 " were left as they are: the Steno that priced them did not keep what this takes.\n", left);
    if (wanted->query.dry_run)
        puts("Nothing was changed: --dry-run.");
    else if (total.changed)
        puts("What they cost before is in table cost_old.");
    return EXIT_FINE;
}

/* The log, for writing. */
static int open_log(sqlite3 **out) {
    place where;
    cleanup(database_close) sqlite3 *reading = NULL, *database = NULL;
    int failed = database_open(&where, &reading); /* it says what is wrong with a log */
    if (failed) return failed;
    if (sqlite3_open_v2(where.log, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ||
        sqlite3_exec(database, "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0", NULL, NULL, NULL))
        return program_fail("%s: cannot write the log: %s", where.log, sqlite3_errmsg(database));
    sqlite3_busy_timeout(database, BUSY_TIMEOUT_MS);
    *out = database;
    database = NULL;
    return EXIT_FINE;
}

CLEANUP_FUNCTION(clean_prices, steno_prices, steno_prices_free)

/* A damaged price file would have calls priced by others: that is no time to change what was written down. */
static int open_prices(steno_prices **out) {
    steno_error error;
    if (steno_prices_open(NULL, out, &error) || steno_prices_problem(*out, &error))
        return program_fail("%s", error.message);
    return EXIT_FINE;
}

int recost_verb_run(int argc, char **argv) {
    struct recost wanted = {.query = {.since = -INFINITY, .until = INFINITY}};
    char **arguments;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    if (!(wanted.query.since < wanted.query.until))
        return options_fail(&self, "--until is not after --since: no call can be between them");
    cleanup(database_close) sqlite3 *database = NULL;
    cleanup(clean_prices) steno_prices *prices = NULL;
    cleanup(release_sums) sums found = {.places = json_object()};
    int64_t left;
    steno_error error = {0};
    if (!found.places) return program_fail("out of memory");
    status = open_prices(&prices);
    if (!status) status = open_log(&database);
    if (status) return status;
    status = recost_run(database, prices, &wanted.query, on_call, &found, &left, &error)
                 ? program_fail("%s", error.message)
                 : EXIT_FINE;
    if (found.no_memory) return program_fail("out of memory");
    if (found.count) qsort(found.rows, found.count, sizeof *found.rows, by_difference);
    const int printed = wanted.json ? print_json(&found) : print_table(&found, &wanted, left);
    return status ? status : printed;
}
