/* Any bytes as a price file, and its entries priced: no crash, no leak, and a bill is the sum of its lines. The first byte says what usage. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/prices.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_bill(const steno_cost *cost) {
    int64_t sum = 0;
    if (cost->items_count > STENO_COST_ITEMS_MAX) abort();
    for (size_t i = 0; i < cost->items_count; i++) sum += cost->items[i].pico_dollars;
    if (sum != cost->pico_dollars || cost->pico_dollars < 0) abort();
    free(steno_cost_breakdown(cost));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    prices_view view = {0};
    if (size < 1 ||
        price_table_parse("fuzz", (const char *)bytes + 1, size - 1, NULL, &view.tables[PRICES_LAYER_OWN], NULL))
        return 0;
    const price_table *table = view.tables[PRICES_LAYER_OWN];
    for (size_t i = 0; i < table->count && i < 100; i++) {
        steno_cost_ask ask = STENO_COST_ASK_INIT;
        steno_cost cost;
        const int64_t many = bytes[0] & 1 ? 300000 : INT64_C(1) << 40;
        ask.provider = bytes[0] & 2 ? table->entries[i].provider : NULL;
        ask.model = table->entries[i].model;
        ask.region = bytes[0] & 4 ? "eu" : NULL;
        ask.usage.prompt_tokens = many;
        ask.usage.completion_tokens = many;
        ask.usage.cached_tokens = bytes[0] & 8 ? many / 2 : STENO_UNKNOWN;
        ask.usage.prompt_audio_tokens = bytes[0] & 16 ? many / 3 : 0;
        ask.usage.reasoning_tokens = many / 4;
        ask.usage.web_searches = bytes[0] & 32 ? 3 : 0;
        ask.usage.service_tier = (steno_service_tier)(bytes[0] >> 6);
        ask.usage.fast = ask.usage.in_us = bytes[0] & 4;
        if (!prices_cost(&view, &ask, &cost, NULL)) check_bill(&cost);
    }
    prices_release(&view);
    return 0;
}
