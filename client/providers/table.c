/* The table of providers. Base URLs as of November 2026, from the providers' documentation. */
#include "client/providers/table.h"

#include <stdio.h>
#include <string.h>

/* Servers that know only the older name. */
#define OLD_MAX_TOKENS .renames = "max_completion_tokens=max_tokens"

/* A row that says all there is to say. */
#define PLAIN .wire = NULL

static const provider providers[] = {
    /* The first is the default. */
    {"openai", "https://api.openai.com/v1", PLAIN,
     .account = "OPENAI_ORG_ID=OpenAI-Organization OPENAI_PROJECT_ID=OpenAI-Project"},
    /* Families with a wire of their own. */
    {"anthropic", "https://api.anthropic.com", &wire_anthropic, .tokens = "ANTHROPIC_AUTH_TOKEN",
     .auth = "x-api-key: ", .header = "anthropic-version: 2023-06-01"},
    {"azure", NULL, &wire_azure, .keys = "AZURE_OPENAI_API_KEY", .tokens = "AZURE_OPENAI_AD_TOKEN",
     .urls = "AZURE_API_BASE AZURE_OPENAI_ENDPOINT", .auth = "api-key: "},
    {"bedrock", NULL, &wire_bedrock, .keys = "AWS_BEARER_TOKEN_BEDROCK", .urls = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"},
    {"cohere", "https://api.cohere.com", &wire_cohere, .keys = "CO_API_KEY", .urls = "CO_API_URL"},
    {"gemini", "https://generativelanguage.googleapis.com", &wire_gemini, .keys = "GOOGLE_API_KEY",
     .urls = "GOOGLE_GEMINI_BASE_URL", .auth = "x-goog-api-key: "},
    {"ollama", "http://localhost:11434", &wire_ollama, .urls = "OLLAMA_HOST", .keyless = true},
    /* Those that speak OpenAI's protocol. */
    {"ai21", "https://api.ai21.com/studio/v1", OLD_MAX_TOKENS},
    {"cerebras", "https://api.cerebras.ai/v1", .added = "/v1"},
    {"chutes", "https://llm.chutes.ai/v1", OLD_MAX_TOKENS},
    {"codestral", "https://codestral.mistral.ai/v1", OLD_MAX_TOKENS},
    {"dashscope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", OLD_MAX_TOKENS},
    {"deepinfra", "https://api.deepinfra.com/v1/openai", .keys = "DEEPINFRA_TOKEN", OLD_MAX_TOKENS},
    {"deepseek", "https://api.deepseek.com/v1", OLD_MAX_TOKENS},
    {"featherless", "https://api.featherless.ai/v1", OLD_MAX_TOKENS},
    {"fireworks", "https://api.fireworks.ai/inference/v1", OLD_MAX_TOKENS},
    {"friendli", "https://api.friendli.ai/serverless/v1", .keys = "FRIENDLI_TOKEN", OLD_MAX_TOKENS},
    {"github", "https://models.inference.ai.azure.com", .keys = "GITHUB_TOKEN"},
    {"groq", "https://api.groq.com/openai/v1", .added = "/openai/v1"},
    {"huggingface", "https://router.huggingface.co/v1", .keys = "HF_TOKEN", OLD_MAX_TOKENS},
    {"hyperbolic", "https://api.hyperbolic.xyz/v1", OLD_MAX_TOKENS},
    {"litellm", "http://localhost:4000", .keys = "LITELLM_PROXY_API_KEY", .urls = "LITELLM_PROXY_API_BASE",
     .keyless = true},
    {"llamacpp", "http://localhost:8080/v1", .keyless = true, OLD_MAX_TOKENS},
    {"lmstudio", "http://localhost:1234/v1", .keyless = true, OLD_MAX_TOKENS},
    {"meta", "https://api.llama.com/compat/v1", .keys = "LLAMA_API_KEY"},
    {"mistral", "https://api.mistral.ai/v1", .renames = "max_completion_tokens=max_tokens seed=random_seed"},
    {"moonshot", "https://api.moonshot.ai/v1", OLD_MAX_TOKENS},
    {"nanogpt", "https://nano-gpt.com/api/v1", OLD_MAX_TOKENS},
    {"nebius", "https://api.studio.nebius.ai/v1", OLD_MAX_TOKENS},
    {"novita", "https://api.novita.ai/v3/openai", OLD_MAX_TOKENS},
    {"nscale", "https://inference.api.nscale.com/v1", .keys = "NSCALE_SERVICE_TOKEN", OLD_MAX_TOKENS},
    {"nvidia", "https://integrate.api.nvidia.com/v1", .keys = "NVIDIA_NIM_API_KEY", OLD_MAX_TOKENS},
    {"openrouter", "https://openrouter.ai/api/v1", PLAIN},
    {"perplexity", "https://api.perplexity.ai", .keys = "PPLX_API_KEY", OLD_MAX_TOKENS},
    {"poe", "https://api.poe.com/v1", PLAIN},
    {"sambanova", "https://api.sambanova.ai/v1", OLD_MAX_TOKENS},
    {"sarvam", "https://api.sarvam.ai/v1", .auth = "api-subscription-key: ", OLD_MAX_TOKENS},
    {"scaleway", "https://api.scaleway.ai/v1", .keys = "SCW_SECRET_KEY", OLD_MAX_TOKENS},
    {"sglang", "http://localhost:30000/v1", .keyless = true, OLD_MAX_TOKENS},
    {"siliconflow", "https://api.siliconflow.cn/v1", OLD_MAX_TOKENS},
    {"together", "https://api.together.xyz/v1", .keys = "TOGETHERAI_API_KEY", OLD_MAX_TOKENS},
    {"upstage", "https://api.upstage.ai/v1/solar", OLD_MAX_TOKENS},
    {"venice", "https://api.venice.ai/api/v1", PLAIN},
    {"vllm", "http://localhost:8000/v1", .keyless = true},
    {"volcengine", "https://ark.cn-beijing.volces.com/api/v3", .keys = "ARK_API_KEY", OLD_MAX_TOKENS},
    {"xai", "https://api.x.ai/v1", PLAIN},
    {"xiaomi", "https://api.xiaomimimo.com/v1", .keys = "XIAOMI_MIMO_API_KEY"},
    {"zai", "https://api.z.ai/api/paas/v4", .keys = "ZHIPU_API_KEY", OLD_MAX_TOKENS},
    {"zhipu", "https://open.bigmodel.cn/api/paas/v4", .keys = "ZAI_API_KEY", OLD_MAX_TOKENS},
};

/* What a call goes by that was meant for a provider which is not in the table. It is never sent. */
static const provider nobody = {.name = "unknown"};

/* Bare names that are known: how they begin, and whose they are. */
static const struct {
    const char *beginning, *provider;
} known_models[] = {
    {"claude-", "anthropic"},
    {"gemini-", "gemini"},
    {"gemma-3", "gemini"},
    {"command-", "cohere"},
    {"embed-", "cohere"},
    {"mistral-", "mistral"},
    {"ministral-", "mistral"},
    {"magistral-", "mistral"},
    {"codestral-", "mistral"},
    {"devstral-", "mistral"},
    {"pixtral-", "mistral"},
    {"open-mistral-", "mistral"},
    {"deepseek-chat", "deepseek"},
    {"deepseek-reasoner", "deepseek"},
    {"grok-", "xai"},
    {"sonar", "perplexity"},
    {"kimi-", "moonshot"},
    {"glm-", "zai"},
    {"jamba-", "ai21"},
};

#define PROVIDERS (sizeof providers / sizeof *providers)
/* In a model's name: OpenAI's other protocol. */
#define RESPONSES "responses/"

const provider *provider_at(size_t index) { return index < PROVIDERS ? &providers[index] : NULL; }

static const provider *of_name(const char *name, size_t size) {
    for (size_t i = 0; i < PROVIDERS; i++)
        if (strlen(providers[i].name) == size && !memcmp(providers[i].name, name, size)) return &providers[i];
    return NULL;
}

const provider *provider_named(const char *name) { return of_name(name, strlen(name)); }

static const provider *of_known_model(const char *model) {
    for (size_t i = 0; i < sizeof known_models / sizeof *known_models; i++)
        if (!strncmp(model, known_models[i].beginning, strlen(known_models[i].beginning)))
            return provider_named(known_models[i].provider);
    return &providers[0];
}

static steno_status unknown(const char *asked, size_t prefix, steno_error *error) {
    char known[640] = "";
    for (size_t i = 0; i < PROVIDERS; i++) {
        size_t length = strlen(known);
        snprintf(known + length, sizeof known - length, "%s%s", i ? ", " : "", providers[i].name);
    }
    return steno_fail(
        error, STENO_INVALID,
        "unknown provider \"%.*s\" in model \"%.128s\": known are %s; for any other server that speaks OpenAI's "
        "protocol set its base URL",
        (int)(prefix < 64 ? prefix : 64), asked, asked, known);
}

/* The model behind the prefix, and the wire. */
static void take(const provider *found, const char *rest, const wire **by, const char **model) {
    bool responses = (!found->wire || found->wire == &wire_azure) && !strncmp(rest, RESPONSES, strlen(RESPONSES)) &&
                     rest[strlen(RESPONSES)];
    *by = found->wire ? found->wire : &wire_openai;
    if (responses) *by = found->wire ? &wire_azure_responses : &wire_responses;
    *model = responses ? rest + strlen(RESPONSES) : rest;
}

steno_status provider_find(const char *asked, bool custom_url, const provider **out, const wire **by,
                           const char **model, steno_error *error) {
    *out = &nobody;
    *by = &wire_openai;
    *model = asked;
    const char *slash = strchr(asked, '/');
    if (!*asked || (slash && !slash[1])) return steno_fail(error, STENO_INVALID, "the request names no model");
    const provider *found = slash ? of_name(asked, (size_t)(slash - asked)) : NULL;
    bool bare = !slash || !strncmp(asked, RESPONSES, strlen(RESPONSES));
    if (!found && !bare && !custom_url) return unknown(asked, (size_t)(slash - asked), error);
    *out = found ? found : custom_url || slash ? &providers[0] : of_known_model(asked);
    take(*out, found ? slash + 1 : asked, by, model);
    return STENO_OK;
}
