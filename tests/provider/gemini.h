/* Gemini's API as the test provider speaks it. */
#ifndef PROVIDER_GEMINI_H
#define PROVIDER_GEMINI_H

#include "tests/provider/route.h"

/* Ends with one that begins nowhere. */
extern const route gemini_routes[];

#endif
