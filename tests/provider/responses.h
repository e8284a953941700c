/* OpenAI's Responses API as the test provider speaks it. */
#ifndef PROVIDER_RESPONSES_H
#define PROVIDER_RESPONSES_H

#include "tests/provider/route.h"

/* Ends with one that begins nowhere. */
extern const route responses_routes[];

#endif
