/* The roll-ups of table `spend`: what a batch of rows changes in them, added up in memory and then written. Called within a transaction of
 * cost_log's. Invariant: `spend` is what summing up `cost` and `call` would give, of all calls that were priced.
 */
#ifndef SUBSCRIBERS_SPEND_H
#define SUBSCRIBERS_SPEND_H

#include <sqlite3.h>

#include "client/steno.h"

/* What one row of `cost` says, as it counts in the sums. */
typedef struct spend_cost {
    bool known, estimated;
    int64_t pico_dollars, saved, reported; /* 0: none */
} spend_cost;

typedef struct spend spend;

/* `database` is borrowed. NULL with `error`. */
spend *spend_new(sqlite3 *database, steno_error *error);
void spend_free(spend *self);
/* Forgets what was added. */
void spend_begin(spend *self);
/* A call's row of `cost` is now `now`; it was `before` (NULL: it had none). A call that is not in table `call` any more changes nothing. SQLite's code, or
 * SQLITE_NOMEM. */
int spend_add(spend *self, const char *call_id, const spend_cost *before, const spend_cost *now);
/* Visits the sums of money that what was added changes. `kind` and `name` are borrowed. */
typedef void (*spend_each_fn)(const char *kind, const char *name, int64_t slot, int64_t pico_dollars, void *ctx);
void spend_each(const spend *self, spend_each_fn visit, void *ctx);
/* Writes all that was added. SQLite's code. */
int spend_write(spend *self);

#endif
