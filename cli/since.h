/* A point in time as people type it. */
#ifndef CLI_SINCE_H
#define CLI_SINCE_H

#include <stdbool.h>

/* How the argument is explained in help and errors. */
#define SINCE_FORMS "90s, 15m, 2h, 3d, 1w, 2026-11-23, 2026-11-23T18:00 or with Z or +01:00"

/* Reads a span before `now` (s, m, h, d, w) or an ISO 8601 date or time, local unless it names its zone. False: neither. */
bool since_parse(const char *text, double now, double *out);

#endif
