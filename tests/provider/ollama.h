/* Ollama's own API as the test provider speaks it. */
#ifndef PROVIDER_OLLAMA_H
#define PROVIDER_OLLAMA_H

#include "tests/provider/route.h"

/* Ends with one that begins nowhere. */
extern const route ollama_routes[];

#endif
