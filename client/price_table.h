/* A price file in memory: its entries, sorted by name regardless of case. Read-only once made, so that those who hold it need no lock. */
#ifndef CLIENT_PRICE_TABLE_H
#define CLIENT_PRICE_TABLE_H

#include <stdatomic.h>

#include "client/price_entry.h"

/* The largest price file that is read; the ecosystem's has 2 MB. */
#define PRICE_FILE_BYTES_MAX (64u << 20)
#define PRICE_ENTRIES_MAX 100000u
/* Members that begin like this, or are called so, are about the file and no entries. */
#define PRICE_IMPORT_KEY "_import"
#define PRICE_SAMPLE_KEY "sample_spec"

typedef struct price_table {
    atomic_uint holders;
    price_entry *entries; /* owned */
    size_t count;
    char *origin;                /* where an imported file came from; NULL: not said */
    char date[PRICE_DATE_BYTES]; /* when it was imported; "": not said */
} price_table;

/* What a reader wants to hear. Each may be NULL. */
typedef struct price_listener {
    void (*ignored)(const char *model, const char *key, void *ctx);
    void (*invalid)(const char *model, const char *why, void *ctx); /* such an entry is left out */
    void *ctx;
} price_listener;

/* Reads the text of a price file; `name` is what errors call it. STENO_CORRUPT: it is no JSON object (line and column), or a name is in it twice.
 * STENO_LIMIT: too many entries. STENO_NO_MEMORY. *out is held by the caller (price_table_release).
 */
steno_status price_table_parse(const char *name, const char *text, size_t size, const price_listener *listener,
                               price_table **out, steno_error *error);
/* The same from a file. STENO_NOT_FOUND, STENO_SYSTEM, STENO_LIMIT (its size). */
steno_status price_table_read(const char *path, const price_listener *listener, price_table **out, steno_error *error);
price_table *price_table_hold(price_table *table);
void price_table_release(price_table *table);

/* The entry of that name that is `provider`'s (price_provider_is); of several that differ by case the one written so. NULL: none. */
const price_entry *price_table_find(const price_table *table, const char *model, const char *provider);

#endif
