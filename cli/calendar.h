/* Days, weeks and months of local time, by the names that `steno cost` gives them: "2026-11-24", of a week its Monday, "2026-11". */
#ifndef CLI_CALENDAR_H
#define CLI_CALENDAR_H

#include <stdbool.h>

#define CALENDAR_BYTES 16

/* The local month of a moment: from `start` (its first second) up to `end`, in Unix seconds. */
typedef struct calendar_month {
    char name[CALENDAR_BYTES];
    double start, end;
} calendar_month;

/* False: a time beyond what the calendar knows. */
bool calendar_month_of(double time, calendar_month *out);
/* Whether `by` is day, week or month. */
bool calendar_is(const char *by);
/* The name of the day, week or month (`by`) after `name`; false: `name` is none. */
bool calendar_next(const char *by, const char *name, char out[CALENDAR_BYTES]);

#endif
