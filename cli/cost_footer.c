/* What is worth saying below the table of `steno cost`: what the month will have cost, and which models have calls without a figure. */
#include <stdio.h>
#include <string.h>

#include "cli/cost_table.h"
#include "cli/format.h"
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

static void put_unpriced(FILE *out, const cost_report *report) {
    size_t named = 0, left = 0;
    const cost_sums *models = report->unpriced.count ? &report->unpriced : &report->rows;
    if (report->total.unpriced == 0) return;
    fputs("Unpriced, because a price or the usage is unknown: ", out);
    for (size_t i = 0; i < models->count; i++) {
        const cost_sum *row = &models->rows[i];
        char calls[FORMAT_BYTES];
        if (row->unpriced == 0) continue;
        if (named == NAMED_MAX) {
            left++;
            continue;
        }
        format_count(row->unpriced, terminal_is(), calls);
        fputs(named++ ? ", " : "", out);
        if (row->name) text_put(out, row->name, strlen(row->name), TEXT_LINE);
        if (!row->name) fputs("(no model)", out);
        fprintf(out, " (%s %s)", calls, row->unpriced == 1 ? "call" : "calls");
    }
    if (left) fprintf(out, " and %zu more", left);
    fputs(". \"steno prices show MODEL\" tells which, \"steno prices import FILE|URL\" adds prices.\n", out);
}

/* Code points, which for words and names of models is close enough to what they take on a terminal. */
static size_t text_columns(const char *text, size_t size) {
    size_t columns = 0;
    uint32_t point;
    for (size_t i = 0; i < size; columns++) {
        const size_t length = text_decode(text + i, size - i, &point);
        i += length ? length : 1;
    }
    return columns;
}

/* Prints a text of one line a paragraph, broken at spaces where the terminal ends. */
static void print_wrapped(const char *text) {
    const size_t width = terminal_width();
    size_t column = 0;
    for (const char *at = text; *at;) {
        const size_t size = strcspn(at, " \n"), columns = text_columns(at, size);
        if (column && width && column + 1 + columns > width) {
            putchar('\n');
            column = 0;
        }
        if (column) putchar(' ');
        fwrite(at, 1, size, stdout);
        column += columns + (column ? 1 : 0);
        at += size;
        if (*at == '\n') {
            putchar('\n');
            column = 0;
        }
        at += strspn(at, " \n");
    }
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
    print_wrapped(text);
}
