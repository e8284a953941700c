/* What a budget's section may say. The keys are a table; amounts are read digit by digit, for a limit is exact. */
#include "schema/budget.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schema/local_time.h"

#define DOLLAR_DIGITS 12
#define HOUR_SECONDS 3600

static const char *const period_names[BUDGET_PERIODS] = {"hour", "day", "week", "month", "total"};
static const char *const scope_kinds[] = {"user", "tag", "app", "model", "provider"};
enum { KEY_SCOPE, KEY_LIMIT, KEY_PER, KEY_STOP, KEY_ALERT, KEYS };
static const char *const keys[KEYS] = {"scope", "limit", "per", "stop", "alert"};

budget budget_new(const char *name) {
    budget out = {.period = BUDGET_MONTH, .alerts = {50, 80, 100}, .alerts_count = 3};
    snprintf(out.name, sizeof out.name, "%s", name);
    return out;
}

bool budget_name_valid(const char *name) {
    const size_t size = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");
    return size > 0 && size < BUDGET_NAME_BYTES && !name[size];
}

const char *budget_period_name(budget_period period) { return period_names[period]; }

const char *budget_scope_name(const char *scope, char kind[BUDGET_KIND_BYTES]) {
    const char *colon = strchr(scope, ':');
    const size_t size = colon ? (size_t)(colon - scope) : strlen(scope);
    snprintf(kind, BUDGET_KIND_BYTES, "%.*s", (int)size, scope);
    return colon ? colon + 1 : "";
}

/* What a line of a configuration would not give back: control characters, white space at the ends, and what begins a remark. */
static bool can_be_written(const char *text) {
    const size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (byte < ' ' || byte == 0x7f || (byte == ';' && (i == 0 || text[i - 1] == ' '))) return false;
    }
    return size > 0 && text[0] != ' ' && text[size - 1] != ' ';
}

static bool set_scope(budget *self, const char *value, char why[BUDGET_WHY_BYTES]) {
    char kind[BUDGET_KIND_BYTES];
    const char *name = budget_scope_name(value, kind);
    bool known = !strcmp(value, "all");
    for (size_t i = 0; i < sizeof scope_kinds / sizeof *scope_kinds; i++)
        known = known || (*name && !strcmp(kind, scope_kinds[i]));
    if (!known)
        snprintf(why, BUDGET_WHY_BYTES,
                 "scope is all, or user:, tag:, app:, model: or provider: with a name, not \"%.64s\"", value);
    else if (strlen(value) >= sizeof self->scope)
        snprintf(why, BUDGET_WHY_BYTES, "scope has more than %zu bytes", sizeof self->scope - 1);
    else if (!can_be_written(value) || isspace((unsigned char)*name))
        snprintf(why, BUDGET_WHY_BYTES,
                 "scope has control characters, \" ;\" or white space at its ends, which a configuration cannot hold");
    else {
        strcpy(self->scope, value);
        return true;
    }
    return false;
}

/* "20", "0.5", up to twelve digits after the point. */
static bool read_dollars(const char *text, int64_t *out) {
    int64_t dollars = 0, pico = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at); at++)
        if ((dollars = dollars * 10 + (*at - '0')) > BUDGET_DOLLARS_MAX) return false;
    const bool whole = at > text;
    int digits = 0;
    if (*at == '.')
        for (at++; isdigit((unsigned char)*at) && digits < DOLLAR_DIGITS; at++, digits++)
            pico = pico * 10 + (*at - '0');
    if (*at || (!whole && !digits)) return false;
    for (; digits < DOLLAR_DIGITS; digits++) pico *= 10;
    *out = dollars * BUDGET_PICO_PER_DOLLAR + pico;
    return *out > 0;
}

static bool set_alerts(budget *self, const char *value, char why[BUDGET_WHY_BYTES]) {
    self->alerts_count = 0;
    if (!strcmp(value, "none")) return true;
    for (const char *at = value;; at++) {
        char *end = NULL;
        at += strspn(at, " ");
        const unsigned long number = isdigit((unsigned char)*at) ? strtoul(at, &end, 10) : 0;
        const unsigned last = self->alerts_count ? self->alerts[self->alerts_count - 1] : 0;
        if (number <= last || number > BUDGET_PER_CENT_MAX || self->alerts_count == BUDGET_ALERTS_MAX) break;
        self->alerts[self->alerts_count++] = (uint16_t)number;
        at = end + strspn(end, " %");
        if (!*at) return true;
        if (*at != ',') break;
    }
    snprintf(why, BUDGET_WHY_BYTES, "alert is none, or up to %d rising numbers from 1 to %d, such as 50,80,100",
             BUDGET_ALERTS_MAX, BUDGET_PER_CENT_MAX);
    return false;
}

