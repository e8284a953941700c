/* A call's cost by today's prices, out of what the log keeps of it: table `call`, and `facts` of its row of `cost`. Touches nothing else. Invariant: without
 * another price it is what it was.
 */
#ifndef SUBSCRIBERS_COST_AGAIN_H
#define SUBSCRIBERS_COST_AGAIN_H

#include <sqlite3.h>

#include "subscribers/cost_row.h"

/* The columns that cost_again reads, of tables `call` and `cost`, from the result's first on; how many. */
#define COST_AGAIN_COLUMNS                                                                                   \
    "call.call_id, call.provider, call.model, call.cache_hit, call.prompt_tokens, call.cached_tokens, "      \
    "call.cache_write_tokens, call.cache_write_1h_tokens, call.completion_tokens, call.reasoning_tokens, "   \
    "cost.offset, cost.pico_dollars, cost.source, cost.reported, cost.facts, cost.saved, cost.price_model, " \
    "cost.breakdown"
#define COST_AGAIN_COUNT 18

/* A row of `cost` as it is. Texts are borrowed from the statement. */
typedef struct cost_stored {
    bool known;
    int64_t pico_dollars, saved; /* STENO_UNKNOWN: none */
    const char *source, *price_model, *breakdown;
} cost_stored;

cost_stored cost_again_stored(sqlite3_stmt *row);
/* Fills in the row as it would be now; given back by cost_row_clear. False: it was written by a Steno that did not keep what this takes, or memory is short. */
bool cost_again(sqlite3_stmt *row, steno_prices *prices, cost_row *out);
/* Whether the two say something else; another date or source of the same prices does not count. */
bool cost_again_differs(const cost_stored *stored, const cost_row *now);

#endif
