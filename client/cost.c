/* The price table and the one function that applies it. Prices are parsed once, into whole pico-dollars a token, so that the arithmetic is
 * exact. Key names in prices.json are those of the ecosystem's usual price file; keys that are not known here are passed over.
 */
#include "client/cost.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "schema/json.h"

/* A rate that the table does not give. */
#define RATE_NONE INT64_C(-1)
/* Price tiers by the length of the prompt, of one model. */
#define TIERS_MAX 4
#define MODEL_BYTES_MAX 256

extern const char steno_prices_json[];
extern const size_t steno_prices_json_size;

/* Components that have a rate of their own. */
typedef enum component { INPUT, OUTPUT, CACHE_READ, CACHE_WRITE, CACHE_WRITE_1H, COMPONENTS } component;

static const char *const rate_names[COMPONENTS] = {
    [INPUT] = "input_cost_per_token",
    [OUTPUT] = "output_cost_per_token",
    [CACHE_READ] = "cache_read_input_token_cost",
    [CACHE_WRITE] = "cache_creation_input_token_cost",
    [CACHE_WRITE_1H] = "cache_creation_input_token_cost_above_1hr",
};

/* Whose rate is used where a component has none: nothing is free because its price is not known. */
static const component parents[COMPONENTS] = {INPUT, OUTPUT, INPUT, INPUT, CACHE_WRITE};

typedef struct tier {
    int64_t above; /* prompt tokens; 0: the base tier */
    int64_t rates[COMPONENTS];
} tier;

typedef struct entry {
    const char *model, *provider, *date; /* borrowed from the JSON */
    bool embedding;
    tier tiers[TIERS_MAX]; /* rising; the first is the base */
    size_t tiers_count;
} entry;

static pthread_once_t parsed = PTHREAD_ONCE_INIT;
static entry *entries; /* sorted by model; live as long as the process */
static size_t entries_count;

/* ---- the table ---- */

static int by_model(const void *a, const void *b) {
    return strcmp(((const entry *)a)->model, ((const entry *)b)->model);
}

/* The tier for prompts above `tokens`, made where it is missing; tiers stay sorted. NULL if there are too many. */
static tier *tier_above(entry *which, int64_t tokens) {
    size_t at = 0;
    while (at < which->tiers_count && which->tiers[at].above < tokens) at++;
    if (at < which->tiers_count && which->tiers[at].above == tokens) return &which->tiers[at];
    if (which->tiers_count == TIERS_MAX) return NULL;
    memmove(&which->tiers[at + 1], &which->tiers[at], (which->tiers_count - at) * sizeof(tier));
    which->tiers_count++;
    which->tiers[at] = (tier){.above = tokens};
    for (int i = 0; i < COMPONENTS; i++) which->tiers[at].rates[i] = RATE_NONE;
    return &which->tiers[at];
}

/* Takes one key of an entry: a rate, "…_above_<N>k_tokens" or without. Longer names first: some begin like others. */
static void read_rate(entry *which, const char *key, const json_t *value) {
    double dollars = json_number_value(value);
    if (!json_is_number(value) || !(dollars >= 0) || dollars > 1) return;
    for (int i = COMPONENTS - 1; i >= 0; i--) {
        size_t length = strlen(rate_names[i]);
        if (strncmp(key, rate_names[i], length)) continue;
        int64_t above = 0;
        if (key[length]) {
            char *end;
            if (strncmp(key + length, "_above_", 7) || !isdigit((unsigned char)key[length + 7])) continue;
            above = 1000 * strtol(key + length + 7, &end, 10);
            if (strcmp(end, "k_tokens")) continue;
        }
        tier *to = tier_above(which, above);
        if (to) to->rates[i] = llround(dollars * 1e12);
        return;
    }
}

static void parse(void) {
    json_t *table = json_loadb(steno_prices_json, steno_prices_json_size, 0, NULL);
    entries = calloc(json_object_size(table) + 1, sizeof *entries);
    const char *model, *key;
    json_t *row, *value;
    if (!entries) return;
    json_object_foreach(table, model, row) {
        entry *which = &entries[entries_count];
        *which = (entry){.model = model,
                         .provider = json_string_value(json_object_get(row, "litellm_provider")),
                         .date = json_string_value(json_object_get(row, "price_date"))};
        const char *mode = json_string_value(json_object_get(row, "mode"));
        which->embedding = mode && !strcmp(mode, "embedding");
        tier_above(which, 0);
        json_object_foreach(row, key, value) read_rate(which, key, value);
        if (which->provider && which->tiers[0].rates[INPUT] != RATE_NONE) entries_count++;
    }
    qsort(entries, entries_count, sizeof *entries, by_model);
    /* `table` is kept: the entries borrow its texts. */
}

/* ---- which entry ---- */

/* An OpenAI-compatible third party that serves a model of the same name has a price of its own. */
static bool serves(const entry *which, const char *provider) {
    return !provider || !*provider || !strcmp(which->provider, provider);
}

static const entry *find(const char *provider, const char *model) {
    const entry wanted = {.model = model};
    const entry *found = bsearch(&wanted, entries, entries_count, sizeof *entries, by_model);
    return found && serves(found, provider) ? found : NULL;
}

