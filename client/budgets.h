/* Budgets that are used up, as steno-cost (or somebody else who watches over spending) writes them down in $STATE/budgets.json, by rename: {"stopped":
 * [{"scope": "user:alice", "period": "month", "limit_usd": 20, "spent_usd": 20.4, "until": 1798761600}, …]}. A call asks before each attempt; that costs
 * one stat(). Without the file nothing is refused.
 */
#ifndef CLIENT_BUDGETS_H
#define CLIENT_BUDGETS_H

#include <jansson.h>

#include "client/steno.h"
#include "schema/place.h"

#define BUDGETS_FILE "budgets.json"
/* Of the file, and of what is listed in it: more is not read. */
#define BUDGETS_BYTES_MAX (1u << 20)
#define BUDGETS_MAX 1000u

typedef struct budgets budgets;

/* Who spends. All borrowed; NULL: nobody of that kind. */
typedef struct budget_scope {
    const char *model, *provider, *app, *user;
    const json_t *tags; /* array of strings */
} budget_scope;

steno_status budgets_open(const place *where, budgets **out, steno_error *error);
void budgets_free(budgets *self);
/* STENO_FAILED, type BudgetExceeded and a message that names the budget, where the scope is in one that is used up. Thread-safe. */
steno_status budgets_check(budgets *self, const budget_scope *scope, steno_error *error);

#endif
