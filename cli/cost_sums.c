/* Sums over `spend`, and over `call` and `cost` where the roll-ups do not reach. The SQL is put together of fixed parts; every value is bound. */
#include "cli/cost_sums.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/database.h"
#include "cli/program.h"
#include "cli/text.h"

/* Seconds of one row of `spend`. */
#define SLOT 900.0
/* Slots that no call can be in, and that still fit a 64-bit integer. */
#define SLOT_MAX 1e15
/* Events of the journal that are looked at for calls which wait for steno-cost: what can be read in a few hundredths of a second. */
#define WAITING_EVENTS_MAX 10000

/* A range of `spend`, and what is left of the time on either side of it. */
typedef struct reach {
    bool whole; /* there is such a range: [first, end) */
    int64_t first, end;
    struct {
        double since, until;
    } ragged[2];
    size_t ragged_count;
} reach;

#define TAG(row) "CAST(coalesce(" row ".value, '') AS TEXT)"
/* A call's tags, one a row, each once; one row of NULL where it has none. */
#define TAGS                                                                                                          \
    "LEFT JOIN json_each(CASE WHEN json_valid(call.tags) THEN call.tags END) AS tag "                                 \
    "ON NOT EXISTS (SELECT 1 FROM json_each(call.tags) AS other WHERE other.id < tag.id AND " TAG("other") " = " TAG( \
        "tag") ")"