static bool set_period(budget *self, const char *value, char why[BUDGET_WHY_BYTES]) {
    for (int i = 0; i < BUDGET_PERIODS; i++)
        if (!strcmp(value, period_names[i])) {
            self->period = (budget_period)i;
            return true;
        }
    snprintf(why, BUDGET_WHY_BYTES, "per is hour, day, week, month or total, not \"%.64s\"", value);
    return false;
}

bool budget_set(budget *self, const char *key, const char *value, char why[BUDGET_WHY_BYTES]) {
    int which = 0;
    while (which < KEYS && strcmp(key, keys[which])) which++;
    if (which == KEYS) {
        snprintf(why, BUDGET_WHY_BYTES, "there is no key `%.64s` in a budget; known are scope, limit, per, stop, alert",
                 key);
        return false;
    }
    if (self->seen & 1u << which) {
        snprintf(why, BUDGET_WHY_BYTES, "`%s` is given twice", key);
        return false;
    }
    self->seen |= 1u << which;
    switch (which) {
    case KEY_SCOPE: return set_scope(self, value, why);
    case KEY_PER: return set_period(self, value, why);
    case KEY_ALERT: return set_alerts(self, value, why);
    case KEY_LIMIT:
        if (read_dollars(value + (*value == '$'), &self->limit)) return true;
        snprintf(why, BUDGET_WHY_BYTES, "limit is dollars, above 0 and up to %d, not \"%.64s\"", BUDGET_DOLLARS_MAX,
                 value);
        return false;
    default:
        self->stop = !strcmp(value, "yes");
        if (self->stop || !strcmp(value, "no")) return true;
        snprintf(why, BUDGET_WHY_BYTES, "stop is yes or no, not \"%.64s\"", value);
        return false;
    }
}

bool budget_complete(const budget *self, char why[BUDGET_WHY_BYTES]) {
    if (self->scope[0] && self->limit > 0) return true;
    snprintf(why, BUDGET_WHY_BYTES, "[budget %s] has no `%s`", self->name, self->scope[0] ? "limit" : "scope");
    return false;
}

void budget_dollars(int64_t pico_dollars, char out[BUDGET_DOLLARS_BYTES]) {
    const bool negative = pico_dollars < 0;
    const uint64_t amount = negative ? 0 - (uint64_t)pico_dollars : (uint64_t)pico_dollars;
    const uint64_t dollar = (uint64_t)BUDGET_PICO_PER_DOLLAR;
    int length = snprintf(out, BUDGET_DOLLARS_BYTES, "%s%" PRIu64 ".%0*" PRIu64, negative ? "-" : "", amount / dollar,
                          DOLLAR_DIGITS, amount % dollar);
    while (out[length - 1] == '0') out[--length] = '\0';
    if (out[length - 1] == '.') out[--length] = '\0';
}

bool budget_reached(const budget *self, int64_t spent, unsigned per_cent) {
    return (__int128)spent * 100 >= (__int128)self->limit * per_cent;
}

/* ---- periods ---- */

budget_span budget_span_of(budget_period period, int64_t time) {
    const time_t seconds = (time_t)time;
    struct tm local;
    budget_span out = {.start = INT64_MIN, .end = INT64_MAX};
    if (period == BUDGET_TOTAL || !localtime_r(&seconds, &local)) return out;
    if (period == BUDGET_WEEK) local.tm_mday -= (local.tm_wday + 6) % 7;
    if (period == BUDGET_MONTH) local.tm_mday = 1;
    out.start = local_day_start(&local);
    if (period == BUDGET_MONTH)
        local.tm_mon++;
    else
        local.tm_mday += period == BUDGET_WEEK ? 7 : 1;
    out.end = local_day_start(&local);
    if (period != BUDGET_HOUR) return out;
    /* Counted from midnight, so that they do not overlap where clocks are put back by half an hour. */
    const int64_t next_day = out.end;
    out.start += (time - out.start) / HOUR_SECONDS * HOUR_SECONDS;
    out.end = out.start + HOUR_SECONDS < next_day ? out.start + HOUR_SECONDS : next_day;
    return out;
}
