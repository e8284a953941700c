/* The rules of usage. */
#include "client/usage.h"

#include <string.h>

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

/* Where a family says each number: the sum of its terms ("a+b"), of which those that are absent don't count, each the first of its alternatives
 * that is there ("a|b"). NULL: the family does not say it.
 */
typedef struct usage_rule {
    const char *prompt, *completion, *total, *cached, *cache_write, *cache_write_1h, *reasoning;
} usage_rule;

static const usage_rule openai = {
    .prompt = "prompt_tokens",
    .completion = "completion_tokens",
    .total = "total_tokens",
    .cached = "prompt_tokens_details.cached_tokens|prompt_cache_hit_tokens", /* the latter: DeepSeek */
    .cache_write = "prompt_tokens_details.cache_write_tokens",
    .reasoning = "completion_tokens_details.reasoning_tokens",
};
static const usage_rule responses = {
    .prompt = "input_tokens",
    .completion = "output_tokens",
    .total = "total_tokens",
    .cached = "input_tokens_details.cached_tokens",
    .cache_write = "input_tokens_details.cache_write_tokens",
    .reasoning = "output_tokens_details.reasoning_tokens",
};
/* input_tokens leaves out what was read from or written to the cache. */
static const usage_rule anthropic = {
    .prompt = "input_tokens+cache_read_input_tokens+cache_creation_input_tokens",
    .completion = "output_tokens",
    .cached = "cache_read_input_tokens",
    .cache_write = "cache_creation_input_tokens",
    .cache_write_1h = "cache_creation.ephemeral_1h_input_tokens",
    .reasoning = "output_tokens_details.thinking_tokens",
};
/* Thoughts are not among the candidates' tokens. */
static const usage_rule gemini = {
    .prompt = "promptTokenCount+toolUsePromptTokenCount",
    .completion = "candidatesTokenCount+thoughtsTokenCount",
    .total = "totalTokenCount",
    .cached = "cachedContentTokenCount",
    .reasoning = "thoughtsTokenCount",
};
static const usage_rule ollama = {.prompt = "prompt_eval_count", .completion = "eval_count"};
/* inputTokens leaves out the cache, as with Anthropic. inputTextTokenCount: Titan's embeddings. */
static const usage_rule bedrock = {
    .prompt = "inputTokens|inputTextTokenCount+cacheReadInputTokens|cacheReadInputTokenCount+cacheWriteInputTokens|"
              "cacheWriteInputTokenCount",
    .completion = "outputTokens",
    .total = "totalTokens|inputTextTokenCount",
    .cached = "cacheReadInputTokens|cacheReadInputTokenCount",
    .cache_write = "cacheWriteInputTokens|cacheWriteInputTokenCount",
};
/* What is billed comes before what was counted. */
static const usage_rule cohere = {
    .prompt = "billed_units.input_tokens|tokens.input_tokens",
    .completion = "billed_units.output_tokens|tokens.output_tokens",
    .cached = "cached_tokens",
};

static int64_t tokens(const json_t *value) {
    double number = json_number_value(value);
    return json_is_number(value) && number >= 0 && number <= (double)TOKENS_MAX ? (int64_t)number : STENO_UNKNOWN;
}

/* The number at "a.b", which has `size` characters. */
static int64_t at_path(const json_t *raw, const char *path, size_t size) {
    for (const char *end = path + size; raw && path < end;) {
        const char *dot = memchr(path, '.', (size_t)(end - path));
        size_t length = (size_t)((dot ? dot : end) - path);
        raw = json_object_getn(raw, path, length);
        path += length + 1;
    }
    return tokens(raw);
}

static int64_t sum_of(const json_t *raw, const char *terms) {
    int64_t sum = STENO_UNKNOWN;
    bool has = false; /* of this term an alternative */
    while (terms && *terms) {
        size_t size = strcspn(terms, "+|");
        int64_t count = has ? STENO_UNKNOWN : at_path(raw, terms, size);
        if (count != STENO_UNKNOWN) {
            sum = (sum == STENO_UNKNOWN ? 0 : sum) + count;
            has = true;
        }
        if (terms[size] == '+') has = false;
        terms += size + (terms[size] != '\0');
    }
    return sum;
}

