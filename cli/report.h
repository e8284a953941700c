/* Rows for programs: one JSON array with an object a line, or CSV (RFC 4180). Written as they come, to any stream. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/* Numbers as in SQL: fifteen digits, so that 0.1 is not 0.10000000000000001. */
#define REPORT_JSON_FLAGS (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

typedef struct report {
    FILE *out;
    size_t rows;
} report;

/* `out` is borrowed. */
void report_begin(report *self, FILE *out);
/* Writes one element and drops the reference to it. NULL (memory) makes the report fail. Returns the exit status. */
int report_row(report *self, json_t *row);
void report_end(report *self);

/* One CSV field, quoted where it must be; `size` bytes. `first` in its line: no comma before it. */
void report_csv_field(FILE *out, const char *text, size_t size, int first);
void report_csv_end(FILE *out);

#endif
