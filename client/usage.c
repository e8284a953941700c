/* Usage as OpenAI's chat completions and those who follow them report it. What they leave out stays unknown: never zero. */
#include "client/usage.h"

#include "schema/json.h"

const steno_usage usage_unknown = {
    .prompt_tokens = STENO_UNKNOWN,
    .completion_tokens = STENO_UNKNOWN,
    .total_tokens = STENO_UNKNOWN,
    .cached_tokens = STENO_UNKNOWN,
    .cache_write_tokens = STENO_UNKNOWN,
    .cache_write_1h_tokens = STENO_UNKNOWN,
    .reasoning_tokens = STENO_UNKNOWN,
};

/* More tokens than any reply has: a number beyond it is none. */
#define TOKENS_MAX ((int64_t)1 << 40)

static int64_t tokens(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    double number = json_number_value(value);
    return json_is_number(value) && number >= 0 && number <= (double)TOKENS_MAX ? (int64_t)number : STENO_UNKNOWN;
}

static int64_t first_known(int64_t one, int64_t other) { return one != STENO_UNKNOWN ? one : other; }

steno_usage usage_from_openai(const json_t *json) {
    const json_t *prompt = json_object_get(json, "prompt_tokens_details");
    const json_t *completion = json_object_get(json, "completion_tokens_details");
    steno_usage usage = usage_unknown;
    usage.prompt_tokens = tokens(json, "prompt_tokens");
    usage.completion_tokens = tokens(json, "completion_tokens");
    usage.total_tokens = tokens(json, "total_tokens");
    /* DeepSeek has a name of its own for what its cache gave. */
    usage.cached_tokens = first_known(tokens(prompt, "cached_tokens"), tokens(json, "prompt_cache_hit_tokens"));
    usage.cache_write_tokens = tokens(prompt, "cache_write_tokens");
    usage.reasoning_tokens = tokens(completion, "reasoning_tokens");
    if (usage.total_tokens == STENO_UNKNOWN && usage.prompt_tokens != STENO_UNKNOWN &&
        usage.completion_tokens != STENO_UNKNOWN)
        usage.total_tokens = usage.prompt_tokens + usage.completion_tokens;
    return usage;
}

static void write_known(steno_draft *draft, const char *name, int64_t count) {
    if (count != STENO_UNKNOWN) steno_draft_int(draft, name, count);
}

void usage_write(steno_draft *draft, const steno_usage *usage, const json_t *raw) {
    if (!json_is_object(raw)) return;
    steno_draft_map_begin(draft, "usage");
    write_known(draft, "prompt_tokens", usage->prompt_tokens);
    write_known(draft, "completion_tokens", usage->completion_tokens);
    write_known(draft, "total_tokens", usage->total_tokens);
    write_known(draft, "cached_tokens", usage->cached_tokens);
    write_known(draft, "cache_write_tokens", usage->cache_write_tokens);
    write_known(draft, "cache_write_1h_tokens", usage->cache_write_1h_tokens);
    write_known(draft, "reasoning_tokens", usage->reasoning_tokens);
    draft_json(draft, "raw", raw);
    steno_draft_map_end(draft);
}
