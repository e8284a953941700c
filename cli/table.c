/* Tables on standard output: a thin face of libsmartcols, with every cell made safe on its way in. */
#include "cli/table.h"

#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/program.h"
#include "cli/text.h"
#include "schema/clean.h"

struct table {
    struct libscols_table *columns;
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
    scols_table_set_column_separator(self->columns, "  ");
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
    return scols_table_get_ncols(self->columns) - 1;
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

int table_print(table *self) {
    if (self->failed) return program_fail("out of memory");
    if (scols_print_table(self->columns)) return program_fail("the table cannot be printed: out of memory");
    return EXIT_FINE;
}
