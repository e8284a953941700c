/* The price files of a Steno folder, and which of their entries a model gets: schema/COSTS.md, "Which entry". */
#ifndef CLIENT_PRICES_H
#define CLIENT_PRICES_H

#include "client/price_table.h"

/* In $STATE. */
#define PRICES_FOLDER "prices"
#define PRICES_IMPORTED "imported.json"
#define PRICES_OWN "own.json"
/* How often the files are looked at. */
#define PRICES_LOOK_MS 1000

/* Where an entry comes from; a later one comes first. */
typedef enum prices_layer { PRICES_BUILT_IN, PRICES_LAYER_IMPORTED, PRICES_LAYER_OWN, PRICES_LAYERS } prices_layer;

/* "built-in", "imported", "own". */
const char *prices_layer_name(prices_layer layer);

typedef struct prices_found {
    const price_entry *entry; /* what prices the call; NULL: nothing */
    const price_entry *named; /* the entry that was found by name: an alias, or `entry` itself */
    prices_layer layer;       /* of `entry` */
} prices_found;

/* Hears of each name that is looked for, in order. May be NULL. */
typedef void (*prices_tried_fn)(const char *name, void *ctx);

/* The tables as they are at one moment; each may be NULL. */
typedef struct prices_view {
    price_table *tables[PRICES_LAYERS];
} prices_view;

/* Takes them, after a look whether they changed; `prices` NULL: the built-in one alone. Given back by prices_release. Thread-safe. */
prices_view prices_take(steno_prices *prices);
void prices_release(prices_view *view);
/* The entry that counts for a call; everything in it is borrowed from the view. */
prices_found prices_find(const prices_view *view, const steno_cost_ask *ask, prices_tried_fn tried, void *ctx);

/* steno_cost_of by these tables. */
steno_status prices_cost(const prices_view *view, const steno_cost_ask *ask, steno_cost *out, steno_error *error);

/* The region of a host that prices may depend on, out of a call's URL: "us-east-1" of Bedrock's, "eu" of OpenAI's. False: none. */
bool prices_region(const char *provider, const char *url, char out[32]);

#endif
