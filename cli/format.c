/* Numbers as people read them. Pure functions; the time zone is the process's. */
#include "cli/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PICO_PER_DOLLAR 1e12
/* A pico-dollar has twelve decimals. */
#define MONEY_DECIMALS_MAX 12
/* Times outside year 0 to 9999 are not times. */
#define TIME_MIN (-62167219200.0)
#define TIME_MAX 253402300799.0

void format_count(int64_t count, bool separators, char out[FORMAT_BYTES]) {
    char digits[FORMAT_BYTES];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count < 0 ? 0 - (uint64_t)count : (uint64_t)count);
    char *end = out;
    if (count < 0) *end++ = '-';
    for (int i = 0; i < length; i++) {
        if (separators && i > 0 && (length - i) % 3 == 0) *end++ = ',';
        *end++ = digits[i];
    }
    *end = '\0';
}

void format_money(double pico_dollars, char out[FORMAT_BYTES]) {
    double dollars = pico_dollars / PICO_PER_DOLLAR;
    if (!(dollars > 0)) {
        snprintf(out, FORMAT_BYTES, "$0");
    } else if (dollars < 0.9995) {
        int decimals = 2 - (int)floor(log10(dollars));
        snprintf(out, FORMAT_BYTES, "$%.*f", decimals > MONEY_DECIMALS_MAX ? MONEY_DECIMALS_MAX : decimals, dollars);
    } else {
        /* Rounded to cents as an integer, so that 1.999 has its carry. */
        double cents = fmin(round(dollars * 100), 9e18);
        char whole[FORMAT_BYTES];
        format_count((int64_t)(cents / 100), true, whole);
        snprintf(out, FORMAT_BYTES, "$%.30s.%02d", whole, (int)fmod(cents, 100));
    }
}

void format_size(double bytes, char out[FORMAT_BYTES]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, FORMAT_BYTES, unit == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

void format_duration(double seconds, char out[FORMAT_BYTES]) {
    if (!(seconds > 0)) seconds = 0;
    int64_t whole = (int64_t)fmin(seconds, 9e15);
    if (seconds < 0.9995)
        snprintf(out, FORMAT_BYTES, "%.0fms", seconds * 1000);
    else if (seconds < 59.995)
        snprintf(out, FORMAT_BYTES, seconds < 9.995 ? "%.2fs" : "%.1fs", seconds);
    else if (whole < 3600)
        snprintf(out, FORMAT_BYTES, "%" PRId64 "m%02ds", whole / 60, (int)(whole % 60));
    else if (whole < 86400)
        snprintf(out, FORMAT_BYTES, "%" PRId64 "h%02dm", whole / 3600, (int)(whole / 60 % 60));
    else
        snprintf(out, FORMAT_BYTES, "%" PRId64 "d%02dh", whole / 86400, (int)(whole / 3600 % 24));
}

static bool local_parts(double time, struct tm *out) {
    time_t seconds = (time_t)fmin(fmax(floor(time), TIME_MIN), TIME_MAX);
    return localtime_r(&seconds, out) != NULL;
}

void format_time_local(double time, char out[FORMAT_BYTES]) {
    struct tm parts;
    if (!local_parts(time, &parts) || strftime(out, FORMAT_BYTES, "%b %d %H:%M:%S", &parts) == 0) strcpy(out, "-");
}

void format_time_short(double time, double now, char out[FORMAT_BYTES]) {
    struct tm parts, today;
    bool known = local_parts(time, &parts) && local_parts(now, &today);
    bool same_day = known && parts.tm_yday == today.tm_yday && parts.tm_year == today.tm_year;
    if (!known || strftime(out, FORMAT_BYTES, same_day ? "%H:%M:%S" : "%b %d %H:%M", &parts) == 0) strcpy(out, "-");
}

void format_time_iso(double time, char out[FORMAT_BYTES]) {
    /* Milliseconds, rounded before the split: 0.9996 s is the next second. */
    double ms = round(fmin(fmax(time, TIME_MIN), TIME_MAX) * 1000);
    time_t seconds = (time_t)floor(ms / 1000);
    struct tm parts;
    size_t length = gmtime_r(&seconds, &parts) ? strftime(out, FORMAT_BYTES, "%Y-%m-%dT%H:%M:%S", &parts) : 0;
    snprintf(out + length, FORMAT_BYTES - length, ".%03dZ", (int)(ms - floor(ms / 1000) * 1000));
}

void format_bar(double fraction, size_t cells, char out[FORMAT_BAR_BYTES]) {
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    if (cells > FORMAT_BAR_CELLS_MAX) cells = FORMAT_BAR_CELLS_MAX;
    fraction = fraction > 1 ? 1 : fraction;
    size_t eighth = fraction > 0 ? (size_t)lround(fraction * (double)cells * 8) : 0;
    if (fraction > 0 && eighth == 0) eighth = 1;
    char *end = out;
    *end = '\0';
    for (size_t i = 0; i < eighth / 8; i++) end = stpcpy(end, "█");
    strcpy(end, eighths[eighth % 8]);
}
