/* OpenAI's API as the test provider speaks it: deterministic answers, usage computed from words. */
#ifndef PROVIDER_OPENAI_H
#define PROVIDER_OPENAI_H

#include "tests/provider/route.h"

/* Ends with one that begins nowhere. */
extern const route openai_routes[];
/* An error body in OpenAI's form. */
reply *openai_error(unsigned status, const char *message, const char *type, const char *code, const fault *faults);

#endif
