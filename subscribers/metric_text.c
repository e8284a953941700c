/* Escaping and numbers. */
#include "subscribers/metric_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

const double metric_bounds[METRIC_BOUNDS] = {0.01, 0.02, 0.04,  0.08,  0.16,  0.32,  0.64,   1.28,
                                             2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68};

void metric_observe(metric_histogram *self, double seconds) {
    size_t i = 0;
    while (i < METRIC_BOUNDS && seconds > metric_bounds[i]) i++;
    self->counts[i]++;
    self->sum += seconds;
}

uint64_t metric_observed(const metric_histogram *self) {
    uint64_t all = 0;
    for (size_t i = 0; i <= METRIC_BOUNDS; i++) all += self->counts[i];
    return all;
}

/* In a label's value a backslash, a line feed and a quote are escaped; in a help text the first two. */
static void put_escaped(FILE *out, const char *text, bool quote) {
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\\\", out);
        else if (*text == '\n')
            fputs("\\n", out);
        else if (*text == '"' && quote)
            fputs("\\\"", out);
        else
            putc(*text, out);
    }
}

void metric_family(FILE *out, const char *name, const char *type, const char *help) {
    fprintf(out, "# HELP %s ", name);
    put_escaped(out, help, false);
    fprintf(out, "\n# TYPE %s %s\n", name, type);
}

/* "name_suffix{labels,le="bound"} ". */
static void begin(FILE *out, const char *name, const char *suffix, const metric_label *labels, const char *bound) {
    fprintf(out, "%s%s", name, suffix);
    char before = '{';
    for (; labels && labels->name; labels++, before = ',') {
        fprintf(out, "%c%s=\"", before, labels->name);
        put_escaped(out, labels->value, true);
        putc('"', out);
    }
    if (bound) {
        fprintf(out, "%cle=\"%s\"", before, bound);
        before = ',';
    }
    fputs(before == ',' ? "} " : " ", out);
}

static void put_number(FILE *out, double value) {
    if (isnan(value))
        fputs("NaN\n", out);
    else if (isinf(value))
        fputs(value > 0 ? "+Inf\n" : "-Inf\n", out);
    else
        fprintf(out, "%.15g\n", value);
}

void metric_count(FILE *out, const char *name, const metric_label *labels, uint64_t value) {
    begin(out, name, "", labels, NULL);
    fprintf(out, "%" PRIu64 "\n", value);
}

void metric_number(FILE *out, const char *name, const metric_label *labels, double value) {
    begin(out, name, "", labels, NULL);
    put_number(out, value);
}

void metric_histogram_put(FILE *out, const char *name, const metric_label *labels, const metric_histogram *value) {
    uint64_t all = 0;
    for (size_t i = 0; i <= METRIC_BOUNDS; i++) {
        char bound[32] = "+Inf";
        if (i < METRIC_BOUNDS) snprintf(bound, sizeof bound, "%.15g", metric_bounds[i]);
        all += value->counts[i];
        begin(out, name, "_bucket", labels, bound);
        fprintf(out, "%" PRIu64 "\n", all);
    }
    begin(out, name, "_sum", labels, NULL);
    put_number(out, value->sum);
    begin(out, name, "_count", labels, NULL);
    fprintf(out, "%" PRIu64 "\n", all);
}
