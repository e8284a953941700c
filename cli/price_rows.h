/* The entries that count, of several price files on top of each other, by name; and what changes where one of the files does. */
#ifndef CLI_PRICE_ROWS_H
#define CLI_PRICE_ROWS_H

#include "client/prices.h"

typedef struct price_row {
    const price_entry *entry; /* borrowed from its table */
    prices_layer layer;
} price_row;

/* Sorted as the tables are. */
typedef struct price_rows {
    price_row *rows; /* owned */
    size_t count;
} price_rows;

/* For each name the entry of the highest layer that has it; tables may be NULL. False: no memory. */
bool price_rows_of(const prices_view *view, price_rows *out);
void price_rows_release(price_rows *rows);

typedef struct price_changes {
    size_t added, changed, gone;
} price_changes;

/* Hears of each entry that is new (`before` NULL), has other prices, or is gone (`after` NULL). */
typedef void (*price_changed_fn)(const price_row *before, const price_row *after, void *ctx);

/* Compares two states; `changed` may be NULL. */
price_changes price_rows_compare(const price_rows *before, const price_rows *after, price_changed_fn changed,
                                 void *ctx);

#endif
