/* What a call costs: schema/COSTS.md, "Components", as code. All of it is whole pico-dollars, so nothing is rounded but an uplift. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/prices.h"
#include "schema/sized.h"

/* A component of the prompt or the completion, and how much of it there is. */
typedef struct share {
    price_component component;
    int64_t quantity;
} share;

#define SHARES_MAX STENO_COST_ITEMS_MAX

/* A bill that is being written. */
typedef struct billing {
    const price_entry *entry;
    const steno_cost_ask *ask;
    steno_cost *out;
    share shares[SHARES_MAX];
    size_t count;
} billing;

static int64_t known(int64_t number) { return number == STENO_UNKNOWN ? 0 : number; }

/* ---- how much there is of what ---- */

static steno_status contradiction(const char *part, const char *whole, steno_error *error) {
    return steno_fail(error, STENO_INVALID, "the usage contradicts itself: %s is more than %s", part, whole);
}

static steno_status check_usage(const price_entry *entry, const steno_usage *usage, steno_error *error) {
    bool whole = entry->mode && !strcmp(entry->mode, "embedding"); /* nothing is completed there */
    if (usage->prompt_tokens == STENO_UNKNOWN || (usage->completion_tokens == STENO_UNKNOWN && !whole))
        return steno_fail(error, STENO_INVALID, "the usage does not say how many tokens the %s had",
                          usage->prompt_tokens == STENO_UNKNOWN ? "prompt" : "completion");
    const int64_t counts[] = {
        usage->prompt_tokens,       usage->completion_tokens,       usage->cached_tokens,
        usage->cached_audio_tokens, usage->cache_write_tokens,      usage->cache_write_1h_tokens,
        usage->prompt_audio_tokens, usage->prompt_image_tokens,     usage->prompt_video_tokens,
        usage->reasoning_tokens,    usage->completion_audio_tokens, usage->completion_image_tokens,
        usage->web_searches,        usage->file_searches,           usage->code_sessions};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i] < STENO_UNKNOWN) return steno_fail(error, STENO_INVALID, "the usage has negative counts");
    if (known(usage->cached_tokens) > usage->prompt_tokens)
        return contradiction("cached_tokens", "prompt_tokens", error);
    if (known(usage->cached_audio_tokens) > known(usage->cached_tokens))
        return contradiction("cached_audio_tokens", "cached_tokens", error);
    if (known(usage->cached_audio_tokens) > known(usage->prompt_audio_tokens))
        return contradiction("cached_audio_tokens", "prompt_audio_tokens", error);
    if (known(usage->cache_write_1h_tokens) > known(usage->cache_write_tokens))
        return contradiction("cache_write_1h_tokens", "cache_write_tokens", error);
    if (known(usage->reasoning_tokens) > known(usage->completion_tokens))
        return contradiction("reasoning_tokens", "completion_tokens", error);
    return STENO_OK;
}

static void add_share(billing *self, price_component component, int64_t quantity) {
    if (quantity > 0) self->shares[self->count++] = (share){component, quantity};
}

/* Takes up to `excess` away from a count. */
static int64_t cut(int64_t count, int64_t *excess) {
    int64_t less = *excess < count ? *excess : count;
    *excess -= less;
    return count - less;
}

/* The prompt's parts; what is left is plain input. */
static steno_status share_prompt(billing *self, steno_error *error) {
    const steno_usage *usage = &self->ask->usage;
    int64_t cached = known(usage->cached_tokens), cached_audio = known(usage->cached_audio_tokens);
    int64_t written = known(usage->cache_write_tokens), written_1h = known(usage->cache_write_1h_tokens);
    int64_t audio = known(usage->prompt_audio_tokens) - cached_audio, image = known(usage->prompt_image_tokens),
            video = known(usage->prompt_video_tokens), parts;
    if (__builtin_add_overflow(cached, written, &parts) || __builtin_add_overflow(parts, audio, &parts) ||
        __builtin_add_overflow(parts, image, &parts) || __builtin_add_overflow(parts, video, &parts))
        return contradiction("the sum of the prompt's parts", "64 bits hold", error);
    /* Cached images and videos are counted among both. */
    int64_t excess = parts > usage->prompt_tokens ? parts - usage->prompt_tokens : 0;
    image = cut(image, &excess);
    video = cut(video, &excess);
    audio = cut(audio, &excess);
    if (excess > 0) return contradiction("what was cached and written together", "prompt_tokens", error);
    add_share(self, PRICE_INPUT, usage->prompt_tokens - cached - written - audio - image - video);
    add_share(self, PRICE_CACHE_READ, cached - cached_audio);
    add_share(self, PRICE_CACHE_READ_AUDIO, cached_audio);
    add_share(self, PRICE_CACHE_WRITE, written - written_1h);
    add_share(self, PRICE_CACHE_WRITE_1H, written_1h);
    add_share(self, PRICE_INPUT_AUDIO, audio);
    add_share(self, PRICE_INPUT_IMAGE, image);
    add_share(self, PRICE_INPUT_VIDEO, video);
    return STENO_OK;
}

