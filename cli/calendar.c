/* Days, weeks and months. Names are counted on without a time zone; only where a month begins is asked of it. */
#include "cli/calendar.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "schema/local_time.h"

bool calendar_month_of(double time, calendar_month *out) {
    const time_t seconds = (time_t)floor(time);
    struct tm parts;
    if (!localtime_r(&seconds, &parts)) return false;
    if (strftime(out->name, sizeof out->name, "%Y-%m", &parts) == 0) return false;
    parts.tm_mday = 1;
    out->start = (double)local_day_start(&parts);
    parts.tm_mon++;
    out->end = (double)local_day_start(&parts);
    return out->end > out->start;
}

bool calendar_is(const char *by) {
    return strcmp(by, "day") == 0 || strcmp(by, "week") == 0 || strcmp(by, "month") == 0;
}

bool calendar_next(const char *by, const char *name, char out[CALENDAR_BYTES]) {
    const bool month = strcmp(by, "month") == 0;
    struct tm parts = {.tm_mday = 1};
    const char *rest = strptime(name, month ? "%Y-%m" : "%Y-%m-%d", &parts);
    if (!rest || *rest) return false;
    if (month)
        parts.tm_mon++;
    else
        parts.tm_mday += strcmp(by, "week") == 0 ? 7 : 1;
    timegm(&parts); /* February 30th becomes March 2nd */
    return strftime(out, CALENDAR_BYTES, month ? "%Y-%m" : "%Y-%m-%d", &parts) > 0;
}
