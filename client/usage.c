/* The rules of usage. */
#include "client/usage.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "schema/json.h"

const steno_usage usage_unknown = STENO_USAGE_UNKNOWN;

#define PICO_PER_DOLLAR 1e12
/* A cost beyond it, in dollars, is none: 64 bits hold nine times as much. */
#define REPORTED_MAX 1e6
/* xAI counts in ticks. */
#define TICKS_PER_DOLLAR 1e10

/* The numbers of a usage: what an event calls them, and where they are in OpenAI's object. */
static const struct field {
    size_t offset;
    const char *name, *group, *member;
} fields[USAGE_FIELDS] = {
#define FIELD(field, group, member) \
    { offsetof(steno_usage, field), #field, group, member }
#define PROMPT "prompt_tokens_details"
#define COMPLETION "completion_tokens_details"
#define TOOLS "server_tool_use"
    [USAGE_PROMPT] = FIELD(prompt_tokens, NULL, "prompt_tokens"),
    [USAGE_COMPLETION] = FIELD(completion_tokens, NULL, "completion_tokens"),
    [USAGE_TOTAL] = FIELD(total_tokens, NULL, "total_tokens"),
    [USAGE_CACHED] = FIELD(cached_tokens, PROMPT, "cached_tokens"),
    [USAGE_CACHED_AUDIO] = FIELD(cached_audio_tokens, PROMPT, "cached_audio_tokens"),
    [USAGE_WRITTEN] = FIELD(cache_write_tokens, PROMPT, "cache_write_tokens"),
    [USAGE_WRITTEN_1H] = FIELD(cache_write_1h_tokens, PROMPT, "cache_write_1h_tokens"),
    [USAGE_PROMPT_AUDIO] = FIELD(prompt_audio_tokens, PROMPT, "audio_tokens"),
    [USAGE_PROMPT_IMAGE] = FIELD(prompt_image_tokens, PROMPT, "image_tokens"),
    [USAGE_PROMPT_VIDEO] = FIELD(prompt_video_tokens, PROMPT, "video_tokens"),
    [USAGE_REASONING] = FIELD(reasoning_tokens, COMPLETION, "reasoning_tokens"),
    [USAGE_COMPLETION_AUDIO] = FIELD(completion_audio_tokens, COMPLETION, "audio_tokens"),
    [USAGE_COMPLETION_IMAGE] = FIELD(completion_image_tokens, COMPLETION, "image_tokens"),
    [USAGE_WEB_SEARCHES] = FIELD(web_searches, TOOLS, "web_search_requests"),
    [USAGE_FILE_SEARCHES] = FIELD(file_searches, TOOLS, "file_search_requests"),
    [USAGE_CODE_SESSIONS] = FIELD(code_sessions, TOOLS, "code_interpreter_sessions"),
};

static int64_t *at_field(steno_usage *usage, usage_field field) {
    return (int64_t *)(void *)((char *)usage + fields[field].offset);
}

static int64_t field_of(const steno_usage *usage, usage_field field) {
    return *at_field((steno_usage *)(uintptr_t)usage, field);
}

/* Where a family says each number: the sum of its terms ("a+b"), of which those that are absent don't count, each the first of its alternatives
 * that is there ("a|b"). "a[AUDIO]" is the tokenCount of that modality in a list. NULL: the family does not say it.
 */
typedef const char *const usage_rule[USAGE_FIELDS];

static usage_rule openai = {
    [USAGE_PROMPT] = "prompt_tokens",
    [USAGE_COMPLETION] = "completion_tokens",
    [USAGE_TOTAL] = "total_tokens",
    [USAGE_CACHED] = PROMPT ".cached_tokens|prompt_cache_hit_tokens|cached_tokens", /* then: DeepSeek, Moonshot */
    [USAGE_CACHED_AUDIO] = PROMPT ".cached_audio_tokens|" PROMPT ".cached_tokens_details.audio_tokens",
    [USAGE_WRITTEN] = PROMPT ".cache_write_tokens|" PROMPT ".cache_creation_tokens",
    [USAGE_WRITTEN_1H] = PROMPT ".cache_write_1h_tokens",
    [USAGE_PROMPT_AUDIO] = PROMPT ".audio_tokens",
    [USAGE_PROMPT_IMAGE] = PROMPT ".image_tokens",
    [USAGE_PROMPT_VIDEO] = PROMPT ".video_tokens",
    [USAGE_REASONING] = COMPLETION ".reasoning_tokens|reasoning_tokens",
    [USAGE_COMPLETION_AUDIO] = COMPLETION ".audio_tokens",
    [USAGE_COMPLETION_IMAGE] = COMPLETION ".image_tokens",
    [USAGE_WEB_SEARCHES] = TOOLS ".web_search_requests|num_search_queries",
    [USAGE_FILE_SEARCHES] = TOOLS ".file_search_requests",
    [USAGE_CODE_SESSIONS] = TOOLS ".code_interpreter_sessions",
};
static usage_rule responses = {
    [USAGE_PROMPT] = "input_tokens",
    [USAGE_COMPLETION] = "output_tokens",
    [USAGE_TOTAL] = "total_tokens",
    [USAGE_CACHED] = "input_tokens_details.cached_tokens",
    [USAGE_WRITTEN] = "input_tokens_details.cache_write_tokens",
    [USAGE_PROMPT_AUDIO] = "input_tokens_details.audio_tokens",
    [USAGE_PROMPT_IMAGE] = "input_tokens_details.image_tokens",
    [USAGE_REASONING] = "output_tokens_details.reasoning_tokens",
    [USAGE_COMPLETION_AUDIO] = "output_tokens_details.audio_tokens",
    [USAGE_COMPLETION_IMAGE] = "output_tokens_details.image_tokens",
};
/* input_tokens leaves out what was read from or written to the cache. */
static usage_rule anthropic = {
    [USAGE_PROMPT] = "input_tokens+cache_read_input_tokens+cache_creation_input_tokens",
    [USAGE_COMPLETION] = "output_tokens",
    [USAGE_CACHED] = "cache_read_input_tokens",
    [USAGE_WRITTEN] = "cache_creation_input_tokens",
    [USAGE_WRITTEN_1H] = "cache_creation.ephemeral_1h_input_tokens",
    [USAGE_REASONING] = "output_tokens_details.thinking_tokens",
    [USAGE_WEB_SEARCHES] = TOOLS ".web_search_requests",
};
/* Thoughts are not among the candidates' tokens. */
static usage_rule gemini = {
    [USAGE_PROMPT] = "promptTokenCount+toolUsePromptTokenCount",
    [USAGE_COMPLETION] = "candidatesTokenCount+thoughtsTokenCount",
    [USAGE_TOTAL] = "totalTokenCount",
    [USAGE_CACHED] = "cachedContentTokenCount",
    [USAGE_CACHED_AUDIO] = "cacheTokensDetails[AUDIO]",
    [USAGE_PROMPT_AUDIO] = "promptTokensDetails[AUDIO]+toolUsePromptTokensDetails[AUDIO]",
    [USAGE_PROMPT_IMAGE] = "promptTokensDetails[IMAGE]+toolUsePromptTokensDetails[IMAGE]",
    [USAGE_PROMPT_VIDEO] = "promptTokensDetails[VIDEO]+toolUsePromptTokensDetails[VIDEO]",
    [USAGE_REASONING] = "thoughtsTokenCount",
    [USAGE_COMPLETION_AUDIO] = "candidatesTokensDetails[AUDIO]",
    [USAGE_COMPLETION_IMAGE] = "candidatesTokensDetails[IMAGE]",
};
static usage_rule ollama = {[USAGE_PROMPT] = "prompt_eval_count", [USAGE_COMPLETION] = "eval_count"};
/* inputTokens leaves out the cache, as with Anthropic. inputTextTokenCount: Titan's embeddings. */
static usage_rule bedrock = {
    [USAGE_PROMPT] = "inputTokens|inputTextTokenCount+cacheReadInputTokens|cacheReadInputTokenCount+"
                     "cacheWriteInputTokens|cacheWriteInputTokenCount",
    [USAGE_COMPLETION] = "outputTokens",
    [USAGE_TOTAL] = "totalTokens|inputTextTokenCount",
    [USAGE_CACHED] = "cacheReadInputTokens|cacheReadInputTokenCount",
    [USAGE_WRITTEN] = "cacheWriteInputTokens|cacheWriteInputTokenCount",
};
/* What is billed comes before what was counted. */
static usage_rule cohere = {
    [USAGE_PROMPT] = "billed_units.input_tokens|tokens.input_tokens",
    [USAGE_COMPLETION] = "billed_units.output_tokens|tokens.output_tokens",
    [USAGE_CACHED] = "cached_tokens",
    [USAGE_PROMPT_IMAGE] = "billed_units.image_tokens",
};

/* ---- reading ---- */

static int64_t tokens(const json_t *value) {
    double number = json_number_value(value);
    return json_is_number(value) && number >= 0 && number <= (double)STENO_EVENT_TOKENS_MAX ? (int64_t)number
                                                                                            : STENO_UNKNOWN;
}

/* Of [{modality, tokenCount}, …], the sum for one modality. */
static int64_t of_modality(const json_t *list, const char *modality, size_t size) {
    int64_t sum = STENO_UNKNOWN;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(one, "modality"));
        int64_t count = tokens(json_object_get(one, "tokenCount"));
        if (!name || strlen(name) != size || strncasecmp(name, modality, size) || count == STENO_UNKNOWN) continue;
        sum = (sum == STENO_UNKNOWN ? 0 : sum) + count;
    }
    return sum;
}

