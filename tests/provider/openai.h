/* OpenAI's API as the test provider speaks it: deterministic answers, usage computed from words. */
#ifndef PROVIDER_OPENAI_H
#define PROVIDER_OPENAI_H

#include "tests/provider/reply.h"

/* Each returns a reply, owned by the caller; NULL when memory is short. `request` is the parsed body, `reflected` what fault `reflect` answers with. */
reply *openai_chat(const json_t *request, const char *reflected, const fault *faults);
reply *openai_embeddings(const json_t *request, const fault *faults);
reply *openai_models(const fault *faults);
/* An error body in OpenAI's form. */
reply *openai_error(unsigned status, const char *message, const char *type, const char *code, const fault *faults);

#endif
