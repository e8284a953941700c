/* Tables on standard output: a thin face of libsmartcols, with every cell made safe on its way in. */
#include "cli/table.h"

#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/program.h"
#include "cli/text.h"
#include "schema/clean.h"

/* What is left of a column that is cut, before other columns are left out for it. */
#define CUT_COLUMNS_MIN 8
#define SEPARATOR "  "

struct table {
    struct libscols_table *columns;
    uint64_t spare; /* a bit for each of the first 64 columns */
    struct libscols_line *row;
    bool failed; /* memory ran short; the first failure sticks */
};

table *table_new(void) {
    table *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->columns = scols_new_table();
    if (!self->columns) {
        free(self);
        return NULL;
    }
    scols_table_enable_colors(self->columns, terminal_colour());
    scols_table_set_column_separator(self->columns, SEPARATOR);
    if (terminal_is()) {
        scols_table_set_termforce(self->columns, SCOLS_TERMFORCE_ALWAYS);
        scols_table_set_termwidth(self->columns, terminal_width());
    } else {
        scols_table_set_termforce(self->columns, SCOLS_TERMFORCE_NEVER);
    }
    return self;
}

void table_free(table *self) {
    if (!self) return;
    scols_unref_table(self->columns);
    free(self);
}

size_t table_column(table *self, const char *name, table_flags flags) {
    cleanup_free char *safe = text_line(name, strlen(name));
    int wanted = (flags & TABLE_RIGHT ? SCOLS_FL_RIGHT : 0) | (flags & TABLE_CUT ? SCOLS_FL_TRUNC : 0);
    struct libscols_column *column = safe ? scols_table_new_column(self->columns, safe, 0, wanted) : NULL;
    if (!column)
        self->failed = true;
    else if (terminal_colour())
        scols_cell_set_color(scols_column_get_header(column), terminal_tone(TONE_DIM));
    const size_t number = scols_table_get_ncols(self->columns) - 1;
    if (flags & TABLE_SPARE && number < 64) self->spare |= UINT64_C(1) << number;
    return number;
}

void table_row(table *self) {
    self->row = scols_table_new_line(self->columns, NULL);
    if (!self->row) self->failed = true;
}

void table_cell_n(table *self, size_t column, const char *text, size_t size, tone look) {
    if (!self->row || !text) return;
    cleanup_free char *safe = text_line(text, size);
    if (!safe || scols_line_set_data(self->row, column, safe)) {
        self->failed = true;
        return;
    }
    if (look != TONE_PLAIN && terminal_colour())
        scols_cell_set_color(scols_line_get_cell(self->row, column), terminal_tone(look));
}

void table_cell(table *self, size_t column, const char *text, tone look) {
    table_cell_n(self, column, text, text ? strlen(text) : 0, look);
}

void table_count(table *self, size_t column, int64_t count) {
    char text[FORMAT_BYTES];
    format_count(count, terminal_is(), text);
    table_cell(self, column, text, TONE_PLAIN);
}

/* ---- what there is room for ---- */

static size_t shown_width(const char *text) { return text ? terminal_columns(text, strlen(text)) : 0; }

/* The width of a column's widest cell, its heading aside; 0: all of them are empty. */
static size_t cells_width(const table *self, size_t column) {
    size_t widest = 0;
    for (size_t row = 0; row < scols_table_get_nlines(self->columns); row++) {
        struct libscols_cell *cell = scols_line_get_cell(scols_table_get_line(self->columns, row), column);
        const size_t width = cell ? shown_width(scols_cell_get_data(cell)) : 0;
        if (width > widest) widest = width;
    }
    return widest;
}

/* How much room the table needs at least, with what it is cut to and what is left out. */
static size_t least_width(const table *self) {
    size_t sum = 0;
    for (size_t i = 0; i < scols_table_get_ncols(self->columns); i++) {
        struct libscols_column *column = scols_table_get_column(self->columns, i);
        if (scols_column_is_hidden(column)) continue;
        const size_t heading = shown_width(scols_cell_get_data(scols_column_get_header(column))),
                     cells = cells_width(self, i), widest = cells > heading ? cells : heading;
        const bool cut = scols_column_is_trunc(column) && widest > CUT_COLUMNS_MIN;
        sum += (sum ? sizeof SEPARATOR - 1 : 0) + (cut ? CUT_COLUMNS_MIN : widest);
    }
    return sum;
}

/* Leaves out the spare column that is missed least. False: there is none any more. */
static bool leave_one_out(table *self) {
    struct libscols_column *last = NULL;
    for (size_t i = scols_table_get_ncols(self->columns); i-- > 0;) {
        struct libscols_column *column = scols_table_get_column(self->columns, i);
        if (i >= 64 || !(self->spare >> i & 1) || scols_column_is_hidden(column)) continue;
        const bool empty = cells_width(self, i) == 0;
        if (!last || empty) last = column;
        if (empty) break;
    }
    return last && scols_column_set_flags(last, scols_column_get_flags(last) | SCOLS_FL_HIDDEN) == 0;
}

int table_print(table *self) {
    if (self->failed) return program_fail("out of memory");
    while (terminal_is() && self->spare && least_width(self) > terminal_width() && leave_one_out(self))
        ;
    if (scols_print_table(self->columns)) return program_fail("the table cannot be printed: out of memory");
    return EXIT_FINE;
}