/* Cuts a snapshot's suffix off: -2024-07-18, -20250929, -latest. False if there is none. */
static bool cut_snapshot(char *model) {
    static const char *const forms[] = {"-dddd-dd-dd", "-dddddddd", "-latest"};
    size_t size = strlen(model);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t length = strlen(forms[i]), at = 0;
        if (size <= length) continue;
        bool literal = i == 2;
        const char *suffix = model + size - length;
        while (at < length &&
               (!literal && forms[i][at] == 'd' ? isdigit((unsigned char)suffix[at]) != 0 : suffix[at] == forms[i][at]))
            at++;
        if (at < length) continue;
        model[size - length] = '\0';
        return true;
    }
    return false;
}

/* Exact, without "provider/", without a snapshot's date: never a guess. */
static const entry *look_up(const char *provider, const char *model) {
    const entry *found = find(provider, model);
    const char *slash = strchr(model, '/');
    if (!found && slash) found = find(provider, model = slash + 1);
    char family[MODEL_BYTES_MAX];
    if (found || strlen(model) >= sizeof family) return found;
    strcpy(family, model);
    return cut_snapshot(family) ? find(provider, family) : NULL;
}

/* ---- what it comes to ---- */

/* The rate of a component for a prompt of so many tokens. The tier is chosen by the whole prompt, strictly above its threshold, and
 * counts for the whole request; what it does not name keeps the base rate.
 */
static int64_t rate_of(const entry *which, component what, int64_t prompt_tokens) {
    for (;; what = parents[what]) {
        for (size_t i = which->tiers_count; i-- > 0;)
            if (prompt_tokens > which->tiers[i].above || i == 0)
                if (which->tiers[i].rates[what] != RATE_NONE) return which->tiers[i].rates[what];
        if (parents[what] == what) return RATE_NONE;
    }
}

static int64_t known(int64_t tokens) { return tokens == STENO_UNKNOWN ? 0 : tokens; }

static steno_status check_usage(const entry *which, const steno_usage *usage, steno_error *error) {
    if (usage->prompt_tokens == STENO_UNKNOWN || (usage->completion_tokens == STENO_UNKNOWN && !which->embedding))
        return steno_fail(error, STENO_INVALID, "the usage does not say how many tokens the %s had",
                          usage->prompt_tokens == STENO_UNKNOWN ? "prompt" : "completion");
    int64_t cached = known(usage->cached_tokens), written = known(usage->cache_write_tokens);
    int64_t written_1h = known(usage->cache_write_1h_tokens), reasoning = known(usage->reasoning_tokens);
    if (usage->prompt_tokens < 0 || known(usage->completion_tokens) < 0 || cached < 0 || written < 0 ||
        written_1h < 0 || reasoning < 0)
        return steno_fail(error, STENO_INVALID, "the usage has negative counts");
    if (cached > usage->prompt_tokens || written > usage->prompt_tokens - cached || written_1h > written ||
        reasoning > known(usage->completion_tokens))
        return steno_fail(error, STENO_INVALID, "the usage contradicts itself: a part is larger than its whole");
    return STENO_OK;
}

steno_status cost_compute(const char *provider, const char *model, const steno_usage *usage, cost_figure *out,
                          steno_error *error) {
    pthread_once(&parsed, parse);
    const entry *which = look_up(provider, model);
    if (!which)
        return steno_fail(error, STENO_NOT_FOUND,
                          "no price is known for model \"%.128s\"%s%.32s: its cost stays unknown", model,
                          provider ? " of " : "", provider ? provider : "");
    steno_status status = check_usage(which, usage, error);
    if (status) return status;
    int64_t cached = known(usage->cached_tokens), written = known(usage->cache_write_tokens);
    int64_t written_1h = known(usage->cache_write_1h_tokens);
    const int64_t tokens[COMPONENTS] = {
        [INPUT] = usage->prompt_tokens - cached - written,
        [OUTPUT] = known(usage->completion_tokens),
        [CACHE_READ] = cached,
        [CACHE_WRITE] = written - written_1h,
        [CACHE_WRITE_1H] = written_1h,
    };
    int64_t sum = 0;
    for (component what = 0; what < COMPONENTS; what++) {
        if (tokens[what] == 0) continue;
        int64_t rate = rate_of(which, what, usage->prompt_tokens), part;
        if (rate == RATE_NONE)
            return steno_fail(error, STENO_NOT_FOUND, "the price table has no `%s` for %s", rate_names[what],
                              which->model);
        if (__builtin_mul_overflow(rate, tokens[what], &part) || __builtin_add_overflow(sum, part, &sum))
            return steno_fail(error, STENO_INVALID, "the usage has more tokens than can be priced");
    }
    *out = (cost_figure){.pico_dollars = sum, .price_model = which->model, .price_date = which->date};
    return STENO_OK;
}

steno_status steno_cost_of(const char *provider, const char *model, const steno_usage *usage, int64_t *pico_dollars,
                           steno_error *error) {
    cost_figure figure;
    steno_status status = cost_compute(provider, model, usage, &figure, error);
    if (!status) *pico_dollars = figure.pico_dollars;
    return status;
}
