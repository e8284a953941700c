/* What a call cost, for programs that pass calls on: the figure that `calls` and `steno cost` show (schema/COSTS.md), estimates aside. */
#ifndef SUBSCRIBERS_CALL_COST_H
#define SUBSCRIBERS_CALL_COST_H

#include "client/steno.h"

/* US dollars; NAN: not known, or none. */
typedef struct call_cost {
    double usd;
    double saved_usd; /* what an answer from the cache would have cost */
} call_cost;

/* `prices` NULL: the built-in ones. Both are unknown where the event ends no call. */
call_cost call_cost_of(const steno_event *event, steno_prices *prices);

#endif
