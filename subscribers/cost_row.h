/* What one call cost: decided from its terminal event and the price tables alone (schema/COSTS.md, "A cost's source"). Touches nothing else. */
#ifndef SUBSCRIBERS_COST_ROW_H
#define SUBSCRIBERS_COST_ROW_H

#include "client/steno.h"

/* Tokens that were estimated where the provider gave no usage: a member of `facts`. */
#define COST_ESTIMATED "estimated"

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
    const char *source;   /* "table", "reported", "estimated", "cache", "unknown"; static */
    char price_model
        [256]; /* the entry that was used, and its date; "" unless the source is the table, or the cache and the entry is known */
    char price_date[11];
    const char *price_source; /* "built-in", …; static; NULL: no entry was used */
    char *breakdown;          /* JSON; NULL: no entry was used */
    char *facts;              /* JSON: what pricing needs beside table `call`; NULL: nothing */
    char model[256];          /* as it was asked for; "" if that is not known. This and the next are not stored */
    double time;              /* when the call ended, Unix seconds */
    bool is_new;              /* set by cost_log_write */
} cost_row;

/* Fills the row from a terminal event. False: the event ends no call. `prices` NULL: the built-in ones. `estimate`: where the provider gave no usage, and
 * neither it nor the app a cost, the tokens are estimated from the texts.
 */
bool cost_row_from(const steno_event *event, steno_prices *prices, bool estimate, cost_row *out);
/* Decides the cost by what is known of a call; *out has call_id, offset and facts, and `reported` says what the provider itself did. `said` is the app's own
 * figure, in pico-dollars, or STENO_UNKNOWN. `estimated`: the usage is.
 */
void cost_row_decide(const steno_cost_ask *ask, bool estimated, bool cache_hit, int64_t said, steno_prices *prices,
                     cost_row *out);
void cost_row_clear(cost_row *row);

#endif
