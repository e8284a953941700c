#include "subscribers/otlp_names.h"

#include <stddef.h>
#include <string.h>

typedef struct pair {
    const char *from, *to;
} pair;

#define LOOK_UP(table, word) look_up(table, sizeof(table) / sizeof *(table), word)

static const char *look_up(const pair *table, size_t count, const char *word) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(table[i].from, word)) return table[i].to;
    return NULL;
}

bool otlp_semconv_parse(const char *text, otlp_semconv *out) {
    static const struct {
        const char *text;
        otlp_semconv semconv;
    } names[] = {{"latest", OTLP_SEMCONV_GENAI_0_1},      {"genai-0.1", OTLP_SEMCONV_GENAI_0_1},
                 {"genai-0.1.0", OTLP_SEMCONV_GENAI_0_1}, {"1.41", OTLP_SEMCONV_1_41},
                 {"1.41.0", OTLP_SEMCONV_1_41},           {"1.41.1", OTLP_SEMCONV_1_41}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i].text, text)) {
            *out = names[i].semconv;
            return true;
        }
    return false;
}

const char *otlp_semconv_url(otlp_semconv semconv) {
    return semconv == OTLP_SEMCONV_1_41 ? "https://opentelemetry.io/schemas/1.41.1" : "";
}

const char *otlp_provider(const char *provider) {
    static const pair known[] = {
        {"azure", "azure.ai.openai"},   {"bedrock", "aws.bedrock"},       {"codestral", "mistral_ai"},
        {"gemini", "gcp.gemini"},       {"github", "azure.ai.inference"}, {"google", "gcp.gen_ai"},
        {"mistral", "mistral_ai"},      {"moonshot", "moonshot_ai"},      {"vertex", "gcp.vertex_ai"},
        {"vertex_ai", "gcp.vertex_ai"}, {"watsonx", "ibm.watsonx.ai"},    {"xai", "x_ai"},
    };
    if (!provider || !*provider) return "unknown";
    const char *name = LOOK_UP(known, provider);
    return name ? name : provider;
}

const char *otlp_operation(const char *call_type) {
    static const pair known[] = {
        {"completion", "chat"},
        {"responses", "chat"},
        {"text_completion", "text_completion"},
        {"embedding", "embeddings"},
        {"image_generation", "generate_content"},
        {"speech", "generate_content"},
        {"transcription", "generate_content"},
    };
    if (!call_type || !*call_type) return "chat";
    const char *name = LOOK_UP(known, call_type);
    if (!name && *call_type == 'a') name = LOOK_UP(known, call_type + 1);
    return name ? name : call_type;
}

const char *otlp_finish_reason(const char *reason, bool failed) {
    static const pair known[] = {{"tool_calls", "tool_call"}, {"function_call", "tool_call"}};
    if (!reason || !*reason) return failed ? "error" : "stop";
    const char *name = LOOK_UP(known, reason);
    return name ? name : reason;
}

const char *otlp_openinference_provider(const char *provider) {
    static const pair known[] = {{"bedrock", "aws"},       {"codestral", "mistralai"}, {"gemini", "google"},
                                 {"mistral", "mistralai"}, {"vertex", "google"},       {"vertex_ai", "google"}};
    const char *name = provider ? LOOK_UP(known, provider) : NULL;
    return name ? name : provider;
}

const char *otlp_openinference_system(const char *provider) {
    static const pair known[] = {
        {"ai21", "ai21"},         {"anthropic", "anthropic"}, {"azure", "openai"},
        {"bedrock", "amazon"},    {"codestral", "mistralai"}, {"cohere", "cohere"},
        {"deepseek", "deepseek"}, {"gemini", "vertexai"},     {"meta", "meta"},
        {"mistral", "mistralai"}, {"openai", "openai"},       {"vertex_ai", "vertexai"},
        {"xai", "xai"},
    };
    return provider ? LOOK_UP(known, provider) : NULL;
}
