/* The order matters: decide, then refuse further calls, then tell. */
#include "subscribers/cost_budgets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/identity.h"
#include "subscribers/budget_publish.h"
#include "subscribers/budget_stops.h"
#include "subscribers/clock.h"

#define PROGRAM "steno-cost"

/* What can be wrong, each told when it begins and when it ends. */
typedef enum trouble { DEFINITIONS, FIGURES, STOPS, ALERTS, TROUBLES } trouble;

struct cost_budgets {
    budget_watch *watch;
    budget_stops *stops;
    budget_publish *publish;
    int64_t look_at;
    bool unpublished; /* there may be alerts to publish */
    bool told[TROUBLES];
};

static const char *const trouble_names[TROUBLES] = {"budgets as they were before", "budgets wait",
                                                    "calls are not refused, or go on to be", "alerts of budgets wait"};

static void tell(cost_budgets *self, trouble which, const char *why) {
    if (why && !self->told[which]) fprintf(stderr, PROGRAM ": %s: %s\n", trouble_names[which], why);
    if (!why && self->told[which]) fprintf(stderr, PROGRAM ": no longer: %s\n", trouble_names[which]);
    self->told[which] = why;
}

steno_status cost_budgets_new(const place *where, const char *dir, cost_budgets **out, steno_error *error) {
    cost_budgets *self = calloc(1, sizeof *self);
    *out = NULL;
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for budgets");
    self->unpublished = true;
    steno_status status = budget_watch_new(where, &self->watch, error);
    if (!status) status = budget_stops_new(where, &self->stops, error);
    if (!status) status = budget_publish_new(dir, &self->publish, error);
    if (status)
        cost_budgets_free(self);
    else
        *out = self;
    return status;
}

void cost_budgets_free(cost_budgets *self) {
    if (!self) return;
    budget_publish_free(self->publish);
    budget_stops_free(self->stops);
    budget_watch_free(self->watch);
    free(self);
}

budget_watch *cost_budgets_watch(cost_budgets *self) { return self->watch; }

/* Definitions, periods, figures. False: what there is may be incomplete. */
static bool look(cost_budgets *self, cost_log *log) {
    steno_error error = {0};
    bool due;
    const int code = budget_watch_look(self->watch, identity_now(), &due);
    tell(self, DEFINITIONS, budget_watch_problem(self->watch));
    if (code) {
        tell(self, FIGURES, sqlite3_errmsg(cost_log_database(log)));
        return false;
    }
    const bool decided = !due || !cost_log_decide(log, &error);
    tell(self, FIGURES, decided ? NULL : error.message);
    self->unpublished = self->unpublished || cost_log_decided(log) > 0;
    return decided;
}

static void refuse_calls(cost_budgets *self) {
    steno_error error = {0};
    tell(self, STOPS, budget_stops_write(self->stops, self->watch, identity_now(), &error) ? error.message : NULL);
}

static void publish(cost_budgets *self, cost_log *log) {
    steno_error error = {0};
    const steno_status status = budget_publish_run(self->publish, cost_log_database(log), &error);
    self->unpublished = status != STENO_OK;
    if (status != STENO_TIMEOUT) tell(self, ALERTS, status ? error.message : NULL);
}

void cost_budgets_run(cost_budgets *self, cost_log *log, bool wrote) {
    const bool due = clock_until(self->look_at) == 0, decided = wrote && cost_log_decided(log) > 0;
    if (!due && !wrote) return;
    self->unpublished = self->unpublished || decided;
    if (due) self->look_at = clock_after(COST_BUDGETS_LOOK_MS);
    if (due && !look(self, log)) return;
    refuse_calls(self);
    if (self->unpublished && (due || decided)) publish(self, log);
}
