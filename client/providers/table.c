/* The table of providers that speak OpenAI's chat completions. Base URLs as of November 2026, from the providers' documentation. */
#include "client/providers/table.h"

#include <stdio.h>
#include <string.h>

static const provider providers[] = {
    {"openai", "https://api.openai.com/v1", "OPENAI_API_KEY", "OPENAI_BASE_URL"}, /* the first is the default */
    /* These two through their OpenAI-compatible endpoints. */
    {"anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", "STENO_ANTHROPIC_BASE_URL"},
    {"gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY", "STENO_GEMINI_BASE_URL"},
    {"cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", "CEREBRAS_BASE_URL"},
    {"deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY", "DEEPINFRA_BASE_URL"},
    {"deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL"},
    {"fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", "FIREWORKS_BASE_URL"},
    {"groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", "GROQ_BASE_URL"},
    {"mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", "MISTRAL_BASE_URL"},
    {"moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY", "MOONSHOT_BASE_URL"},
    {"nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", "NVIDIA_BASE_URL"},
    {"ollama", "http://localhost:11434/v1", NULL, "OLLAMA_BASE_URL"},
    {"openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL"},
    {"perplexity", "https://api.perplexity.ai", "PERPLEXITY_API_KEY", "PERPLEXITY_BASE_URL"},
    {"sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY", "SAMBANOVA_BASE_URL"},
    {"together", "https://api.together.xyz/v1", "TOGETHER_API_KEY", "TOGETHER_BASE_URL"},
    {"xai", "https://api.x.ai/v1", "XAI_API_KEY", "XAI_BASE_URL"},
};

/* What a call goes by that was meant for a provider which is not in the table. It is never sent. */
static const provider nobody = {"unknown", "", NULL, "OPENAI_BASE_URL"};

#define PROVIDERS (sizeof providers / sizeof *providers)

static steno_status unknown(const char *asked, size_t prefix, steno_error *error) {
    char known[512] = "";
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

steno_status provider_find(const char *asked, bool custom_url, const provider **out, const char **model,
                           steno_error *error) {
    *out = &providers[0];
    *model = asked;
    const char *slash = strchr(asked, '/');
    if (!*asked || (slash && !slash[1])) return steno_fail(error, STENO_INVALID, "the request names no model");
    if (!slash) return STENO_OK;
    size_t prefix = (size_t)(slash - asked);
    for (size_t i = 0; i < PROVIDERS; i++)
        if (strlen(providers[i].name) == prefix && !memcmp(providers[i].name, asked, prefix)) {
            *out = &providers[i];
            *model = slash + 1;
            return STENO_OK;
        }
    if (custom_url) return STENO_OK;
    *out = &nobody;
    return unknown(asked, prefix, error);
}
