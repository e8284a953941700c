/* The words of the GenAI conventions for what Steno calls otherwise: providers, operations, reasons to finish; and which release's words are spoken. */
#ifndef SUBSCRIBERS_OTLP_NAMES_H
#define SUBSCRIBERS_OTLP_NAMES_H

#include <stdbool.h>

/* The releases whose names a receiver may know. */
typedef enum otlp_semconv {
    OTLP_SEMCONV_GENAI_0_1, /* semantic-conventions-genai v0.1.0 */
    OTLP_SEMCONV_1_41,      /* the last of semantic-conventions that had them: v1.41.1 */
} otlp_semconv;

/* False: no such release. */
bool otlp_semconv_parse(const char *text, otlp_semconv *out);
/* The schema URL of what is sent; "" where none was published. Static. */
const char *otlp_semconv_url(otlp_semconv semconv);

/* `gen_ai.provider.name`: the well-known name, else the provider's own. Borrowed or static. "unknown" of NULL. */
const char *otlp_provider(const char *provider);
/* `gen_ai.operation.name` for a call_type, with or without its `a`. NULL: "chat". */
const char *otlp_operation(const char *call_type);
/* finish_reason of an output message; `failed`: what it is where the provider gave none. */
const char *otlp_finish_reason(const char *reason, bool failed);

/* OpenInference's llm.provider and llm.system; the latter is NULL where whose product it is does not follow from the provider. */
const char *otlp_openinference_provider(const char *provider);
const char *otlp_openinference_system(const char *provider);

#endif
