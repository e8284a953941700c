/* Price files on top of each other. All tables are sorted alike, so that everything here is a merge. */
#include "cli/price_rows.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/price_lines.h"

/* The order of a table. */
static int order_of(const price_entry *a, const price_entry *b) {
    const int order = strcasecmp(a->model, b->model);
    return order ? order : strcmp(a->model, b->model);
}

/* The entry that a table has at `at`; NULL: it has no more. */
static const price_entry *head(const price_table *table, size_t at) {
    return table && at < table->count ? &table->entries[at] : NULL;
}

/* The smallest name among the heads, of the highest layer that has it; every layer that has it goes on. False: the end. */
static bool take_next(const prices_view *view, size_t at[PRICES_LAYERS], price_row *out) {
    *out = (price_row){0};
    for (prices_layer layer = PRICES_LAYERS; layer-- > PRICES_BUILT_IN;) {
        const price_entry *entry = head(view->tables[layer], at[layer]);
        if (entry && (!out->entry || order_of(entry, out->entry) < 0)) *out = (price_row){entry, layer};
    }
    if (!out->entry) return false;
    for (prices_layer layer = PRICES_BUILT_IN; layer < PRICES_LAYERS; layer++) {
        const price_entry *entry = head(view->tables[layer], at[layer]);
        if (entry && order_of(entry, out->entry) == 0) at[layer]++;
    }
    return true;
}

bool price_rows_of(const prices_view *view, price_rows *out) {
    size_t at[PRICES_LAYERS] = {0}, most = 0;
    for (prices_layer layer = PRICES_BUILT_IN; layer < PRICES_LAYERS; layer++)
        if (view->tables[layer]) most += view->tables[layer]->count;
    *out = (price_rows){.rows = calloc(most + 1, sizeof *out->rows)};
    if (!out->rows) return false;
    while (take_next(view, at, &out->rows[out->count])) out->count++;
    return true;
}

void price_rows_release(price_rows *rows) {
    free(rows->rows);
    *rows = (price_rows){0};
}

static bool is_same(const price_entry *a, const price_entry *b) {
    price_lines lines_a, lines_b;
    const price_line *line_a, *line_b;
    size_t at_a = 0, at_b = 0;
    price_lines_of(a, &lines_a);
    price_lines_of(b, &lines_b);
    while (price_lines_pair(&lines_a, &at_a, &lines_b, &at_b, &line_a, &line_b))
        if (!price_line_same(line_a, line_b)) return false;
    return true;
}

price_changes price_rows_compare(const price_rows *before, const price_rows *after, price_changed_fn changed,
                                 void *ctx) {
    price_changes out = {0};
    for (size_t a = 0, b = 0; a < before->count || b < after->count;) {
        const price_row *left = a < before->count ? &before->rows[a] : NULL,
                        *right = b < after->count ? &after->rows[b] : NULL;
        const int order = !left ? 1 : !right ? -1 : order_of(left->entry, right->entry);
        a += order <= 0;
        b += order >= 0;
        if (order == 0 && is_same(left->entry, right->entry)) continue;
        out.gone += order < 0;
        out.added += order > 0;
        out.changed += order == 0;
        if (changed) changed(order <= 0 ? left : NULL, order >= 0 ? right : NULL, ctx);
    }
    return out;
}
