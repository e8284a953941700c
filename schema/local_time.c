/* mktime chooses one of two moments as it likes, and one beside the gap where there is none: what it says is only where the search begins. */
#include "schema/local_time.h"

#include <stdbool.h>

#define QUARTER_SECONDS 900
/* Clocks are put forward or back by no more than this: two hours. */
#define SHIFT_QUARTERS_MAX 8

static bool is_of_day(int64_t time, const struct tm *day) {
    const time_t seconds = (time_t)time;
    struct tm found;
    return localtime_r(&seconds, &found) && found.tm_mday == day->tm_mday && found.tm_mon == day->tm_mon;
}

int64_t local_day_start(const struct tm *like) {
    struct tm day = {.tm_year = like->tm_year, .tm_mon = like->tm_mon, .tm_mday = like->tm_mday};
    timegm(&day); /* the 32nd of December becomes the 1st of January */
    struct tm noon = day;
    noon.tm_hour = 12; /* is there, and once, if the day is */
    noon.tm_isdst = -1;
    mktime(&noon);
    if (noon.tm_mday != day.tm_mday) { /* a day that was left out, to change sides of the date line */
        day.tm_mday++;
        return local_day_start(&day);
    }
    day.tm_isdst = -1;
    int64_t start = mktime(&day);
    for (int i = 0; i < SHIFT_QUARTERS_MAX && !is_of_day(start, &noon); i++) start += QUARTER_SECONDS;
    for (int i = 0; i < SHIFT_QUARTERS_MAX && is_of_day(start - QUARTER_SECONDS, &noon); i++) start -= QUARTER_SECONDS;
    return start;
}

int64_t local_seconds(const struct tm *shown) {
    struct tm given = *shown;
    given.tm_isdst = -1;
    const int64_t some = mktime(&given);
    int64_t first = some;
    for (int i = 1; i <= SHIFT_QUARTERS_MAX; i++) {
        const time_t earlier = (time_t)(some - i * QUARTER_SECONDS);
        struct tm found;
        if (localtime_r(&earlier, &found) && found.tm_mday == given.tm_mday && found.tm_hour == given.tm_hour &&
            found.tm_min == given.tm_min)
            first = earlier;
    }
    return first;
}
