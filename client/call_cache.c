/* A call and the cache: what it is asked for, what a hit becomes, what is kept. Invariant: only whole, successful replies with something in them are
 * kept, and only for the target that gave them.
 */
#include <stdlib.h>
#include <string.h>

#include "client/cache.h"
#include "client/cache_key.h"
#include "client/call.h"
#include "client/prices.h"
#include "client/request.h"
#include "client/usage.h"
#include "schema/clean.h"
#include "schema/json.h"
#include "schema/json_text.h"

CLEANUP_FUNCTION(clean_json, json_t, json_decref)

int64_t call_price(const call *self, const steno_response *response) {
    char region[32];
    steno_cost_ask ask = STENO_COST_ASK_INIT;
    steno_cost cost;
    ask.provider = self->to.provider->name;
    ask.model = self->to.model;
    ask.answered_model = steno_response_model(response);
    ask.region = prices_region(ask.provider, self->to.api_base, region) ? region : NULL;
    ask.search_context = *self->search_context ? self->search_context : NULL;
    ask.usage = response->usage;
    if (!steno_cost_of(self->client->prices, &ask, &cost, NULL)) return cost.pico_dollars;
    return response->usage.reported_pico_dollars;
}

/* ---- asking ---- */

static bool is_wanted(const steno_client *client, const steno_request *request) {
    if (!client->cache || request->cache_use == STENO_CACHE_OFF) return false;
    return request->cache_use != STENO_CACHE_DEFAULT || !client->cache_opt_in;
}

/* What shapes the answer beside the body. The key and other headers are among it: who may ask one account may not ask another. */
static bool make_key(call *self, const steno_request *request) {
    static const char *const kinds[CALL_KINDS] = {
        [CALL_CHAT] = "chat", [CALL_TEXT] = "text", [CALL_EMBEDDING] = "embedding"};
    const target *to = &self->to;
    const char *name_space = self->client->cache_name_space;
    cleanup_free char *headers = json_dumps(request->headers, JSON_SORT_KEYS | JSON_COMPACT);
    if (!headers) return false;
    const char *const parts[] = {to->provider->name,
                                 to->by->name,
                                 kinds[self->kind],
                                 to->base,
                                 to->model,
                                 to->version ? to->version : "",
                                 name_space ? name_space : "",
                                 to->api_key ? to->api_key : "",
                                 to->aws.key_id ? to->aws.key_id : "",
                                 headers,
                                 to->account, /* NULL: it ends here */
                                 NULL};
    cleanup(clean_json) json_t *shaping = json_copy(to->body);
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(shaping, next, name, value) {
        if (cache_key_ignores(name)) json_object_del(shaping, name);
    }
    return cache_key_make(parts, shaping, self->cache_key);
}

/* The response in what was kept; NULL if that is not what it should be. */
static steno_response *read_kept(const call *self, const cache_hit *hit) {
    cleanup(clean_json) json_t *kept = json_parse(hit->text, hit->size, NULL);
    json_t *json = json_object_get(kept, "response");
    const json_t *raw = json_object_get(kept, "usage");
    if (!json_is_object(json)) return NULL;
    steno_usage usage = self->to.by->usage(raw);
    usage_take_reply(&usage, json);
    steno_response *response = response_new(json_incref(json), raw, &usage, self->call_id);
    if (!response) return NULL;
    response->cache_hit = true;
    response->pico_dollars = call_price(self, response);
    return response;
}

/* ---- a hit as a stream ---- */

/* A message as the delta that brings it all. */
static json_t *delta_of(const json_t *message) {
    json_t *delta = json_deep_copy(message);
    json_t *calls = json_object_get(delta, "tool_calls");
    for (size_t i = 0; i < json_array_size(calls); i++)
        json_object_set_new(json_array_get(calls, i), "index", json_integer((json_int_t)i));
    return delta;
}

/* The response's head with these choices, which are taken over. */
static json_t *chunk_of(const json_t *response, json_t *choices) {
    json_t *chunk = json_copy((json_t *)(uintptr_t)response);
    const char *object = json_string_value(json_object_get(response, "object"));
    json_object_del(chunk, "usage");
    json_object_set_new(chunk, "choices", choices);
    if (object && !strcmp(object, "chat.completion"))
        json_object_set_new(chunk, "object", json_string("chat.completion.chunk"));
    return chunk;
}

static bool give_chunk(call *self, json_t *chunk, const char *text) {
    buffer made = {0};
    bool goes_on = json_text_add(&made, chunk) && !self->on_chunk(text, buffer_text(&made), self->on_chunk_ctx);
    buffer_free(&made);
    json_decref(chunk);
    return goes_on;
}

/* Each choice is one chunk, then comes the usage. False: the application wants no more. */
static bool replay(call *self, const steno_response *response) {
    const json_t *choices = json_object_get(response->json, "choices"),
                 *usage = json_object_get(response->json, "usage");
    for (size_t i = 0; i < json_array_size(choices); i++) {
        json_t *choice = json_copy(json_array_get(choices, i));
        const json_t *message = json_object_get(choice, "message");
        if (message) json_object_set_new(choice, "delta", delta_of(message));
        json_object_del(choice, "message");
        json_t *one = json_array();
        json_array_append_new(one, choice);
        if (!give_chunk(self, chunk_of(response->json, one), i ? "" : steno_response_text(response))) return false;
    }
    if (!usage) return true;
    json_t *last = chunk_of(response->json, json_array());
    json_object_set(last, "usage", (json_t *)(uintptr_t)usage);
    return give_chunk(self, last, "");
}

void call_cache_ask(call *self, const steno_request *request) {
    cache_hit hit = {0};
    if (!is_wanted(self->client, request) || !make_key(self, request)) {
        *self->cache_key = '\0';
        return;
    }
    if (request->cache_use == STENO_CACHE_REFRESH || !cache_get(self->client->cache, self->cache_key, &hit)) return;
    steno_response *response = read_kept(self, &hit);
    free(hit.text);
    if (!response) return;
    self->now.response = response;
    self->cache_hit = self->over = true;
}

bool call_cache_replay(call *self) { return !self->stream || !self->on_chunk || replay(self, self->now.response); }

/* ---- keeping ---- */

static bool says_something(const call *self, const steno_response *response) {
    if (self->kind == CALL_EMBEDDING) return json_array_size(json_object_get(response->json, "data"));
    return *steno_response_text(response) || steno_response_tool_calls(response);
}

void call_cache_keep(const call *self) {
    const steno_response *response = self->now.response;
    if (!*self->cache_key || self->fallbacks_used || !response || !says_something(self, response)) return;
    buffer text = {0};
    json_t *kept = json_object();
    json_object_set(kept, "response", response->json);
    if (response->raw_usage) json_object_set(kept, "usage", response->raw_usage);
    if (json_text_add(&text, kept))
        cache_put(self->client->cache, self->cache_key, text.bytes, text.size, self->cache_ttl_ms);
    buffer_free(&text);
    json_decref(kept);
}
