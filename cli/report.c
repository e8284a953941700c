/* Rows for programs, as JSON or CSV. */
#include "cli/report.h"

#include <string.h>

#include "cli/program.h"

void report_begin(report *self, FILE *out) {
    *self = (report){.out = out};
    fputc('[', out);
}

int report_row(report *self, json_t *row) {
    fputs(self->rows++ ? ",\n " : "\n ", self->out);
    int failed = !row || json_dumpf(row, self->out, REPORT_JSON_FLAGS) != 0;
    json_decref(row);
    /* What cannot be written is told by whoever owns the stream. */
    return failed && !ferror(self->out) ? program_fail("out of memory") : EXIT_FINE;
}

void report_end(report *self) { fputs(self->rows ? "\n]\n" : "]\n", self->out); }

void report_csv_field(FILE *out, const char *text, size_t size, int first) {
    if (!first) fputc(',', out);
    int quoted =
        memchr(text, '"', size) || memchr(text, ',', size) || memchr(text, '\n', size) || memchr(text, '\r', size);
    if (quoted) fputc('"', out);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"') fputc('"', out);
        fputc(text[i], out);
    }
    if (quoted) fputc('"', out);
}

void report_csv_end(FILE *out) { fputs("\r\n", out); }