static const struct dimension {
    const char *name;
    const char *only;    /* the parameter that has the name which is asked for */
    const char *of_call; /* what a call is in it, in SQL; of tags, one of them */
} dimensions[COST_DIMENSIONS] = {
    [COST_MODEL] = {"model", ":model", "coalesce(call.model, '')"},
    [COST_PROVIDER] = {"provider", ":provider", "coalesce(call.provider, '')"},
    [COST_APP] = {"app", ":app", "coalesce(call.app, '')"},
    [COST_USER] = {"user", ":user", "coalesce(call.user, '')"},
    [COST_TAG] = {"tag", ":tag", TAG("tag")},
};
/* Local days, weeks (which begin on Monday) and months of the quarter of an hour in which a call started. */
static const struct period {
    const char *name;
    const char *of_spend, *of_call;
} periods[] = {
#define QUARTER "CAST(call.started / 900 AS INTEGER) * 900, 'unixepoch', 'localtime'"
    {"day", "date(slot * 900, 'unixepoch', 'localtime')", "date(" QUARTER ")"},
    {"week", "date(slot * 900, 'unixepoch', 'localtime', 'weekday 0', '-6 days')",
     "date(" QUARTER ", 'weekday 0', '-6 days')"},
    {"month", "strftime('%Y-%m', slot * 900, 'unixepoch', 'localtime')", "strftime('%Y-%m', " QUARTER ")"},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct dimension *dimension_of(const char *by) {
    for (size_t i = 0; by && i < COST_DIMENSIONS; i++)
        if (strcmp(dimensions[i].name, by) == 0) return &dimensions[i];
    return NULL;
}

static const struct period *period_of(const char *by) {
    for (size_t i = 0; by && i < COUNT(periods); i++)
        if (strcmp(periods[i].name, by) == 0) return &periods[i];
    return NULL;
}

/* The kind of roll-up that has the answer, with *only the name in it that is meant (NULL: all); NULL: none has, only the calls do. */
static const char *kind_of(const cost_query *query, const char **only) {
    const struct dimension *filter = NULL, *by = dimension_of(query->by);
    *only = NULL;
    for (size_t i = 0; i < COST_DIMENSIONS; i++) {
        if (!query->only[i]) continue;
        if (filter) return NULL;
        filter = &dimensions[i];
        *only = query->only[i];
    }
    if (query->by && !by && !period_of(query->by)) return NULL;
    if (!filter) return by ? by->name : "all";
    return by && by != filter ? NULL : filter->name;
}

static reach reach_of(const cost_query *query, bool rolled_up) {
    reach out = {0};
    const double first = ceil(query->since / SLOT), end = floor(query->until / SLOT);
    out.whole = rolled_up && first < end;
    if (!out.whole) {
        out.ragged[out.ragged_count].since = query->since;
        out.ragged[out.ragged_count++].until = query->until;
        return out;
    }
    out.first = (int64_t)fmax(first, -SLOT_MAX);
    out.end = (int64_t)fmin(end, SLOT_MAX);
    if (query->since < first * SLOT) {
        out.ragged[out.ragged_count].since = query->since;
        out.ragged[out.ragged_count++].until = first * SLOT;
    }
    if (query->until > end * SLOT) {
        out.ragged[out.ragged_count].since = end * SLOT;
        out.ragged[out.ragged_count++].until = query->until;
    }
    return out;
}

/* ---- the SQL ---- */

/* Columns of the result, after the name: counts, then money. */
#define COUNTS 8
#define MONEYS 3

/* `careful`: also where the sums go beyond 64 bits, at the price of a slower query: money in two halves, counts without their last digits. */
static void put_sums(FILE *sql, const char *const counts[COUNTS], const char *const moneys[MONEYS], bool careful) {
    static const char *const names[] = {"calls",     "failures", "unpriced", "priced",
                                        "estimated", "prompt",   "cached",   "completion"};
    for (size_t i = 0; i < COUNTS; i++)
        fprintf(sql, careful ? ", CAST(total(%s) AS INTEGER) AS %s" : ", sum(%s) AS %s", counts[i], names[i]);
    for (size_t i = 0; i < MONEYS; i++)
        if (careful)
            fprintf(sql, ", sum((%s) / 1000000) AS millions_%zu, sum((%s) %% 1000000) AS ones_%zu", moneys[i], i,
                    moneys[i], i);
        else
            fprintf(sql, ", 0 AS millions_%zu, sum(%s) AS ones_%zu", i, moneys[i], i);
}

/* As steno-cost decides it: a call that failed before anything came has no cost that could be missing. */
static const char unpriced[] =
    "cost.pico_dollars IS NULL AND NOT (call.status = 'failure' AND call.prompt_tokens IS NULL AND "
    "call.completion_tokens IS NULL AND call.first_token IS NULL)";

/* What the rows are called by: of a roll-up, and of a call. */
static const char *name_of_spend(const char *by) {
    const struct period *period = period_of(by);
    if (period) return period->of_spend;
    return by ? "name" : "''";
}

static const char *name_of_call(const char *by) {
    const struct dimension *dimension = dimension_of(by);
    const struct period *period = period_of(by);
    if (dimension) return dimension->of_call;
    if (period) return period->of_call;
    return by ? "coalesce(call.session_id, '')" : "''";
}

static void put_of_spend(FILE *sql, const cost_query *query, const char *only, bool careful) {
    static const char *const counts[COUNTS] = {"calls",     "failures",      "unpriced",      "priced",
                                               "estimated", "prompt_tokens", "cached_tokens", "completion_tokens"};
    static const char *const moneys[MONEYS] = {"pico_dollars", "saved", "reported"};
    fprintf(sql, "SELECT %s AS name", name_of_spend(query->by));
    put_sums(sql, counts, moneys, careful);
    fprintf(sql, " FROM spend WHERE kind = :kind AND slot >= :first AND slot < :end%s%s GROUP BY 1",
            only ? " AND name = :only" : "", query->unpriced_alone ? " AND unpriced > 0" : "");
}

static void put_of_calls(FILE *sql, const cost_query *query, const reach *within, size_t part, bool careful) {
    static const char *const counts[COUNTS] = {"1",
                                               "call.status = 'failure'",
                                               unpriced,
                                               "cost.pico_dollars IS NOT NULL",
                                               "cost.source = 'estimated'",
                                               "coalesce(call.prompt_tokens, 0)",
                                               "coalesce(call.cached_tokens, 0)",
                                               "coalesce(call.completion_tokens, 0)"};
    static const char *const moneys[MONEYS] = {"coalesce(cost.pico_dollars, 0)", "coalesce(cost.saved, 0)",
                                               "coalesce(cost.reported, 0)"};
    const struct dimension *by = dimension_of(query->by);
    fprintf(sql, "SELECT %s AS name", name_of_call(query->by));
    put_sums(sql, counts, moneys, careful);
    /* CROSS: the calls first, by their time, and the cost of each. */
    fputs(" FROM call CROSS JOIN cost ON cost.call_id = call.call_id", sql);
    if (by == &dimensions[COST_TAG]) fputs(" " TAGS, sql);
    fputs(" WHERE true", sql);
    /* Without an end, no condition: the index would only be a detour. */
    if (isfinite(within->ragged[part].since)) fprintf(sql, " AND call.started >= :since_%zu", part);
    if (isfinite(within->ragged[part].until)) fprintf(sql, " AND call.started < :until_%zu", part);
    for (size_t i = 0; i < COST_DIMENSIONS; i++) {
        if (!query->only[i]) continue;
        const bool has = i == COST_TAG && by != &dimensions[COST_TAG];
        fprintf(sql, has ? " AND EXISTS (SELECT 1 FROM (SELECT 1) " TAGS " WHERE %s = %s)" : " AND %s = %s",
                dimensions[i].of_call, dimensions[i].only);
    }
    if (query->unpriced_alone) fprintf(sql, " AND %s", unpriced);
    fputs(" GROUP BY 1", sql);
}

/* The whole statement, owned by the caller; NULL when memory is short. */
static char *compose(const cost_query *query, const reach *within, const char *only, bool careful) {
    static const char *const counts[COUNTS] = {"calls",     "failures", "unpriced", "priced",
                                               "estimated", "prompt",   "cached",   "completion"};
    char *text = NULL;
    size_t size = 0;
    FILE *sql = open_memstream(&text, &size);
    if (!sql) return NULL;
    fputs("SELECT name", sql);
    for (size_t i = 0; i < COUNTS; i++) fprintf(sql, careful ? ", CAST(total(%s) AS INTEGER)" : ", sum(%s)", counts[i]);
    for (size_t i = 0; i < MONEYS; i++) fprintf(sql, ", sum(millions_%zu), sum(ones_%zu)", i, i);
    fputs(" FROM (", sql);
    if (within->whole) put_of_spend(sql, query, only, careful);
    for (size_t i = 0; i < within->ragged_count; i++) {
        if (within->whole || i) fputs(" UNION ALL ", sql);
        put_of_calls(sql, query, within, i, careful);
    }
    fputs(") GROUP BY 1 ORDER BY ", sql);
    fputs(period_of(query->by)    ? "1"
          : query->unpriced_alone ? "sum(unpriced) DESC, 1"
                                  : "sum(millions_0) * 1e6 + sum(ones_0) DESC, 2 DESC, 1",
          sql);
    if (fclose(sql) == 0) return text;
    free(text);
    return NULL;
}

/* ---- reading ---- */

/* The number of a parameter; 0, which sqlite3_bind_… passes over, where the statement has no use for it. */
static int at(sqlite3_stmt *statement, const char *parameter) {
    return sqlite3_bind_parameter_index(statement, parameter);
}

static void bind_all(sqlite3_stmt *statement, const cost_query *query, const reach *within, const char *kind,
                     const char *only) {
    static const char *const since[] = {":since_0", ":since_1"}, *const until[] = {":until_0", ":until_1"};
    sqlite3_bind_text(statement, at(statement, ":kind"), kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, at(statement, ":only"), only, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, at(statement, ":first"), within->first);
    sqlite3_bind_int64(statement, at(statement, ":end"), within->end);
    for (size_t i = 0; i < within->ragged_count; i++) {
        sqlite3_bind_double(statement, at(statement, since[i]), within->ragged[i].since);
        sqlite3_bind_double(statement, at(statement, until[i]), within->ragged[i].until);
    }
    for (size_t i = 0; i < COST_DIMENSIONS; i++)
        sqlite3_bind_text(statement, at(statement, dimensions[i].only), query->only[i], -1, SQLITE_STATIC);
}

static bool read_row(sqlite3_stmt *row, cost_sum *out) {
    const char *name = (const char *)sqlite3_column_text(row, 0);
    const bool named = name && *name;
    size_t size;
    *out = (cost_sum){.name = named ? text_utf8(name, (size_t)sqlite3_column_bytes(row, 0), &size) : NULL};
    int64_t *const counts[COUNTS] = {&out->calls,         &out->failures,         &out->unpriced,
                                     &out->priced,        &out->estimated,        &out->prompt_tokens,
                                     &out->cached_tokens, &out->completion_tokens};
    money *const moneys[MONEYS] = {&out->cost, &out->saved, &out->reported};
    int column = 1;
    for (size_t i = 0; i < COUNTS; i++) *counts[i] = sqlite3_column_int64(row, column++);
    for (size_t i = 0; i < MONEYS; i++, column += 2)
        *moneys[i] = money_of(sqlite3_column_int64(row, column), sqlite3_column_int64(row, column + 1));
    return out->name || !named;
}

static bool append(cost_sums *sums, size_t *capacity, sqlite3_stmt *row) {
    if (sums->count == *capacity) {
        const size_t wanted = *capacity ? 2 * *capacity : 64;
        cost_sum *grown = reallocarray(sums->rows, wanted, sizeof *grown);
        if (!grown) return false;
        sums->rows = grown;
        *capacity = wanted;
    }
    return read_row(row, &sums->rows[sums->count++]);
}

/* *overflowed: SQLite's sum() met a sum beyond 64 bits; nothing was told, and nothing is in *out. */
static int read_all(sqlite3 *database, const cost_query *query, bool careful, cost_sums *out, bool *overflowed) {
    const char *only, *kind = kind_of(query, &only);
    const reach within = reach_of(query, kind != NULL);
    cleanup_free char *sql = compose(query, &within, only, careful);
    if (!sql) return program_fail("out of memory");
    cleanup(database_finalize) sqlite3_stmt *statement = NULL;
    int failed = database_prepare(database, sql, &statement);
    if (failed) return failed;
    bind_all(statement, query, &within, kind, only);
    int code;
    size_t capacity = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        if (!append(out, &capacity, statement)) return program_fail("out of memory");
    *overflowed = code == SQLITE_ERROR && strcmp(sqlite3_errmsg(database), "integer overflow") == 0;
    return *overflowed ? EXIT_FINE : database_end(database, code);
}

int cost_sums_read(sqlite3 *database, const cost_query *query, cost_sums *out) {
    bool overflowed;
    *out = (cost_sums){0};
    int failed = read_all(database, query, false, out, &overflowed);
    if (failed || !overflowed) return failed;
    cost_sums_release(out);
    failed = read_all(database, query, true, out, &overflowed);
    return !failed && overflowed ? program_fail("reading the log: the sums go beyond every number") : failed;
}

void cost_sums_release(cost_sums *sums) {
    for (size_t i = 0; i < sums->count; i++) free(sums->rows[i].name);
    free(sums->rows);
    *sums = (cost_sums){0};
}

/* What providers report may be absurd: a sum stops at the end of its range. */
static void add(int64_t *sum, int64_t more) {
    if (__builtin_add_overflow(*sum, more, sum)) *sum = INT64_MAX;
}

cost_sum cost_sums_total(const cost_sums *sums) {
    cost_sum total = {0};
    for (size_t i = 0; i < sums->count; i++) {
        const cost_sum *row = &sums->rows[i];
        add(&total.calls, row->calls);
        add(&total.failures, row->failures);
        add(&total.unpriced, row->unpriced);
        add(&total.priced, row->priced);
        add(&total.estimated, row->estimated);
        add(&total.prompt_tokens, row->prompt_tokens);
        add(&total.cached_tokens, row->cached_tokens);
        add(&total.completion_tokens, row->completion_tokens);
        total.cost = money_add(total.cost, row->cost);
        total.saved = money_add(total.saved, row->saved);
        total.reported = money_add(total.reported, row->reported);
    }
    return total;
}

/* ---- what steno-cost has not come to ---- */

int cost_waiting_read(sqlite3 *database, double since, double until, double now, cost_waiting *out) {
    /* The newest part of the journal beyond steno-cost's cursor. A replayed call has its cost from before. */
    static const char sql[] =
        "WITH reach AS (SELECT max(offset) AS last, coalesce((SELECT offset FROM subscriber WHERE name = "
        "'steno-cost'), 0) AS cursor FROM event) "
        "SELECT count(DISTINCT event.call_id), min(event.stored), max(reach.last - reach.cursor > ?1) "
        "FROM reach CROSS JOIN event CROSS JOIN call ON call.call_id = event.call_id "
        "WHERE event.offset > max(reach.cursor, reach.last - ?1) AND event.event IN ('success', 'failure') "
        "AND call.started >= ?2 AND call.started < ?3 AND NOT EXISTS (SELECT 1 FROM cost WHERE cost.call_id = "
        "event.call_id)";
    cleanup(database_finalize) sqlite3_stmt *statement = NULL;
    const int failed = database_prepare(database, sql, &statement);
    if (failed) return failed;
    sqlite3_bind_int64(statement, 1, WAITING_EVENTS_MAX);
    sqlite3_bind_double(statement, 2, since);
    sqlite3_bind_double(statement, 3, until);
    const int code = sqlite3_step(statement);
    if (code != SQLITE_ROW) return database_end(database, code);
    *out = (cost_waiting){.calls = sqlite3_column_int64(statement, 0),
                          .longest = now - sqlite3_column_double(statement, 1),
                          .more = sqlite3_column_int(statement, 2) != 0};
    return EXIT_FINE;
}
