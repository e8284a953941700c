/* $STATE/budgets.json, which clients with keep_budgets read before each attempt (client/budgets.h): the scopes that are used up. Written by rename, where
 * that list changes. Invariant: a list that others wrote is left alone while no budget with a stop is defined.
 */
#ifndef SUBSCRIBERS_BUDGET_STOPS_H
#define SUBSCRIBERS_BUDGET_STOPS_H

#include "schema/error.h"
#include "subscribers/budget_watch.h"

typedef struct budget_stops budget_stops;

steno_status budget_stops_new(const place *where, budget_stops **out, steno_error *error);
void budget_stops_free(budget_stops *self);
/* Brings the file up to date, if it is not. STENO_SYSTEM, STENO_NO_MEMORY: it is as it was. */
steno_status budget_stops_write(budget_stops *self, const budget_watch *watch, double now, steno_error *error);

#endif
