/* What one call cost: decided from its terminal event and the price table alone. Touches nothing else. */
#ifndef SUBSCRIBERS_COST_ROW_H
#define SUBSCRIBERS_COST_ROW_H

#include "schema/event.h"

/* A call_id has at most 128 bytes (EVENTS.md), and its NUL. */
#define COST_CALL_ID_BYTES 129

/* A row of table `cost`. A plain value: no ownership. */
typedef struct cost_row {
    char call_id[COST_CALL_ID_BYTES];
    uint64_t offset;
    bool known;           /* pico_dollars says something: unknown is never zero */
    int64_t pico_dollars; /* 1e-12 US dollars */
    int64_t saved;        /* what a cache's answer would have cost, in the same; STENO_UNKNOWN: none, or not known */
    const char *source;   /* "table", "reported", "cache", "unknown"; static */
    char price_model
        [256]; /* the entry of the price table that was used, and its date; "" unless the source is the table */
    char price_date[11];
} cost_row;

/* Fills the row from a terminal event. False: the event ends no call. */
bool cost_row_from(const steno_event *event, cost_row *out);

#endif
