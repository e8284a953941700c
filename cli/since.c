/* A point in time as people type it: a span before now, or an ISO 8601 date and time. */
#include "cli/since.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schema/local_time.h"

/* Longest span: beyond it every call is meant, and the sum must stay a time. */
#define SPAN_SECONDS_MAX (200.0 * 366 * 86400)

static bool parse_span(const char *text, double now, double *out) {
    static const char letters[] = "smhdw";
    static const double seconds[] = {1, 60, 3600, 86400, 7 * 86400};
    /* strtod alone would take hexadecimal and exponents too. */
    size_t digits = strspn(text, "0123456789.");
    if (!isdigit((unsigned char)*text)) return false;
    char *unit;
    double span = strtod(text, &unit);
    if (unit != text + digits) return false;
    const char *letter = *unit ? strchr(letters, *unit) : NULL;
    if (!letter || unit[1]) return false;
    span *= seconds[letter - letters];
    if (!(span <= SPAN_SECONDS_MAX)) return false;
    *out = now - span;
    return true;
}

/* Seconds east of Greenwich from "Z", "+01:00" or "+0100"; false if it is neither. */
static bool parse_zone(const char *text, long *east) {
    *east = 0;
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) return true;
    if (*text != '+' && *text != '-') return false;
    const char *minutes = text + 3 + (strlen(text) == 6 && text[3] == ':');
    if (strlen(text) != 5 && strlen(text) != 6) return false;
    for (const char *digit = text + 1; digit < text + 3; digit++)
        if (!isdigit((unsigned char)*digit)) return false;
    if (!isdigit((unsigned char)minutes[0]) || !isdigit((unsigned char)minutes[1]) || minutes[2]) return false;
    *east = ((text[1] - '0') * 10 + text[2] - '0') * 3600L + ((minutes[0] - '0') * 10 + minutes[1] - '0') * 60L;
    if (*text == '-') *east = -*east;
    return true;
}

static bool parse_date(const char *text, double *out) {
    struct tm parts = {0};
    /* strptime takes shorter numbers too: 2026-1-1 is no ISO date, but no harm. */
    const char *rest = strptime(text, "%Y-%m-%d", &parts);
    if (!rest) return false;
    double fraction = 0;
    const bool timed = *rest == 'T' || *rest == ' ';
    if (timed) {
        const char *seconds = strptime(rest + 1, "%H:%M", &parts);
        if (!seconds) return false;
        rest = seconds;
        if (*rest == ':') {
            rest = strptime(rest, ":%S", &parts);
            if (!rest) return false;
            if (*rest == '.') fraction = strtod(rest, NULL);
            if (*rest == '.') rest += 1 + strspn(rest + 1, "0123456789");
        }
    }
    long east = 0;
    bool zone = *rest != '\0';
    if (zone && !parse_zone(rest, &east)) return false;
    struct tm real = parts;
    const time_t there = timegm(&real);
    /* February 30th is turned into March 2nd: refuse it instead. */
    if (parts.tm_mday != real.tm_mday || parts.tm_mon != real.tm_mon) return false;
    const int64_t seconds = zone ? there - east : timed ? local_seconds(&parts) : local_day_start(&parts);
    *out = (double)seconds + fraction;
    return true;
}

bool since_parse(const char *text, double now, double *out) {
    return parse_span(text, now, out) || parse_date(text, out);
}
