/* `steno cost` for people: the table with its bars, and what is worth saying below it. */
#ifndef CLI_COST_TABLE_H
#define CLI_COST_TABLE_H

#include "cli/calendar.h"
#include "cli/cost_sums.h"

/* All that was read, so that the log is let go of before the first line is printed. Released by its maker. */
typedef struct cost_report {
    const char *by;
    cost_sums rows;
    cost_sum total;
    cost_sums unpriced; /* by model, those that have such calls; empty where the rows themselves are models */
    bool has_month;     /* the two below are there */
    calendar_month month;
    cost_sum this_month; /* the calls of the month under way, whatever the time range */
    double now;
} cost_report;

/* What this month will have cost at its end if it goes on as until now, in dollars; false while it is too young to tell. */
bool cost_projected(const cost_report *report, double *dollars);
/* Some cost is known, or there is nothing whose cost is not. */
bool cost_known(const cost_sum *row);

/* Prints to standard output and returns the exit status. */
int cost_table_print(const cost_report *report);
void cost_footer_print(const cost_report *report);

#endif
