/* Reading an entry: a key is the name of a component and suffixes in any order, a value a number or a text that is one. */
#include "client/price_entry.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICO_PER_DOLLAR 1e12
/* Above any prompt. */
#define ABOVE_MAX INT64_C(1000000000)

static const struct component {
    const char *name, *key;
    price_component parent;
} components[PRICE_COMPONENTS] = {
    [PRICE_INPUT] = {"input", "input_cost_per_token", PRICE_INPUT},
    [PRICE_OUTPUT] = {"output", "output_cost_per_token", PRICE_OUTPUT},
    [PRICE_CACHE_READ] = {"cache_read", "cache_read_input_token_cost", PRICE_INPUT},
    [PRICE_CACHE_READ_AUDIO] = {"cache_read_audio", "cache_read_input_audio_token_cost", PRICE_INPUT_AUDIO},
    [PRICE_CACHE_WRITE] = {"cache_write", "cache_creation_input_token_cost", PRICE_INPUT},
    [PRICE_CACHE_WRITE_1H] = {"cache_write_1h", "cache_creation_input_token_cost_above_1hr", PRICE_CACHE_WRITE},
    [PRICE_INPUT_AUDIO] = {"input_audio", "input_cost_per_audio_token", PRICE_INPUT},
    [PRICE_INPUT_IMAGE] = {"input_image", "input_cost_per_image_token", PRICE_INPUT},
    [PRICE_INPUT_VIDEO] = {"input_video", "input_cost_per_video_token", PRICE_INPUT},
    [PRICE_REASONING] = {"reasoning", "output_cost_per_reasoning_token", PRICE_OUTPUT},
    [PRICE_OUTPUT_AUDIO] = {"output_audio", "output_cost_per_audio_token", PRICE_OUTPUT},
    [PRICE_OUTPUT_IMAGE] = {"output_image", "output_cost_per_image_token", PRICE_OUTPUT},
    [PRICE_REQUEST] = {"request", "input_cost_per_request", PRICE_REQUEST},
    [PRICE_SEARCH_LOW] = {"web_search", "search_context_cost_per_query.search_context_size_low", PRICE_SEARCH_MEDIUM},
    [PRICE_SEARCH_MEDIUM] = {"web_search", "search_context_cost_per_query.search_context_size_medium",
                             PRICE_SEARCH_MEDIUM},
    [PRICE_SEARCH_HIGH] = {"web_search", "search_context_cost_per_query.search_context_size_high", PRICE_SEARCH_MEDIUM},
    [PRICE_FILE_SEARCH] = {"file_search", "file_search_cost_per_1k_calls", PRICE_FILE_SEARCH},
    [PRICE_CODE] = {"code_interpreter", "code_interpreter_cost_per_session", PRICE_CODE},
};

/* Other keys of the same: they count where the usual one is not there. */
static const struct {
    const char *key;
    price_component component;
} old_keys[] = {{"input_cost_per_token_cache_hit", PRICE_CACHE_READ}};

static const char *const tiers[] = {[STENO_TIER_STANDARD] = "standard",
                                    [STENO_TIER_FLEX] = "flex",
                                    [STENO_TIER_PRIORITY] = "priority",
                                    [STENO_TIER_BATCH] = "batches"};

/* Keys that say nothing about what a call costs: they are neither prices nor worth a word. */
static const char *const silent_keys[] = {
    "litellm_provider",  "mode",     "base_model", "price_date", "source",           "max_tokens", "max_input_tokens",
    "max_output_tokens", "metadata", "tpm",        "rpm",        "deprecation_date", "comment",    NULL};

const char *price_component_name(price_component component) { return components[component].name; }
const char *price_component_key(price_component component) { return components[component].key; }
price_component price_component_parent(price_component component) { return components[component].parent; }
const char *price_tier_name(steno_service_tier tier) { return tier == STENO_TIER_BATCH ? "batch" : tiers[tier]; }

/* ---- keys ---- */

/* Takes `word` off the front of *text. */
static bool take(const char **text, const char *word) {
    size_t size = strlen(word);
    if (strncmp(*text, word, size)) return false;
    *text += size;
    return true;
}

