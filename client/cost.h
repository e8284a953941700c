/* What a call costs, with what it was computed from. steno_cost_of (steno.h) is the figure alone. */
#ifndef CLIENT_COST_H
#define CLIENT_COST_H

#include "client/steno.h"

/* A plain value; the texts are static. */
typedef struct cost_figure {
    int64_t pico_dollars;
    const char *price_model; /* the entry of the price table that was used */
    const char *price_date;  /* when its figures were true, YYYY-MM-DD */
} cost_figure;

/* As steno_cost_of. */
steno_status cost_compute(const char *provider, const char *model, const steno_usage *usage, cost_figure *out,
                          steno_error *error);

#endif
