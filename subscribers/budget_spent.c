/* Sums of `spend`, in two halves: together they may be beyond 64 bits. */
#include "subscribers/budget_spent.h"

#define SLOT_SECONDS 900
#define HALF 1000000

static const char SPENT[] = "SELECT coalesce(sum(pico_dollars / 1000000), 0), coalesce(sum(pico_dollars % 1000000), 0),"
                            " coalesce(sum(unpriced), 0), coalesce(sum(estimated), 0)"
                            " FROM spend WHERE kind = ?1 AND name = ?2 AND slot >= ?3 AND slot < ?4";

int budget_spent_prepare(sqlite3 *database, sqlite3_stmt **out) {
    return sqlite3_prepare_v2(database, SPENT, -1, out, NULL);
}

int budget_spent(sqlite3_stmt *statement, const char *scope, budget_span span, budget_sum *out) {
    char kind[BUDGET_KIND_BYTES];
    const char *name = budget_scope_name(scope, kind);
    sqlite3_bind_text(statement, 1, kind, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(statement, 2, name, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(statement, 3, span.start / SLOT_SECONDS);
    sqlite3_bind_int64(statement, 4, span.end / SLOT_SECONDS);
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const __int128 whole = (__int128)sqlite3_column_int64(statement, 0) * HALF + sqlite3_column_int64(statement, 1);
        *out = (budget_sum){.pico_dollars = whole > INT64_MAX ? INT64_MAX : (int64_t)whole,
                            .unpriced = sqlite3_column_int64(statement, 2),
                            .estimated = sqlite3_column_int64(statement, 3)};
    }
    sqlite3_reset(statement);
    return code == SQLITE_ROW ? SQLITE_OK : code;
}
