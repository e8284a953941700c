/* The lines of a price entry. Works on what was read of a price file; no I/O. */
#include "cli/price_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICO_PER_DOLLAR 1e12

static price_unit unit_of(price_component component) {
    return component >= PRICE_REQUEST ? PRICE_EACH : PRICE_PER_TOKEN;
}

/* "low", "flex", "prompt > 200k": whatever of it there is. */
static void describe(const price_rate *rate, char out[PRICE_CONDITION_BYTES]) {
    const char *size = rate->component == PRICE_SEARCH_LOW      ? "low"
                       : rate->component == PRICE_SEARCH_MEDIUM ? "medium"
                       : rate->component == PRICE_SEARCH_HIGH   ? "high"
                                                                : "";
    const char *tier = rate->tier == STENO_TIER_STANDARD ? "" : price_tier_name(rate->tier);
    char above[32] = "";
    if (rate->above) {
        const bool thousands = rate->above % 1000 == 0;
        snprintf(above, sizeof above, "prompt > %" PRId64 "%s", thousands ? rate->above / 1000 : rate->above,
                 thousands ? "k" : "");
    }
    snprintf(out, PRICE_CONDITION_BYTES, "%s%s%s%s%s", size, *size && *tier ? ", " : "", tier,
             (*size || *tier) && *above ? ", " : "", above);
}

static price_line *add(price_lines *to, const char *key, const char *name, price_unit unit) {
    price_line *line = &to->lines[to->count++];
    *line = (price_line){.name = name, .unit = unit};
    snprintf(line->key, sizeof line->key, "%s", key);
    return line;
}

static void add_rate(price_lines *to, const price_rate *rate) {
    char key[PRICE_KEY_BYTES];
    price_rate_key(rate, key);
    price_line *line = add(to, key, price_component_name(rate->component), unit_of(rate->component));
    describe(rate, line->condition);
    line->amount = rate->pico_dollars;
    line->rank = (int)rate->component;
}

static void add_factor(price_lines *to, const price_factor *factor) {
    char key[PRICE_KEY_BYTES];
    const char *specific = factor->when == PRICE_FACTOR_US ? "us" : "fast";
    if (factor->when == PRICE_FACTOR_REGION)
        snprintf(key, sizeof key, "regional_processing_uplift_multiplier_%s", factor->region);
    else
        snprintf(key, sizeof key, "provider_specific_entry.%s", specific);
    price_line *line = add(to, key, "uplift", PRICE_TIMES);
    snprintf(line->condition, sizeof line->condition, "%s%s", factor->when == PRICE_FACTOR_REGION ? "region " : "",
             factor->when == PRICE_FACTOR_REGION ? factor->region : specific);
    line->amount = factor->millionths;
    line->rank = PRICE_COMPONENTS;
}

static void add_text(price_lines *to, const char *key, const char *text) {
    if (!text) return;
    price_line *line = add(to, key, key, PRICE_TEXT);
    line->text = text;
    line->rank = -1;
}

static int by_rank(const void *a, const void *b) {
    const price_line *left = a, *right = b;
    return left->rank != right->rank ? (left->rank > right->rank) - (left->rank < right->rank)
                                     : strcmp(left->key, right->key);
}

void price_lines_of(const price_entry *entry, price_lines *out) {
    out->count = 0;
    if (!entry) return;
    add_text(out, "litellm_provider", entry->provider);
    add_text(out, "base_model", entry->base_model);
    for (size_t i = 0; i < entry->rates_count; i++) add_rate(out, &entry->rates[i]);
    for (size_t i = 0; i < entry->factors_count; i++) add_factor(out, &entry->factors[i]);
    qsort(out->lines, out->count, sizeof *out->lines, by_rank);
}

bool price_lines_pair(const price_lines *a, size_t *at_a, const price_lines *b, size_t *at_b, const price_line **line_a,
                      const price_line **line_b) {
    const price_line *left = *at_a < a->count ? &a->lines[*at_a] : NULL,
                     *right = *at_b < b->count ? &b->lines[*at_b] : NULL;
    if (!left && !right) return false;
    const int order = !left ? 1 : !right ? -1 : by_rank(left, right);
    *line_a = order <= 0 ? left : NULL;
    *line_b = order >= 0 ? right : NULL;
    *at_a += order <= 0;
    *at_b += order >= 0;
    return true;
}

bool price_line_same(const price_line *a, const price_line *b) {
    if (!a || !b) return a == b;
    return a->unit == PRICE_TEXT ? strcmp(a->text, b->text) == 0 : a->amount == b->amount;
}

void price_amount(money amount, char out[FORMAT_BYTES]) {
    char digits[MONEY_BYTES];
    money_decimal(amount, digits);
    const char *point = strchr(digits, '.');
    const size_t decimals = point ? strlen(point + 1) : 0;
    snprintf(out, FORMAT_BYTES, "$%s%s%s", digits, point ? "" : ".", decimals == 0 ? "00" : decimals == 1 ? "0" : "");
}

money price_per_million(int64_t pico_dollars) { return money_of(pico_dollars, 0); }

void price_line_amount(const price_line *line, char out[FORMAT_BYTES]) {
    *out = '\0';
    if (!line) return;
    switch (line->unit) {
    case PRICE_PER_TOKEN: price_amount(price_per_million(line->amount), out); break;
    case PRICE_EACH: price_amount(money_of(0, line->amount), out); break;
    case PRICE_TIMES: snprintf(out, FORMAT_BYTES, "× %g", (double)line->amount / PRICE_MILLION); break;
    case PRICE_TEXT: snprintf(out, FORMAT_BYTES, "%s", line->text); break;
    }
}

const char *price_line_per(const price_line *line) {
    return line->unit == PRICE_PER_TOKEN ? "million tokens" : line->unit == PRICE_EACH ? "each" : "";
}

json_t *price_line_json(const price_line *line) {
    if (!line) return json_null();
    if (line->unit == PRICE_TEXT) return json_string(line->text);
    return json_real((double)line->amount / (line->unit == PRICE_TIMES ? (double)PRICE_MILLION : PICO_PER_DOLLAR));
}
