/* What is worth saying below the table of `steno cost`: what the month will have cost, and which models have calls without a figure. */
#include <stdio.h>
#include <string.h>

#include "cli/cost_table.h"
#include "cli/format.h"
#include "cli/prices.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "schema/clean.h"

/* The part of a month that tells something about the rest of it: half a day. */
#define SHARE_MIN 0.02
/* Models that are named. */
#define NAMED_MAX 5

bool cost_projected(const cost_report *report, double *dollars) {
    if (!report->has_month || report->this_month.priced == 0) return false;
    const double share = (report->now - report->month.start) / (report->month.end - report->month.start);
    if (!(share >= SHARE_MIN) || share > 1) return false;
    *dollars = money_dollars(report->this_month.cost) / share;
    return true;
}

static void put_month(FILE *out, const cost_report *report) {
    double dollars;
    char spent[FORMAT_BYTES], projected[FORMAT_BYTES];
    if (!cost_projected(report, &dollars)) return;
    format_money(money_pico(report->this_month.cost), spent);
    format_money(dollars * 1e12, projected);
    fprintf(out, "This month: %s so far, %s by its end at this pace.\n", spent, projected);
}

/* Whether there is a price under that name, whoever's it is. */
static bool has_price(const prices_view *view, const char *model) {
    steno_cost_ask ask = STENO_COST_ASK_INIT;
    ask.model = model ? model : "";
    return prices_find(view, &ask, NULL, NULL).entry != NULL;
}

/* "gpt-x (3 calls), other (1 call) and 2 more": the models with unpriced calls that have a price, or that have none. False: there are no such. */
static bool put_models(FILE *out, const char *before, const cost_sums *models, const prices_view *view, bool priced) {
    size_t named = 0, left = 0;
    for (size_t i = 0; i < models->count; i++) {
        const cost_sum *row = &models->rows[i];
        char calls[FORMAT_BYTES];
        if (row->unpriced == 0 || has_price(view, row->name) != priced) continue;
        if (named == NAMED_MAX) {
            left++;
            continue;
        }
        format_count(row->unpriced, terminal_is(), calls);
        fputs(named++ ? ", " : before, out);
        if (row->name) text_put(out, row->name, strlen(row->name), TEXT_LINE);
        fprintf(out, "%s (%s %s)", row->name ? "" : "no model", calls, row->unpriced == 1 ? "call" : "calls");
    }
    if (left) fprintf(out, " and %zu more", left);
    return named > 0;
}

static void put_unpriced(FILE *out, const cost_report *report) {
    const cost_sums *models = report->unpriced.count ? &report->unpriced : &report->rows;
    cleanup(prices_release) prices_view view = {0};
    if (report->total.unpriced == 0 || prices_open(&view)) return;
    if (put_models(out, "No price is known for ", models, &view, false))
        fputs(
            ". \"steno prices show MODEL\" tells what was looked for, \"steno prices import FILE|URL\" adds prices.\n",
            out);
    if (put_models(out, "Unpriced although there is a price: ", models, &view, true))
        fputs(". Their provider reported no usage, or it has no such price, or the price came later: \"steno recost\" "
              "prices calls again, \"steno-cost --estimate\" estimates what is not reported.\n",
              out);
}

void cost_footer_print(const cost_report *report) {
    cleanup_free char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return; /* the table is there, and memory for this is not */
    put_month(out, report);
    put_unpriced(out, report);
    if (fclose(out) || size == 0) return;
    putchar('\n');
    terminal_paragraphs(text);
}
