/* What one entry of a price file says, line by line, in the order in which people read it; and how two entries differ. */
#ifndef CLI_PRICE_LINES_H
#define CLI_PRICE_LINES_H

#include <jansson.h>

#include "cli/format.h"
#include "cli/money.h"
#include "client/price_entry.h"

typedef enum price_unit { PRICE_PER_TOKEN, PRICE_EACH, PRICE_TIMES, PRICE_TEXT } price_unit;

#define PRICE_CONDITION_BYTES 64

typedef struct price_line {
    char key[PRICE_KEY_BYTES];
    const char *name; /* of the component: "cache_read"; of what is no price, "uplift", …; static */
    char condition[PRICE_CONDITION_BYTES]; /* when it counts: "flex, prompt > 200k"; "": always */
    price_unit unit;
    int64_t amount;   /* pico-dollars for one, millionths of a factor */
    const char *text; /* PRICE_TEXT: the provider, or whose alias it is; borrowed from the entry */
    int rank;         /* lines are in the order of it */
} price_line;

/* As many as an entry can have: its prices, its factors, its two texts. */
#define PRICE_LINES_MAX (PRICE_RATES_MAX + PRICE_FACTORS_MAX + 2)

typedef struct price_lines {
    price_line lines[PRICE_LINES_MAX];
    size_t count;
} price_lines;

/* `out` is large: on the heap, or once a loop. `entry` NULL: no lines. */
void price_lines_of(const price_entry *entry, price_lines *out);
/* The next two lines that belong together, one of them NULL where the other side has none. Both counters begin at 0. False: the end. */
bool price_lines_pair(const price_lines *a, size_t *at_a, const price_lines *b, size_t *at_b, const price_line **line_a,
                      const price_line **line_b);
/* Whether two lines of one key say the same; either may be NULL. */
bool price_line_same(const price_line *a, const price_line *b);

/* A price, with all of its digits and at least cents: "$2.50", "$0.0003125". */
void price_amount(money amount, char out[FORMAT_BYTES]);
/* What a million cost at so many pico-dollars each. */
money price_per_million(int64_t pico_dollars);
/* "$2.50", for a million of tokens and for one of anything else; "× 1.1"; a text. "" of NULL. */
void price_line_amount(const price_line *line, char out[FORMAT_BYTES]);
/* "million tokens", "each", "". */
const char *price_line_per(const price_line *line);
/* Dollars for one, a factor, a text; null of NULL. A new reference. */
json_t *price_line_json(const price_line *line);

#endif