/* The number at "a.b" or "a[M]", which has `size` characters. */
static int64_t at_path(const json_t *raw, const char *path, size_t size) {
    for (const char *end = path + size; raw && path < end;) {
        size_t length = strcspn(path, ".[+|");
        raw = json_object_getn(raw, path, length);
        path += length;
        if (path < end && *path == '[') return of_modality(raw, path + 1, (size_t)(end - path) - 2);
        path += path < end;
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

/* The tier of a name: "flex", "ON_DEMAND_FLEX", "priority", …; any other is the standard one. */
static steno_service_tier tier_of(const json_t *value) {
    static const char *const names[] = {
        [STENO_TIER_FLEX] = "flex", [STENO_TIER_PRIORITY] = "priority", [STENO_TIER_BATCH] = "batch"};
    const char *name = json_string_value(json_is_object(value) ? json_object_get(value, "type") : value);
    const char *last = name ? strrchr(name, '_') : NULL;
    for (steno_service_tier tier = STENO_TIER_FLEX; name && tier <= STENO_TIER_BATCH; tier++)
        if (!strcasecmp(last ? last + 1 : name, names[tier])) return tier;
    return STENO_TIER_STANDARD;
}

static bool is_word(const json_t *raw, const char *name, const char *word) {
    const char *said = json_string_value(json_object_get(raw, name));
    return said && !strcmp(said, word);
}

static steno_search_context context_of(const json_t *raw) {
    if (is_word(raw, "search_context_size", "low")) return STENO_SEARCH_LOW;
    if (is_word(raw, "search_context_size", "medium")) return STENO_SEARCH_MEDIUM;
    return is_word(raw, "search_context_size", "high") ? STENO_SEARCH_HIGH : STENO_SEARCH_UNKNOWN;
}

static double number_at(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : -1;
}

/* What the provider says it cost: OpenRouter (and beside it what goes to a key of one's own), Perplexity, xAI. */
static int64_t reported(const json_t *raw) {
    const json_t *cost = json_object_get(raw, "cost");
    double dollars = json_is_object(cost) ? number_at(cost, "total_cost") : number_at(raw, "cost");
    double upstream = number_at(json_object_get(raw, "cost_details"), "upstream_inference_cost");
    if (json_is_true(json_object_get(raw, "is_byok")) && dollars >= 0 && upstream > 0) dollars += upstream;
    if (dollars < 0) dollars = number_at(raw, "cost_in_usd_ticks") / TICKS_PER_DOLLAR;
    return dollars >= 0 && dollars <= REPORTED_MAX ? llround(dollars * PICO_PER_DOLLAR) : STENO_UNKNOWN;
}

static steno_usage apply(usage_rule rule, const json_t *raw) {
    steno_usage usage = usage_unknown;
    for (usage_field i = 0; i < USAGE_FIELDS; i++) *at_field(&usage, i) = sum_of(raw, rule[i]);
    bool both = usage.prompt_tokens != STENO_UNKNOWN && usage.completion_tokens != STENO_UNKNOWN;
    /* xAI counts reasoning beside the completion; its total says so. */
    if (both && usage.reasoning_tokens > 0 && usage.total_tokens != STENO_UNKNOWN &&
        usage.total_tokens == usage.prompt_tokens + usage.completion_tokens + usage.reasoning_tokens)
        usage.completion_tokens += usage.reasoning_tokens;
    if (both && usage.total_tokens == STENO_UNKNOWN) usage.total_tokens = usage.prompt_tokens + usage.completion_tokens;
    static const char *const tiers[] = {"service_tier", "trafficType", "serviceTier"};
    for (size_t i = 0; i < sizeof tiers / sizeof *tiers && !usage.service_tier; i++)
        usage.service_tier = tier_of(json_object_get(raw, tiers[i]));
    usage.search_context = context_of(raw);
    usage.fast = is_word(raw, "speed", "fast");
    usage.in_us = is_word(raw, "inference_geo", "us");
    usage.reported_pico_dollars = reported(raw);
    return usage;
}

steno_usage usage_from_openai(const json_t *raw) {
    steno_usage usage = apply(openai, raw);
    /* Perplexity: each request has searched, at the price of its context's size. */
    if (usage.search_context && usage.web_searches < 1) usage.web_searches = 1;
    return usage;
}
steno_usage usage_from_responses(const json_t *raw) { return apply(responses, raw); }
steno_usage usage_from_gemini(const json_t *raw) { return apply(gemini, raw); }
steno_usage usage_from_ollama(const json_t *raw) { return apply(ollama, raw); }
steno_usage usage_from_cohere(const json_t *raw) { return apply(cohere, raw); }

/* Adds what is known of the one to the other. */
static void add_usage(steno_usage *to, const steno_usage *more) {
    for (usage_field i = 0; i < USAGE_FIELDS; i++) {
        int64_t *count = at_field(to, i), other = field_of(more, i);
        if (other != STENO_UNKNOWN) *count = (*count == STENO_UNKNOWN ? 0 : *count) + other;
    }
}

/* What compacting the conversation took is billed, too, but not among the reply's own numbers. */
steno_usage usage_from_anthropic(const json_t *raw) {
    steno_usage usage = apply(anthropic, raw);
    const json_t *iterations = json_object_get(raw, "iterations");
    for (size_t i = 0; i < json_array_size(iterations); i++) {
        const json_t *one = json_array_get(iterations, i);
        if (!is_word(one, "type", "compaction")) continue;
        steno_usage more = apply(anthropic, one);
        add_usage(&usage, &more);
    }
    return usage;
}

steno_usage usage_from_bedrock(const json_t *raw) {
    steno_usage usage = apply(bedrock, raw);
    const json_t *details = json_object_get(raw, "cacheDetails");
    for (size_t i = 0; i < json_array_size(details); i++) {
        const json_t *one = json_array_get(details, i);
        int64_t count = tokens(json_object_get(one, "inputTokens"));
        if (!is_word(one, "ttl", "1h") || count == STENO_UNKNOWN) continue;
        usage.cache_write_1h_tokens =
            (usage.cache_write_1h_tokens == STENO_UNKNOWN ? 0 : usage.cache_write_1h_tokens) + count;
    }
    return usage;
}

void usage_take_reply(steno_usage *usage, const json_t *reply) {
    steno_service_tier tier = tier_of(json_object_get(reply, "service_tier"));
    if (tier) usage->service_tier = tier;
    for (usage_field i = USAGE_WEB_SEARCHES; i <= USAGE_CODE_SESSIONS; i++) {
        int64_t count = tokens(json_object_get(json_object_get(reply, TOOLS), fields[i].member));
        if (count != STENO_UNKNOWN) *at_field(usage, i) = count;
    }
}

/* ---- writing ---- */

json_t *usage_to_openai(const steno_usage *usage) {
    json_t *json = json_object();
    for (usage_field i = 0; i < USAGE_FIELDS; i++) {
        int64_t count = field_of(usage, i);
        if (count == STENO_UNKNOWN) continue;
        json_t *group = json;
        if (fields[i].group && !(group = json_object_get(json, fields[i].group))) {
            group = json_object();
            json_object_set_new_nocheck(json, fields[i].group, group);
        }
        json_object_set_new_nocheck(group, fields[i].member, json_integer(count));
    }
    return json;
}

const char *usage_tier_name(steno_service_tier tier) {
    static const char *const names[] = {[STENO_TIER_STANDARD] = NULL,
                                        [STENO_TIER_FLEX] = "flex",
                                        [STENO_TIER_PRIORITY] = "priority",
                                        [STENO_TIER_BATCH] = "batch"};
    return names[tier];
}

void usage_write(steno_draft *draft, const steno_usage *usage, const json_t *raw) {
    static const char *const contexts[] = {NULL, "low", "medium", "high"};
    if (!json_is_object(raw)) return;
    steno_draft_map_begin(draft, "usage");
    for (usage_field i = 0; i < USAGE_FIELDS; i++)
        if (field_of(usage, i) != STENO_UNKNOWN) steno_draft_int(draft, fields[i].name, field_of(usage, i));
    if (usage->service_tier) steno_draft_string(draft, "service_tier", usage_tier_name(usage->service_tier));
    if (usage->search_context) steno_draft_string(draft, "search_context", contexts[usage->search_context]);
    if (usage->fast) steno_draft_bool(draft, "fast", true);
    if (usage->in_us) steno_draft_bool(draft, "in_us", true);
    if (usage->reported_pico_dollars != STENO_UNKNOWN)
        steno_draft_double(draft, "reported_cost", (double)usage->reported_pico_dollars / PICO_PER_DOLLAR);
    draft_json(draft, "raw", raw);
    steno_draft_map_end(draft);
}

static int64_t value_count(const steno_value *map, const char *name) {
    int64_t count = steno_value_int(steno_value_get(map, name), STENO_UNKNOWN);
    return count < 0 || count > STENO_EVENT_TOKENS_MAX ? STENO_UNKNOWN : count;
}

static const char *value_word(const steno_value *map, const char *name) {
    const steno_value *value = steno_value_get(map, name);
    return steno_value_type(value) == STENO_TYPE_STRING ? steno_value_string(value, NULL) : "";
}

steno_usage usage_from_event(const steno_value *map) {
    steno_usage usage = usage_unknown;
    if (steno_value_type(map) != STENO_TYPE_MAP) return usage;
    for (usage_field i = 0; i < USAGE_FIELDS; i++) *at_field(&usage, i) = value_count(map, fields[i].name);
    const char *tier = value_word(map, "service_tier"), *context = value_word(map, "search_context");
    for (steno_service_tier i = STENO_TIER_FLEX; i <= STENO_TIER_BATCH; i++)
        if (!strcmp(tier, usage_tier_name(i))) usage.service_tier = i;
    usage.search_context = !strcmp(context, "low")      ? STENO_SEARCH_LOW
                           : !strcmp(context, "medium") ? STENO_SEARCH_MEDIUM
                           : !strcmp(context, "high")   ? STENO_SEARCH_HIGH
                                                        : STENO_SEARCH_UNKNOWN;
    usage.fast = steno_value_bool(steno_value_get(map, "fast"), false);
    usage.in_us = steno_value_bool(steno_value_get(map, "in_us"), false);
    double dollars = steno_value_double(steno_value_get(map, "reported_cost"), -1);
    if (dollars >= 0 && dollars <= REPORTED_MAX) usage.reported_pico_dollars = llround(dollars * PICO_PER_DOLLAR);
    return usage;
}
