/* One row for each other name. */
#include "client/price_provider.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *provider, *listed;
} others[] = {
    {"azure", "azure_text"},
    {"bedrock", "bedrock_converse"},
    {"codestral", "text-completion-codestral"},
    {"cohere", "cohere_chat"},
    {"featherless", "featherless_ai"},
    {"fireworks", "fireworks_ai"},
    {"fireworks", "fireworks_ai-embedding-models"},
    {"friendli", "friendliai"},
    {"gemini", "google"},
    {"github", "github_models"},
    {"meta", "meta_llama"},
    {"nanogpt", "nano-gpt"},
    {"nvidia", "nvidia_nim"},
    {"openai", "text-completion-openai"},
    {"together", "together_ai"},
    {"vertex_ai", "vertex"},
};
#define OTHERS (sizeof others / sizeof *others)

/* Vertex has a name for each kind of model: vertex_ai-language-models, … */
#define VERTEX "vertex_ai"

static bool is_other(const char *name, const char *provider) {
    for (size_t i = 0; i < OTHERS; i++)
        if (!strcasecmp(others[i].listed, name) && !strcasecmp(others[i].provider, provider)) return true;
    return false;
}

bool price_provider_is(const char *listed, const char *provider) {
    if (!listed || !provider || !*provider || !strcasecmp(listed, provider)) return true;
    if (!strcasecmp(provider, VERTEX) && !strncasecmp(listed, VERTEX "-", strlen(VERTEX "-"))) return true;
    return is_other(listed, provider) || is_other(provider, listed);
}

const char *price_provider_name(const char *provider, size_t index) {
    if (index == 0) return provider;
    for (size_t i = 0; i < OTHERS; i++)
        if (!strcasecmp(others[i].provider, provider) && --index == 0) return others[i].listed;
    return NULL;
}
