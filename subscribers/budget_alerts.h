/* Table `budget_alert`: a row is a threshold that was reached in a period. Rows are made in the transaction of the costs that reach them. */
#ifndef SUBSCRIBERS_BUDGET_ALERTS_H
#define SUBSCRIBERS_BUDGET_ALERTS_H

#include <sqlite3.h>

#include "schema/budget.h"

/* "alert-" and 32 hex digits, and its NUL. */
#define BUDGET_ALERT_ID_BYTES 39

/* The same threshold of the same limit, scope and period has the same id, whoever computes it, and whatever the budget is called. */
void budget_alert_id(const budget *what, budget_span span, unsigned threshold, char out[BUDGET_ALERT_ID_BYTES]);
/* The statements of the two below; owned by the caller. SQLite's code. */
int budget_alerts_prepare(sqlite3 *database, sqlite3_stmt **decided, sqlite3_stmt **decide);
/* Which of the budget's thresholds have a row, a bit each. SQLite's code. */
int budget_alerts_decided(sqlite3_stmt *decided, const budget *what, budget_span span, uint32_t *bits);
/* Makes a row, where there is none. SQLite's code. */
int budget_alerts_decide(sqlite3_stmt *decide, const budget *what, budget_span span, int64_t spent, unsigned threshold,
                         double now);

#endif
