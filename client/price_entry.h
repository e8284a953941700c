/* One entry of a price file, read and checked: schema/COSTS.md, "Price files". Whole pico-dollars from here on: nothing after it rounds. */
#ifndef CLIENT_PRICE_ENTRY_H
#define CLIENT_PRICE_ENTRY_H

#include <jansson.h>

#include "client/steno.h"

/* What has a price of its own (COSTS.md, "Components"; a web search has one for each size of context). */
typedef enum price_component {
    PRICE_INPUT,
    PRICE_OUTPUT,
    PRICE_CACHE_READ,
    PRICE_CACHE_READ_AUDIO,
    PRICE_CACHE_WRITE,
    PRICE_CACHE_WRITE_1H,
    PRICE_INPUT_AUDIO,
    PRICE_INPUT_IMAGE,
    PRICE_INPUT_VIDEO,
    PRICE_REASONING,
    PRICE_OUTPUT_AUDIO,
    PRICE_OUTPUT_IMAGE,
    PRICE_REQUEST,
    PRICE_SEARCH_LOW,
    PRICE_SEARCH_MEDIUM,
    PRICE_SEARCH_HIGH,
    PRICE_FILE_SEARCH,
    PRICE_CODE,
    PRICE_COMPONENTS,
} price_component;

/* The word of a breakdown, and the key of a price file. */
const char *price_component_name(price_component component);
const char *price_component_key(price_component component);
/* Whose price counts where the component has none; itself: nobody's. */
price_component price_component_parent(price_component component);

/* Prices of one entry: more are not taken (the fullest known entry has 60). */
#define PRICE_RATES_MAX 160
#define PRICE_MODEL_BYTES 256
#define PRICE_DATE_BYTES 11
#define PRICE_KEY_BYTES 96
/* A price beyond it, in dollars, is a mistake; so is a factor beyond the other. */
#define PRICE_DOLLARS_MAX 1000
#define PRICE_FACTOR_MAX 100
#define PRICE_MILLION 1000000

typedef struct price_rate {
    price_component component;
    steno_service_tier tier;
    int64_t above; /* for prompts of more tokens; 0: for all */
    int64_t pico_dollars;
} price_rate;

/* What the whole bill is multiplied by. */
typedef struct price_factor {
    enum { PRICE_FACTOR_REGION, PRICE_FACTOR_US, PRICE_FACTOR_FAST } when;
    char region[16]; /* of PRICE_FACTOR_REGION */
    int64_t millionths;
} price_factor;

#define PRICE_FACTORS_MAX 8

/* Owns its texts and rates. */
typedef struct price_entry {
    char *model;
    char *provider;      /* NULL: of any */
    char *base_model;    /* not NULL: it is an alias, and has no prices */
    char *mode, *origin; /* NULL: not said; origin is the file's `source` */
    char date[PRICE_DATE_BYTES];
    price_rate *rates;
    size_t rates_count;
    price_factor factors[PRICE_FACTORS_MAX];
    size_t factors_count;
} price_entry;

/* Hears of each key that is not understood. May be NULL. */
typedef void (*price_ignored_fn)(const char *key, void *ctx);

/* Why an entry without one is left out: no mistake, where it is of a kind that Steno does not price. */
#define PRICE_NONE_UNDERSTOOD "it has no price that is understood"

/* Reads an entry. STENO_INVALID with why: a price is no price; it has none at all. STENO_NO_MEMORY. *out is then empty. */
steno_status price_entry_read(const char *model, const json_t *row, price_ignored_fn ignored, void *ctx,
                              price_entry *out, steno_error *error);
/* Empties it. */
void price_entry_clear(price_entry *entry);

/* The price that counts for a component in that tier, for a prompt of that many tokens (COSTS.md, "Components"); its parent's, where it has none,
 * is not looked at. NULL: none. Borrowed from the entry.
 */
const price_rate *price_entry_rate(const price_entry *entry, price_component component, steno_service_tier tier,
                                   int64_t prompt_tokens);
/* The rate's key in a price file, suffixes in the usual order. */
void price_rate_key(const price_rate *rate, char out[PRICE_KEY_BYTES]);
/* "standard", "flex", … */
const char *price_tier_name(steno_service_tier tier);

#endif
