/* steno cost: what calls cost, by whatever they are told apart by. What has no known price is counted, never taken for $0. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cost_table.h"
#include "cli/database.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/since.h"
#include "cli/verbs.h"
#include "schema/identity.h"

/* steno-cost prices a call within a tenth of a second: who waits for longer than this may wait in vain. */
#define WAITING_SECONDS_FINE 5.0

struct cost {
    cost_query query;
    bool json, csv;
};

#define ONLY(dimension) OPTION_TEXT, offsetof(struct cost, query.only[dimension]), 0

static const option_spec options[] = {
    {'b', "by", "model|provider|app|user|tag|day|week|month|session", OPTION_CHOICE, offsetof(struct cost, query.by), 0,
     "one row for each (model)"},
    {0, "since", "TIME", OPTION_SINCE, offsetof(struct cost, query.since), 0, "only calls that started then or later"},
    {0, "until", "TIME", OPTION_SINCE, offsetof(struct cost, query.until), 0, "only calls that started before then"},
    {'m', "model", "NAME", ONLY(COST_MODEL), "only calls of this model"},
    {'p', "provider", "NAME", ONLY(COST_PROVIDER), "… of this provider"},
    {'a', "app", "NAME", ONLY(COST_APP), "… of this app"},
    {'u', "user", "NAME", ONLY(COST_USER), "… on behalf of this user"},
    {'t', "tag", "NAME", ONLY(COST_TAG), "… with this tag"},
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct cost, json), 0, "one JSON array of objects, one row each"},
    {0, "csv", NULL, OPTION_FLAG, offsetof(struct cost, csv), 0, "CSV with a header; money to its last digit"},
};

static const command self = {
    .name = "cost",
    .about = "Sums up calls, tokens and what they cost",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .notes =
        "TIME: " SINCE_FORMS "\n"
        "Days, weeks (which begin on Monday) and months are local. A call with several tags counts for each of them, "
        "and\n"
        "once in the total. Calls that are under way are not among them. NAME may be '': those without one.\n"
        "UNPRICED calls have no known price or usage: their cost is not in the sum, and a row of nothing else has "
        "none.\n"
        "SAVED is what answers from the cache would have cost, REPORTED what providers themselves say it was, and\n"
        "ESTIMATED calls are priced by estimated tokens. --by month tells in JSON and CSV what the month under way "
        "will\n"
        "have cost at this pace. JSON and CSV have no total.\n",
};

static void release(cost_report *found) {
    cost_sums_release(&found->rows);
    cost_sums_release(&found->unpriced);
}

/* ---- reading ---- */

static int read_one(sqlite3 *database, const cost_query *query, cost_sum *out) {
    cleanup(cost_sums_release) cost_sums all = {0};
    const int failed = cost_sums_read(database, query, &all);
    if (!failed) *out = cost_sums_total(&all);
    return failed;
}

/* By tag a call may be in several rows. Elsewhere the rows are all there is to add up. */
static int read_total(sqlite3 *database, const cost_query *query, cost_report *out) {
    out->total = cost_sums_total(&out->rows);
    if (strcmp(query->by, "tag") != 0) return EXIT_FINE;
    cost_query all = *query;
    all.by = NULL;
    return read_one(database, &all, &out->total);
}

static int read_unpriced(sqlite3 *database, const cost_query *query, cost_report *out) {
    cost_query models = *query;
    if (out->total.unpriced == 0 || strcmp(query->by, "model") == 0) return EXIT_FINE;
    models.by = "model";
    models.unpriced_alone = true;
    return cost_sums_read(database, &models, &out->unpriced);
}

static int read_month(sqlite3 *database, const cost_query *query, cost_report *out) {
    cost_query month = *query;
    out->has_month = calendar_month_of(out->now, &out->month);
    if (!out->has_month) return EXIT_FINE;
    month.by = NULL;
    month.since = out->month.start;
    month.until = INFINITY;
    return read_one(database, &month, &out->this_month);
}

/* Calls that the sums should have and have not, in a line on standard error. */
static int tell_waiting(sqlite3 *database, const cost_query *query, double now) {
    cost_waiting waiting = {0};
    const int failed = cost_waiting_read(database, query->since, query->until, now, &waiting);
    if (failed || waiting.calls == 0) return failed;
    program_fail("%s%" PRId64 " %s not priced yet%s", waiting.more ? "at least " : "", waiting.calls,
                 waiting.calls == 1 ? "call is" : "calls are",
                 waiting.longest > WAITING_SECONDS_FINE ? ": is steno-cost running?" : "");
    return EXIT_FINE;
}