static const price_rate *rate_of(const billing *self, price_component component) {
    return price_entry_rate(self->entry, component, self->ask->usage.service_tier, self->ask->usage.prompt_tokens);
}

/* The completion's parts. Reasoning is one only where it has a price of its own. */
static steno_status share_completion(billing *self, steno_error *error) {
    const steno_usage *usage = &self->ask->usage;
    int64_t reasoning = rate_of(self, PRICE_REASONING) ? known(usage->reasoning_tokens) : 0;
    int64_t audio = known(usage->completion_audio_tokens), image = known(usage->completion_image_tokens), parts;
    if (__builtin_add_overflow(reasoning, audio, &parts) || __builtin_add_overflow(parts, image, &parts) ||
        parts > known(usage->completion_tokens))
        return contradiction("the sum of the completion's parts", "completion_tokens", error);
    add_share(self, PRICE_OUTPUT, known(usage->completion_tokens) - parts);
    add_share(self, PRICE_REASONING, reasoning);
    add_share(self, PRICE_OUTPUT_AUDIO, audio);
    add_share(self, PRICE_OUTPUT_IMAGE, image);
    return STENO_OK;
}

static price_component search_of(const steno_cost_ask *ask) {
    steno_search_context size = ask->usage.search_context;
    if (size == STENO_SEARCH_UNKNOWN && ask->search_context)
        size = !strcmp(ask->search_context, "low")    ? STENO_SEARCH_LOW
               : !strcmp(ask->search_context, "high") ? STENO_SEARCH_HIGH
                                                      : STENO_SEARCH_UNKNOWN;
    return size == STENO_SEARCH_LOW    ? PRICE_SEARCH_LOW
           : size == STENO_SEARCH_HIGH ? PRICE_SEARCH_HIGH
                                       : PRICE_SEARCH_MEDIUM;
}

static void share_tools(billing *self) {
    const steno_usage *usage = &self->ask->usage;
    if (rate_of(self, PRICE_REQUEST)) add_share(self, PRICE_REQUEST, 1);
    add_share(self, search_of(self->ask), known(usage->web_searches));
    add_share(self, PRICE_FILE_SEARCH, known(usage->file_searches));
    add_share(self, PRICE_CODE, known(usage->code_sessions));
}

/* ---- what it comes to ---- */

static steno_status too_much(steno_error *error) {
    return steno_fail(error, STENO_INVALID, "the usage has more tokens than can be priced");
}

static steno_status bill(billing *self, share what, steno_error *error) {
    price_component from = what.component;
    const price_rate *rate = rate_of(self, from);
    while (!rate && price_component_parent(from) != from) rate = rate_of(self, from = price_component_parent(from));
    if (!rate)
        return steno_fail(error, STENO_NOT_FOUND, "the price entry of %s has no `%s`", self->entry->model,
                          price_component_key(what.component));
    steno_cost *out = self->out;
    steno_cost_item *item = &out->items[out->items_count++];
    *item = (steno_cost_item){.component = price_component_name(what.component),
                              .substituted = from != what.component,
                              .quantity = what.quantity,
                              .pico_dollars_each = rate->pico_dollars};
    price_rate_key(rate, item->rate);
    if (rate->above > out->above) out->above = rate->above;
    if (__builtin_mul_overflow(rate->pico_dollars, what.quantity, &item->pico_dollars) ||
        __builtin_add_overflow(out->pico_dollars, item->pico_dollars, &out->pico_dollars))
        return too_much(error);
    return STENO_OK;
}

