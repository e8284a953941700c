/* What `steno prices` does, an action a function. Each returns the exit status. */
#ifndef CLI_PRICES_H
#define CLI_PRICES_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/price_rows.h"
#include "cli/price_source.h"

/* The options of all actions. */
typedef struct prices_options {
    const char *provider; /* NULL: any */
    bool json, dry_run, force;
    int64_t timeout_ms;
} prices_options;

/* `argument` may be NULL for list and diff. */
int prices_list(const prices_options *options, const char *argument);
int prices_show(const prices_options *options, const char *argument);
int prices_diff(const prices_options *options, const char *argument);
int prices_check(const prices_options *options, const char *argument);
int prices_import(const prices_options *options, const char *argument);

/* The tables in use; a damaged file is told on standard error. The caller gives them back (prices_release). */
int prices_open(prices_view *out);
/* How import and diff call what differs: "3 entries are new, 1 has other prices, none is gone". */
void prices_print_changes(price_changes changes);
/* A price file that was read; why it could not be is told. The caller releases the table. */
int prices_parse(const price_source *source, const price_listener *listener, price_table **out);
/* An entry as JSON: model, provider, source, price_date, prices. A new reference. */
json_t *prices_entry_json(const price_row *row);

#endif