/* "_above_<N>k_tokens" or "_above_<N>_tokens". */
static bool take_above(const char **text, int64_t *above) {
    const char *at = *text;
    if (!take(&at, "_above_") || !isdigit((unsigned char)*at)) return false;
    char *end;
    errno = 0;
    long long number = strtoll(at, &end, 10);
    at = end;
    if (take(&at, "k")) number = number > ABOVE_MAX ? ABOVE_MAX + 1 : number * 1000;
    if (errno || number <= 0 || number > ABOVE_MAX || !take(&at, "_tokens")) return false;
    *above = number;
    *text = at;
    return true;
}

/* The suffixes behind a component's key, each at most once. False: something else stands there. */
static bool read_suffixes(const char *text, price_rate *out) {
    bool tiered = false;
    while (*text) {
        if (!out->above && take_above(&text, &out->above)) continue;
        if (out->component == PRICE_CACHE_WRITE && take(&text, "_above_1hr")) {
            out->component = PRICE_CACHE_WRITE_1H;
            continue;
        }
        steno_service_tier tier = STENO_TIER_FLEX;
        while (tier <= STENO_TIER_BATCH && (*text != '_' || strncmp(text + 1, tiers[tier], strlen(tiers[tier]))))
            tier++;
        if (tiered || tier > STENO_TIER_BATCH) return false;
        text += 1 + strlen(tiers[tier]);
        out->tier = tier;
        tiered = true;
    }
    return true;
}

/* Which price a key is for. False: none that is known. */
static bool read_key(const char *key, price_rate *out) {
    for (size_t i = 0; i < sizeof old_keys / sizeof *old_keys; i++) {
        if (strcmp(key, old_keys[i].key)) continue;
        *out = (price_rate){.component = old_keys[i].component};
        return true;
    }
    for (price_component i = 0; i < PRICE_COMPONENTS; i++) {
        const char *suffixes = key;
        *out = (price_rate){.component = i};
        if (i != PRICE_CACHE_WRITE_1H && take(&suffixes, components[i].key) && read_suffixes(suffixes, out))
            return true;
    }
    return false;
}

void price_rate_key(const price_rate *rate, char out[PRICE_KEY_BYTES]) {
    char above[32] = "";
    if (rate->above)
        snprintf(above, sizeof above, rate->above % 1000 ? "_above_%lld_tokens" : "_above_%lldk_tokens",
                 (long long)(rate->above % 1000 ? rate->above : rate->above / 1000));
    snprintf(out, PRICE_KEY_BYTES, "%s%s%s%s", components[rate->component].key, above,
             rate->tier == STENO_TIER_STANDARD ? "" : "_", rate->tier == STENO_TIER_STANDARD ? "" : tiers[rate->tier]);
}

/* ---- values ---- */

/* A number, or a text that is one, as JSON writes it (strtod would take hexadecimal, and the comma of a locale); at most `max`. */
static bool read_number(const json_t *value, double max, double *out) {
    const char *text = json_string_value(value);
    json_t *said = text && !strpbrk(text, " \t\r\n") ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    const json_t *number = text ? said : value;
    const bool is = json_is_number(number);
    *out = json_number_value(number);
    json_decref(said);
    return is && *out >= 0 && *out <= max;
}

static steno_status no_price(const char *key, const json_t *value, steno_error *error) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    steno_status status = steno_fail(error, STENO_INVALID, "`%.80s` is not a price from 0 to %d dollars: %.60s", key,
                                     PRICE_DOLLARS_MAX, text ? text : "?");
    free(text);
    return status;
}

/* ---- entries ---- */

static steno_status add_rate(price_entry *to, price_rate rate, const char *key, const json_t *value,
                             steno_error *error) {
    double dollars;
    if (!read_number(value, PRICE_DOLLARS_MAX, &dollars)) return no_price(key, value, error);
    if (to->rates_count == PRICE_RATES_MAX)
        return steno_fail(error, STENO_INVALID, "it has more than %d prices", PRICE_RATES_MAX);
    if (rate.component == PRICE_FILE_SEARCH) dollars /= 1000;
    rate.pico_dollars = llround(dollars * PICO_PER_DOLLAR);
    to->rates[to->rates_count++] = rate;
    return STENO_OK;
}

