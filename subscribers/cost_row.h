/* What one call cost: decided from its terminal event and the price tables alone (schema/COSTS.md, "A cost's source"). Touches nothing else. */
#ifndef SUBSCRIBERS_COST_ROW_H
#define SUBSCRIBERS_COST_ROW_H

#include "client/steno.h"

/* A call_id has at most 128 bytes (EVENTS.md), and its NUL. */
#define COST_CALL_ID_BYTES 129

/* A row of table `cost`. Given back by cost_row_clear. */
typedef struct cost_row {
    char call_id[COST_CALL_ID_BYTES];
    uint64_t offset;
    bool known;           /* pico_dollars says something: unknown is never zero */
    int64_t pico_dollars; /* 1e-12 US dollars */
    int64_t saved;        /* what a cache's answer would have cost, in the same; STENO_UNKNOWN: none, or not known */
    int64_t reported;     /* what the provider itself said; STENO_UNKNOWN: nothing */
    const char *source;   /* "table", "reported", "cache", "unknown"; static */
    char price_model
        [256]; /* the entry that was used, and its date; "" unless the source is the table, or the cache and the entry is known */
    char price_date[11];
    const char *price_source; /* "built-in", …; static; NULL: no entry was used */
    char *breakdown;          /* JSON; NULL: no entry was used */
    char *facts;              /* JSON: what pricing needs beside table `call`; NULL: nothing */
} cost_row;

/* Fills the row from a terminal event. False: the event ends no call. `prices` NULL: the built-in ones. */
bool cost_row_from(const steno_event *event, steno_prices *prices, cost_row *out);
void cost_row_clear(cost_row *row);

#endif
