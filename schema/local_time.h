/* Where days of local time begin, and when clocks show a time: also where they are put forward or back at midnight. Pure functions of the time zone. */
#ifndef SCHEMA_LOCAL_TIME_H
#define SCHEMA_LOCAL_TIME_H

#include <stdint.h>
#include <time.h>

/* The first second of the local day of that year, month and day of the month, which may be beyond their ranges as for mktime (other members are not looked
 * at): the first midnight of two, or where there is none, what comes in its place. Of a day that was left out it is the next day's. Unix seconds, a
 * multiple of 900.
 */
int64_t local_day_start(const struct tm *day);

/* When the clocks show that date and time: the first time, where they do so twice; where they never do, as if they had not been put forward. Unix seconds. */
int64_t local_seconds(const struct tm *shown);

#endif
