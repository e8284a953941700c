/* Which entry a model gets: a fixed list of names, tried in order. Never a resemblance. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/price_provider.h"
#include "client/prices.h"

/* Aliases of aliases: more is a loop. */
#define ALIASES_MAX 8
/* Room for provider/region/model. */
#define NAME_BYTES (PRICE_MODEL_BYTES + 96)

/* A search under way. */
typedef struct search {
    const prices_view *view;
    const char *provider, *region;
    prices_layer lowest, highest; /* which layers, the highest first */
    prices_tried_fn tried;
    void *ctx;
    prices_found found;
} search;

/* ---- names ---- */

/* Eight digits: a year of this century, a month, a day. */
static bool is_date(const char digits[8]) {
    const int month = (digits[4] - '0') * 10 + digits[5] - '0', day = (digits[6] - '0') * 10 + digits[7] - '0';
    return digits[0] == '2' && digits[1] == '0' && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* Whether the end of `text` has the form: d is a digit (of eight, those of a date), anything else itself. Cuts it off. */
static bool cut_form(char *text, const char *form) {
    size_t size = strlen(text), length = strlen(form), count = 0;
    char digits[8];
    if (size <= length) return false;
    char *end = text + size - length;
    for (size_t i = 0; i < length; i++) {
        if (form[i] == 'd' ? !isdigit((unsigned char)end[i]) : end[i] != form[i]) return false;
        if (form[i] == 'd') digits[count++] = end[i];
    }
    if (count == sizeof digits && !is_date(digits)) return false;
    *end = '\0';
    return true;
}

/* Cuts the date of a snapshot off. False: there is none. */
static bool cut_snapshot(char *model, const char *provider) {
    static const char *const forms[] = {"-dddd-dd-dd", "-dddddddd", "@dddddddd", "-latest"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (cut_form(model, forms[i])) return true;
    bool google = provider && (price_provider_is("gemini", provider) || price_provider_is("vertex_ai", provider));
    return google && cut_form(model, "-ddd");
}

/* "ft:BASE:ORG::ID" becomes "ft:BASE". False: it is no fine-tune. */
static bool cut_tuning(char *model) {
    char *colon = strncasecmp(model, "ft:", 3) ? NULL : strchr(model + 3, ':');
    if (colon) *colon = '\0';
    return colon != NULL;
}

/* ---- looking ---- */

/* Follows aliases to an entry with prices. */
static const price_entry *follow(search *self, const price_entry *entry, prices_layer *layer) {
    for (int hops = 0; entry && entry->base_model && hops < ALIASES_MAX; hops++) {
        const price_entry *next = NULL;
        for (prices_layer at = PRICES_LAYERS; at-- > PRICES_BUILT_IN && !next;) {
            next = price_table_find(self->view->tables[at], entry->base_model, NULL);
            *layer = at;
        }
        entry = next;
    }
    return entry && entry->base_model ? NULL : entry;
}

/* Looks for one name. True: the search is over (an alias that leads nowhere ends it, too). */
static bool try_name(search *self, const char *name) {
    if (!*name) return false;
    if (self->tried) self->tried(name, self->ctx);
    for (prices_layer at = self->highest + 1; at-- > self->lowest;) {
        const price_entry *entry = price_table_find(self->view->tables[at], name, self->provider);
        if (!entry) continue;
        prices_layer layer = at;
        self->found = (prices_found){.named = entry, .entry = follow(self, entry, &layer)};
        self->found.layer = layer;
        return true;
    }
    return false;
}

/* A model, as it is written: with provider and region, with the provider, by itself. */
static bool try_written(search *self, const char *model) {
    char name[NAME_BYTES];
    const char *provider;
    for (size_t i = 0; self->region && self->provider && (provider = price_provider_name(self->provider, i)); i++) {
        snprintf(name, sizeof name, "%s/%s/%s", provider, self->region, model);
        if (try_name(self, name)) return true;
    }
    if (self->region) {
        snprintf(name, sizeof name, "%s/%s", self->region, model);
        if (try_name(self, name)) return true;
    }
    for (size_t i = 0; self->provider && (provider = price_provider_name(self->provider, i)); i++) {
        snprintf(name, sizeof name, "%s/%s", provider, model);
        if (try_name(self, name)) return true;
    }
    return try_name(self, model);
}

/* The model without the provider's name in front; NULL: it has none. */
static const char *without_provider(const search *self, const char *model) {
    const char *slash = strchr(model, '/'), *provider;
    if (!slash) return NULL;
    size_t size = (size_t)(slash - model);
    if (!self->provider) return slash + 1;
    for (size_t i = 0; (provider = price_provider_name(self->provider, i)); i++)
        if (strlen(provider) == size && !strncasecmp(provider, model, size)) return slash + 1;
    return NULL;
}

static bool try_both(search *self, const char *model) {
    const char *rest = without_provider(self, model);
    return try_written(self, model) || (rest && try_written(self, rest));
}

static bool try_model(search *self, const char *model) {
    char name[PRICE_MODEL_BYTES];
    if (!model || !*model || strlen(model) >= sizeof name) return false;
    strcpy(name, model);
    if (try_both(self, name)) return true;
    /* BASE of a fine-tune is only ever looked for as ft:BASE. */
    if (cut_tuning(name) && try_both(self, name)) return true;
    return cut_snapshot(name, self->provider) && try_both(self, name);
}

/* "groq/x" of nobody in particular is Groq's. */
static bool try_call(search *self, const char *model) {
    char provider[64];
    const char *slash = model && !self->provider ? strchr(model, '/') : NULL;
    if (!slash || (size_t)(slash - model) >= sizeof provider) return try_model(self, model);
    snprintf(provider, sizeof provider, "%.*s", (int)(slash - model), model);
    search named = *self;
    named.provider = provider;
    bool over = try_model(&named, model);
    self->found = named.found;
    return over;
}

prices_found prices_find(const prices_view *view, const steno_cost_ask *ask, prices_tried_fn tried, void *ctx) {
    search self = {.view = view,
                   .provider = ask->provider && *ask->provider ? ask->provider : NULL,
                   .region = ask->region && *ask->region ? ask->region : NULL,
                   .lowest = PRICES_LAYER_OWN,
                   .highest = PRICES_LAYER_OWN,
                   .tried = tried,
                   .ctx = ctx};
    /* A deployment's name is the user's own; the reply says which model it is. */
    bool deployment = self.provider && !strcasecmp(self.provider, "azure") && ask->answered_model;
    const char *first = deployment ? ask->answered_model : ask->model,
               *second = deployment ? ask->model : ask->answered_model;
    if (second && first && !strcasecmp(first, second)) second = NULL;
    if (view->tables[PRICES_LAYER_OWN] && (try_call(&self, first) || try_call(&self, second))) return self.found;
    self.lowest = PRICES_BUILT_IN;
    self.highest = PRICES_LAYER_IMPORTED;
    if (!try_call(&self, first)) try_call(&self, second);
    return self.found;
}

bool prices_region(const char *provider, const char *url, char out[32]) {
    static const struct {
        const char *provider, *before, *after;
    } hosts[] = {{"bedrock", "//bedrock-runtime.", ".amazonaws.com"},
                 {"bedrock", "//bedrock-runtime-fips.", ".amazonaws.com"},
                 {"openai", "//", ".api.openai.com"}};
    for (size_t i = 0; provider && url && i < sizeof hosts / sizeof *hosts; i++) {
        const char *at = strcasecmp(provider, hosts[i].provider) ? NULL : strstr(url, hosts[i].before);
        if (!at) continue;
        at += strlen(hosts[i].before);
        size_t size = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-");
        if (!size || size >= 32 || strncmp(at + size, hosts[i].after, strlen(hosts[i].after))) continue;
        snprintf(out, 32, "%.*s", (int)size, at);
        return true;
    }
    return false;
}