static steno_status read_search(price_entry *to, const char *key, const json_t *sizes, steno_error *error) {
    for (price_component i = PRICE_SEARCH_LOW; i <= PRICE_SEARCH_HIGH; i++) {
        const json_t *value = json_object_get(sizes, strchr(components[i].key, '.') + 1);
        steno_status status = value ? add_rate(to, (price_rate){.component = i}, key, value, error) : STENO_OK;
        if (status) return status;
    }
    return STENO_OK;
}

/* [{range: [from, to], rates}, …] */
static steno_status read_ranges(price_entry *to, const json_t *ranges, steno_error *error) {
    for (size_t i = 0; i < json_array_size(ranges); i++) {
        const json_t *one = json_array_get(ranges, i), *range = json_object_get(one, "range");
        double from;
        const char *key;
        json_t *value;
        if (!read_number(json_array_get(range, 0), (double)ABOVE_MAX, &from))
            return steno_fail(error, STENO_INVALID, "`tiered_pricing` has a range without a number at its beginning");
        json_object_foreach((json_t *)(uintptr_t)one, key, value) {
            price_rate rate;
            if (!strcmp(key, "range") || !read_key(key, &rate)) continue;
            rate.above = (int64_t)from;
            steno_status status = add_rate(to, rate, key, value, error);
            if (status) return status;
        }
    }
    return STENO_OK;
}

static steno_status add_factor(price_entry *to, price_factor factor, const char *key, const json_t *value,
                               steno_error *error) {
    double times;
    if (!read_number(value, PRICE_FACTOR_MAX, &times))
        return steno_fail(error, STENO_INVALID, "`%.80s` is not a factor from 0 to %d", key, PRICE_FACTOR_MAX);
    if (to->factors_count == PRICE_FACTORS_MAX)
        return steno_fail(error, STENO_INVALID, "it has more than %d factors", PRICE_FACTORS_MAX);
    factor.millionths = llround(times * PRICE_MILLION);
    to->factors[to->factors_count++] = factor;
    return STENO_OK;
}

/* The factors of {us: 1.1, fast: 6}; anything else in it is the ecosystem's own business. */
static steno_status read_specific(price_entry *to, const json_t *specific, steno_error *error) {
    const json_t *us = json_object_get(specific, "us"), *fast = json_object_get(specific, "fast");
    steno_status status = us ? add_factor(to, (price_factor){.when = PRICE_FACTOR_US}, "us", us, error) : STENO_OK;
    return !status && fast ? add_factor(to, (price_factor){.when = PRICE_FACTOR_FAST}, "fast", fast, error) : status;
}

static bool is_superseded(const json_t *row, const char *key) {
    for (size_t i = 0; i < sizeof old_keys / sizeof *old_keys; i++)
        if (!strcmp(key, old_keys[i].key)) return json_object_get(row, components[old_keys[i].component].key);
    return false;
}

static bool is_silent(const char *key) {
    if (!strncmp(key, "supports_", 9) || !strncmp(key, "supported_", 10)) return true;
    for (const char *const *known = silent_keys; *known; known++)
        if (!strcmp(key, *known)) return true;
    return false;
}

static steno_status read_member(price_entry *to, const char *key, const json_t *value, price_ignored_fn ignored,
                                void *ctx, steno_error *error) {
    const char *region = key;
    price_rate rate;
    if (json_is_null(value) || is_silent(key)) return STENO_OK;
    if (!strcmp(key, "search_context_cost_per_query")) return read_search(to, key, value, error);
    if (!strcmp(key, "tiered_pricing")) return read_ranges(to, value, error);
    if (!strcmp(key, "provider_specific_entry")) return read_specific(to, value, error);
    price_factor factor = {.when = PRICE_FACTOR_REGION};
    if (take(&region, "regional_processing_uplift_multiplier_") && *region && strlen(region) < sizeof factor.region) {
        strcpy(factor.region, region);
        return add_factor(to, factor, key, value, error);
    }
    if (read_key(key, &rate)) return add_rate(to, rate, key, value, error);
    if (ignored) ignored(key, ctx);
    return STENO_OK;
}