static bool applies(const price_factor *factor, const steno_cost_ask *ask) {
    switch (factor->when) {
    case PRICE_FACTOR_US: return ask->usage.in_us;
    case PRICE_FACTOR_FAST: return ask->usage.fast;
    default: return ask->region && !strcmp(factor->region, ask->region);
    }
}

/* What the factors add, as an item of its own. */
static steno_status uplift(billing *self, steno_error *error) {
    steno_cost *out = self->out;
    __int128 times = out->pico_dollars, whole = 1;
    bool any = false;
    for (size_t i = 0; i < self->entry->factors_count; i++) {
        const price_factor *factor = &self->entry->factors[i];
        if (!applies(factor, self->ask)) continue;
        any = true;
        if (__builtin_mul_overflow(times, (__int128)factor->millionths, &times)) return too_much(error);
        if (__builtin_mul_overflow(whole, (__int128)PRICE_MILLION, &whole)) return too_much(error);
    }
    if (!any) return STENO_OK;
    __int128 total = (times + whole / 2) / whole;
    if (total > INT64_MAX) return too_much(error);
    const int64_t more = (int64_t)total - out->pico_dollars;
    out->items[out->items_count++] = (steno_cost_item){
        .component = "uplift", .rate = "uplift", .quantity = 1, .pico_dollars_each = more, .pico_dollars = more};
    out->pico_dollars = (int64_t)total;
    return STENO_OK;
}

static steno_status price(billing *self, steno_error *error) {
    steno_status status = check_usage(self->entry, &self->ask->usage, error);
    if (!status) status = share_prompt(self, error);
    if (!status) status = share_completion(self, error);
    if (!status) share_tools(self);
    for (size_t i = 0; i < self->count && !status; i++) status = bill(self, self->shares[i], error);
    return status ? status : uplift(self, error);
}

static steno_status no_price(const steno_cost_ask *ask, const prices_found *found, steno_error *error) {
    if (found->named)
        return steno_fail(error, STENO_NOT_FOUND, "the price entry %.128s stands for %.128s, which has none",
                          found->named->model, found->named->base_model);
    return steno_fail(error, STENO_NOT_FOUND, "no price is known for model \"%.128s\"%s%.32s: its cost stays unknown",
                      ask->model, ask->provider ? " of " : "", ask->provider ? ask->provider : "");
}

steno_status prices_cost(const prices_view *view, const steno_cost_ask *ask, steno_cost *out, steno_error *error) {
    *out = (steno_cost){.tier = ask->usage.service_tier};
    prices_found found = prices_find(view, ask, NULL, NULL);
    if (!found.entry) return no_price(ask, &found, error);
    snprintf(out->price_model, sizeof out->price_model, "%s", found.entry->model);
    strcpy(out->price_date, found.entry->date);
    out->price_source = prices_layer_name(found.layer);
    billing self = {.entry = found.entry, .ask = ask, .out = out};
    return price(&self, error);
}

steno_status steno_cost_of(steno_prices *prices, const steno_cost_ask *given, steno_cost *out, steno_error *error) {
    steno_cost_ask ask = STENO_COST_ASK_INIT;
    steno_status status = sized_take(&ask, sizeof ask, given, "steno_cost_ask", "STENO_COST_ASK_INIT", error);
    if (status) return status;
    if (!ask.model) ask.model = "";
    prices_view view = prices_take(prices);
    status = prices_cost(&view, &ask, out, error);
    prices_release(&view);
    return status;
}

char *steno_cost_breakdown(const steno_cost *cost) {
    json_t *json = json_object();
    for (size_t i = 0; i < cost->items_count; i++) {
        const steno_cost_item *item = &cost->items[i];
        json_t *line = json_pack("[I,I]", (json_int_t)item->quantity, (json_int_t)item->pico_dollars_each);
        if (item->substituted) json_array_append_new(line, json_string(item->rate));
        json_object_set_new(json, item->component, line);
    }
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}
