/* Alerts by id: the hash of what makes one the same as another. */
#include "subscribers/budget_alerts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

void budget_alert_id(const budget *what, budget_span span, unsigned threshold, char out[BUDGET_ALERT_ID_BYTES]) {
    char text[BUDGET_SCOPE_BYTES + 128];
    const int size = snprintf(text, sizeof text, "%s\n%s\n%" PRId64 "\n%" PRId64 "\n%u", what->scope,
                              budget_period_name(what->period), span.start, what->limit, threshold);
    const XXH128_hash_t hash = XXH3_128bits(text, (size_t)size);
    snprintf(out, BUDGET_ALERT_ID_BYTES, "alert-%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
             (uint64_t)hash.low64);
}

int budget_alerts_prepare(sqlite3 *database, sqlite3_stmt **decided, sqlite3_stmt **decide) {
    static const char DECIDED[] = "SELECT 1 FROM budget_alert WHERE id = ?1";
    static const char DECIDE[] =
        "INSERT INTO budget_alert (id, budget, scope, period, period_start, period_end, pico_limit, pico_spent,"
        " threshold, stop, decided) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING";
    const int code = sqlite3_prepare_v2(database, DECIDED, -1, decided, NULL);
    return code ? code : sqlite3_prepare_v2(database, DECIDE, -1, decide, NULL);
}

int budget_alerts_decided(sqlite3_stmt *decided, const budget *what, budget_span span, uint32_t *bits) {
    *bits = 0;
    int code = SQLITE_DONE;
    for (size_t i = 0; i < what->alerts_count && (code == SQLITE_DONE || code == SQLITE_ROW); i++) {
        char id[BUDGET_ALERT_ID_BYTES];
        budget_alert_id(what, span, what->alerts[i], id);
        sqlite3_bind_text(decided, 1, id, -1, SQLITE_TRANSIENT);
        code = sqlite3_step(decided);
        if (code == SQLITE_ROW) *bits |= 1u << i;
        sqlite3_reset(decided);
    }
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

int budget_alerts_decide(sqlite3_stmt *decide, const budget *what, budget_span span, int64_t spent, unsigned threshold,
                         double now) {
    char id[BUDGET_ALERT_ID_BYTES];
    budget_alert_id(what, span, threshold, id);
    sqlite3_clear_bindings(decide);
    sqlite3_bind_text(decide, 1, id, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(decide, 2, what->name, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(decide, 3, what->scope, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(decide, 4, budget_period_name(what->period), -1, SQLITE_STATIC);
    if (what->period != BUDGET_TOTAL) {
        sqlite3_bind_int64(decide, 5, span.start);
        sqlite3_bind_int64(decide, 6, span.end);
    }
    sqlite3_bind_int64(decide, 7, what->limit);
    sqlite3_bind_int64(decide, 8, spent);
    sqlite3_bind_int(decide, 9, (int)threshold);
    sqlite3_bind_int(decide, 10, what->stop);
    sqlite3_bind_double(decide, 11, now);
    const int code = sqlite3_step(decide);
    sqlite3_reset(decide);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}
