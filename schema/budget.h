/* Budgets, as sections [budget NAME] of stenod.ini and budgets.ini define them: what a section says, and when its periods begin and end. Pure functions.
 * Invariant: a budget that budget_complete accepts can be written down and read again as the same.
 */
#ifndef SCHEMA_BUDGET_H
#define SCHEMA_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A section's name is "budget ", and then that of the budget: 1 to 64 of A-Z a-z 0-9 _ . - */
#define BUDGET_SECTION "budget "
#define BUDGET_NAME_BYTES 65
/* "user:" and a name; a line of a configuration has 200 bytes. */
#define BUDGET_SCOPE_BYTES 161
#define BUDGET_KIND_BYTES 16
/* Thresholds of one budget, in per cent of its limit. */
#define BUDGET_ALERTS_MAX 16
#define BUDGET_PER_CENT_MAX 1000
/* What 64 bits of pico-dollars hold, and some room. */
#define BUDGET_DOLLARS_MAX 9000000
#define BUDGET_PICO_PER_DOLLAR INT64_C(1000000000000)
#define BUDGET_DOLLARS_BYTES 32
#define BUDGET_WHY_BYTES 256
/* Budgets of one Steno folder, in both files together; each that is used up is looked at before each call. */
#define BUDGETS_DEFINED_MAX 1000

typedef enum budget_period {
    BUDGET_HOUR,
    BUDGET_DAY,
    BUDGET_WEEK, /* from Monday on */
    BUDGET_MONTH,
    BUDGET_TOTAL, /* without an end */
    BUDGET_PERIODS
} budget_period;

typedef struct budget {
    char name[BUDGET_NAME_BYTES];
    char scope[BUDGET_SCOPE_BYTES]; /* "all", or "user:alice", "tag:…", "app:…", "model:…", "provider:…" */
    int64_t limit;                  /* pico-dollars, above 0 */
    budget_period period;
    bool stop;                          /* calls are refused once the limit is reached */
    uint16_t alerts[BUDGET_ALERTS_MAX]; /* per cent, rising */
    size_t alerts_count;
    unsigned seen;   /* the keys that were given, a bit each */
    bool by_command; /* it is of budgets.ini, which `steno budget` writes */
} budget;

/* A budget of that name with what holds where a section says nothing: per month, no stop, alerts at 50, 80 and 100. */
budget budget_new(const char *name);
bool budget_name_valid(const char *name);
/* Takes `key = value` of its section. False, and why: there is no such key, it was given before, or the value is none. */
bool budget_set(budget *self, const char *key, const char *value, char why[BUDGET_WHY_BYTES]);
/* Whether all is there that must be. */
bool budget_complete(const budget *self, char why[BUDGET_WHY_BYTES]);
/* The scope in two: "user", and "alice", borrowed from it; of "all", "all" and "". */
const char *budget_scope_name(const char *scope, char kind[BUDGET_KIND_BYTES]);
/* "hour", "day", … */
const char *budget_period_name(budget_period period);
/* An amount with all of its digits and none too many: "20", "0.5". */
void budget_dollars(int64_t pico_dollars, char out[BUDGET_DOLLARS_BYTES]);
/* Whether so much is `per_cent` of the limit, or more. */
bool budget_reached(const budget *self, int64_t spent, unsigned per_cent);

/* One period: from `start` up to `end`, Unix seconds. */
typedef struct budget_span {
    int64_t start;
    int64_t end; /* INT64_MAX: never */
} budget_span;

/* The period that a moment is in, by local time. Its ends are multiples of 900 s, as all time zones are. */
budget_span budget_span_of(budget_period period, int64_t time);

#endif
