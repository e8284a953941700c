/* A cost row without the rest. */
#include "subscribers/call_cost.h"

#include <math.h>

#include "subscribers/cost_row.h"

#define PICO_PER_DOLLAR 1e12

call_cost call_cost_of(const steno_event *event, steno_prices *prices) {
    call_cost cost = {.usd = NAN, .saved_usd = NAN};
    cost_row row;
    if (!cost_row_from(event, prices, false, &row)) return cost;
    if (row.known) cost.usd = (double)row.pico_dollars / PICO_PER_DOLLAR;
    if (row.saved != STENO_UNKNOWN) cost.saved_usd = (double)row.saved / PICO_PER_DOLLAR;
    cost_row_clear(&row);
    return cost;
}
