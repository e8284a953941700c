/* What calls came to: sums of calls, tokens and money by one dimension. Whole quarters of an hour are read from the roll-up table `spend`, only
 * the ragged ends of a time range from the calls themselves. Calls under way, and those that steno-cost has not come to, are in neither.
 */
#ifndef CLI_COST_SUMS_H
#define CLI_COST_SUMS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/money.h"

/* What calls can be told apart by, as the roll-ups have it. */
typedef enum cost_dimension {
    COST_MODEL,
    COST_PROVIDER,
    COST_APP,
    COST_USER,
    COST_TAG,
    COST_DIMENSIONS
} cost_dimension;

/* Which sums. Texts are borrowed. */
typedef struct cost_query {
    const char *by;      /* model, provider, app, user, tag, day, week, month, session; NULL: all in one */
    double since, until; /* calls that started from then on and before then, Unix seconds; may be infinite */
    const char *only[COST_DIMENSIONS]; /* calls of that name alone; "": without one; NULL: all */
    bool unpriced_alone; /* `unpriced` is all that is wanted of the rows, and only of those that have any */
} cost_query;

typedef struct cost_sum {
    char *name; /* owned, UTF-8; NULL: the calls have none */
    int64_t calls, failures;
    int64_t unpriced;          /* something was received, but price or usage is unknown */
    int64_t priced, estimated; /* the latter are among the former */
    int64_t prompt_tokens, cached_tokens, completion_tokens;
    money cost, saved;
    money reported; /* by the providers' own accounts */
} cost_sum;

/* Days, weeks and months in their order; others by what they cost, the dearest first. */
typedef struct cost_sums {
    cost_sum *rows;
    size_t count;
} cost_sums;

/* Reads the sums. Returns EXIT_FINE, or the exit status after telling what is wrong. *out is released by the caller in any case. */
int cost_sums_read(sqlite3 *database, const cost_query *query, cost_sums *out);
void cost_sums_release(cost_sums *sums);
/* All rows together, without a name. */
cost_sum cost_sums_total(const cost_sums *sums);

/* Calls of that time range which ended and wait for steno-cost. */
typedef struct cost_waiting {
    int64_t calls;
    bool more;      /* there may be more than these */
    double longest; /* seconds that the first of them has waited since it was stored */
} cost_waiting;

int cost_waiting_read(sqlite3 *database, double since, double until, double now, cost_waiting *out);

#endif