/* Everything that is shown, as it was at one moment. */
static int read_all(const struct cost *wanted, cost_report *out) {
    const cost_query *query = &wanted->query;
    const bool table = !wanted->json && !wanted->csv;
    cleanup(database_close) sqlite3 *database = NULL;
    int failed = database_open(NULL, &database);
    if (!failed) failed = database_begin(database);
    if (!failed) failed = cost_sums_read(database, query, &out->rows);
    if (!failed) failed = tell_waiting(database, query, out->now);
    if (!failed && table) failed = read_total(database, query, out);
    if (!failed && table) failed = read_unpriced(database, query, out);
    if (!failed && (table || strcmp(query->by, "month") == 0)) failed = read_month(database, query, out);
    return failed;
}

/* ---- for programs ---- */

static json_t *money_json(money sum) { return json_real(money_dollars(sum)); }

static json_t *row_json(const char *by, const cost_sum *row) {
    return json_pack("{s:s?, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:o, s:I, s:o}", by, row->name, "calls",
                     (json_int_t)row->calls, "failures", (json_int_t)row->failures, "prompt_tokens",
                     (json_int_t)row->prompt_tokens, "cached_tokens", (json_int_t)row->cached_tokens,
                     "completion_tokens", (json_int_t)row->completion_tokens, "cost_usd",
                     cost_known(row) ? money_json(row->cost) : json_null(), "unpriced_calls", (json_int_t)row->unpriced,
                     "saved_usd", money_json(row->saved), "estimated_calls", (json_int_t)row->estimated, "reported_usd",
                     money_json(row->reported));
}

/* The row is the month under way, all of it, and old enough: what it will have cost. */
static bool projected(const cost_report *found, const cost_query *query, const cost_sum *row, double *dollars) {
    return row->name && strcmp(found->by, "month") == 0 && strcmp(row->name, found->month.name) == 0 &&
           query->since <= found->month.start && query->until >= found->now && cost_projected(found, dollars);
}

static int print_json(const cost_report *found, const cost_query *query) {
    struct report array;
    int failed = EXIT_FINE;
    report_begin(&array, stdout);
    for (size_t i = 0; !failed && i < found->rows.count; i++) {
        const cost_sum *row = &found->rows.rows[i];
        json_t *object = row_json(found->by, row);
        double dollars;
        if (strcmp(found->by, "month") == 0)
            json_object_set_new(object, "projected_usd",
                                projected(found, query, row, &dollars) ? json_real(dollars) : json_null());
        failed = report_row(&array, object);
    }
    report_end(&array);
    return failed;
}

static void put_money(money sum) {
    char text[MONEY_BYTES];
    money_decimal(sum, text);
    fputs(text, stdout);
}

static int print_csv(const cost_report *found, const cost_query *query) {
    const bool month = strcmp(found->by, "month") == 0;
    printf("%s,calls,failures,prompt_tokens,cached_tokens,completion_tokens,cost_usd,unpriced_calls,saved_usd,"
           "estimated_calls,"
           "reported_usd%s\r\n",
           found->by, month ? ",projected_usd" : "");
    for (size_t i = 0; i < found->rows.count; i++) {
        const cost_sum *row = &found->rows.rows[i];
        double dollars;
        report_csv_field(stdout, row->name ? row->name : "", row->name ? strlen(row->name) : 0, 1);
        printf(",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",", row->calls, row->failures,
               row->prompt_tokens, row->cached_tokens, row->completion_tokens);
        if (cost_known(row)) put_money(row->cost);
        printf(",%" PRId64 ",", row->unpriced);
        put_money(row->saved);
        printf(",%" PRId64 ",", row->estimated);
        put_money(row->reported);
        if (month) putchar(',');
        if (projected(found, query, row, &dollars)) printf("%.15g", dollars);
        report_csv_end(stdout);
    }
    return EXIT_FINE;
}

int cost_run(int argc, char **argv) {
    struct cost wanted = {.query = {.by = "model", .since = -INFINITY, .until = INFINITY}};
    char **arguments;
    int status = options_parse(&self, argc, argv, &wanted, &arguments);
    if (status != OPTIONS_GO) return status;
    if (wanted.json && wanted.csv) return options_fail(&self, "--json and --csv: only one of them");
    if (!(wanted.query.since < wanted.query.until))
        return options_fail(&self, "--until is not after --since: no call can be between them");
    cleanup(release) cost_report found = {.by = wanted.query.by, .now = identity_now()};
    status = read_all(&wanted, &found);
    if (status) return status;
    if (wanted.json) return print_json(&found, &wanted.query);
    if (wanted.csv) return print_csv(&found, &wanted.query);
    status = cost_table_print(&found);
    if (!status) cost_footer_print(&found);
    return status;
}