/* A copy of the text; NULL where there is none. */
static steno_status keep_text(char **out, const json_t *row, const char *key, steno_error *error) {
    const json_t *value = json_object_get(row, key);
    const char *text = json_string_value(value);
    if (value && !text && !json_is_null(value)) return steno_fail(error, STENO_INVALID, "`%s` is not a text", key);
    if (!text || !*text) return STENO_OK;
    *out = strdup(text);
    return *out ? STENO_OK : steno_fail(error, STENO_NO_MEMORY, "no memory for a price");
}

static bool is_date(const char *text) {
    static const char form[] = "dddd-dd-dd";
    size_t i = 0;
    while (form[i] && (form[i] == 'd' ? isdigit((unsigned char)text[i]) != 0 : text[i] == form[i])) i++;
    return !form[i] && !text[i];
}

static steno_status read_entry(const char *model, const json_t *row, price_ignored_fn ignored, void *ctx,
                               price_entry *out, steno_error *error) {
    const char *key, *date = json_string_value(json_object_get(row, "price_date"));
    json_t *value;
    if (!json_is_object(row)) return steno_fail(error, STENO_INVALID, "it is not a JSON object");
    if (!*model || strlen(model) >= PRICE_MODEL_BYTES)
        return steno_fail(error, STENO_INVALID, "its name has no bytes, or more than %d", PRICE_MODEL_BYTES - 1);
    out->model = strdup(model);
    out->rates = calloc(PRICE_RATES_MAX, sizeof *out->rates);
    if (!out->model || !out->rates) return steno_fail(error, STENO_NO_MEMORY, "no memory for a price");
    steno_status kept = keep_text(&out->provider, row, "litellm_provider", error);
    if (!kept) kept = keep_text(&out->base_model, row, "base_model", error);
    if (!kept) kept = keep_text(&out->mode, row, "mode", error);
    if (!kept) kept = keep_text(&out->origin, row, "source", error);
    if (kept) return kept;
    if (date && is_date(date)) strcpy(out->date, date);
    json_object_foreach((json_t *)(uintptr_t)row, key, value) {
        steno_status status = is_superseded(row, key) ? STENO_OK : read_member(out, key, value, ignored, ctx, error);
        if (status) return status;
    }
    if (!out->rates_count && !out->base_model) return steno_fail(error, STENO_INVALID, PRICE_NONE_UNDERSTOOD);
    price_rate *fitting = reallocarray(out->rates, out->rates_count + 1, sizeof *fitting);
    if (fitting) out->rates = fitting;
    return STENO_OK;
}

steno_status price_entry_read(const char *model, const json_t *row, price_ignored_fn ignored, void *ctx,
                              price_entry *out, steno_error *error) {
    *out = (price_entry){0};
    steno_status status = read_entry(model, row, ignored, ctx, out, error);
    if (status) price_entry_clear(out);
    return status;
}

void price_entry_clear(price_entry *entry) {
    free(entry->model);
    free(entry->provider);
    free(entry->base_model);
    free(entry->mode);
    free(entry->origin);
    free(entry->rates);
    *entry = (price_entry){0};
}

/* How well a rate fits: its tier and its threshold, its threshold, its tier, nothing but itself. Negative: not at all. */
static int64_t fitness(const price_rate *rate, steno_service_tier tier, int64_t prompt_tokens) {
    if (rate->tier != STENO_TIER_STANDARD && rate->tier != tier) return -1;
    if (rate->above && prompt_tokens <= rate->above) return -1;
    return 2 * rate->above + (rate->tier == tier);
}

const price_rate *price_entry_rate(const price_entry *entry, price_component component, steno_service_tier tier,
                                   int64_t prompt_tokens) {
    const price_rate *best = NULL;
    int64_t best_fit = -1;
    for (size_t i = 0; i < entry->rates_count; i++) {
        if (entry->rates[i].component != component) continue;
        int64_t fit = fitness(&entry->rates[i], tier, prompt_tokens);
        if (fit <= best_fit) continue;
        best = &entry->rates[i];
        best_fit = fit;
    }
    return best;
}