static steno_usage apply(const usage_rule *rule, const json_t *raw) {
    steno_usage usage = {
        .prompt_tokens = sum_of(raw, rule->prompt),
        .completion_tokens = sum_of(raw, rule->completion),
        .total_tokens = sum_of(raw, rule->total),
        .cached_tokens = sum_of(raw, rule->cached),
        .cache_write_tokens = sum_of(raw, rule->cache_write),
        .cache_write_1h_tokens = sum_of(raw, rule->cache_write_1h),
        .reasoning_tokens = sum_of(raw, rule->reasoning),
    };
    bool both = usage.prompt_tokens != STENO_UNKNOWN && usage.completion_tokens != STENO_UNKNOWN;
    /* xAI counts reasoning beside the completion; its total says so. */
    if (both && usage.reasoning_tokens > 0 && usage.total_tokens != STENO_UNKNOWN &&
        usage.total_tokens == usage.prompt_tokens + usage.completion_tokens + usage.reasoning_tokens)
        usage.completion_tokens += usage.reasoning_tokens;
    if (both && usage.total_tokens == STENO_UNKNOWN) usage.total_tokens = usage.prompt_tokens + usage.completion_tokens;
    return usage;
}

steno_usage usage_from_openai(const json_t *raw) { return apply(&openai, raw); }
steno_usage usage_from_responses(const json_t *raw) { return apply(&responses, raw); }
steno_usage usage_from_anthropic(const json_t *raw) { return apply(&anthropic, raw); }
steno_usage usage_from_gemini(const json_t *raw) { return apply(&gemini, raw); }
steno_usage usage_from_ollama(const json_t *raw) { return apply(&ollama, raw); }
steno_usage usage_from_cohere(const json_t *raw) { return apply(&cohere, raw); }

steno_usage usage_from_bedrock(const json_t *raw) {
    steno_usage usage = apply(&bedrock, raw);
    const json_t *details = json_object_get(raw, "cacheDetails");
    for (size_t i = 0; i < json_array_size(details); i++) {
        const json_t *one = json_array_get(details, i);
        const char *ttl = json_string_value(json_object_get(one, "ttl"));
        int64_t count = tokens(json_object_get(one, "inputTokens"));
        if (!ttl || strcmp(ttl, "1h") || count == STENO_UNKNOWN) continue;
        usage.cache_write_1h_tokens =
            (usage.cache_write_1h_tokens == STENO_UNKNOWN ? 0 : usage.cache_write_1h_tokens) + count;
    }
    return usage;
}

static void set_known(json_t *object, const char *name, int64_t count) {
    if (count != STENO_UNKNOWN) json_object_set_new_nocheck(object, name, json_integer(count));
}

/* Takes over `details`, which is left out where it is empty. */
static void set_details(json_t *object, const char *name, json_t *details) {
    if (json_object_size(details))
        json_object_set_new_nocheck(object, name, details);
    else
        json_decref(details);
}

json_t *usage_to_openai(const steno_usage *usage) {
    json_t *json = json_object(), *prompt = json_object(), *completion = json_object();
    set_known(json, "prompt_tokens", usage->prompt_tokens);
    set_known(json, "completion_tokens", usage->completion_tokens);
    set_known(json, "total_tokens", usage->total_tokens);
    set_known(prompt, "cached_tokens", usage->cached_tokens);
    set_known(prompt, "cache_write_tokens", usage->cache_write_tokens);
    set_known(prompt, "cache_write_1h_tokens", usage->cache_write_1h_tokens);
    set_known(completion, "reasoning_tokens", usage->reasoning_tokens);
    set_details(json, "prompt_tokens_details", prompt);
    set_details(json, "completion_tokens_details", completion);
    return json;
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
