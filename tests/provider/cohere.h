/* Cohere's v2 API as the test provider speaks it. */
#ifndef PROVIDER_COHERE_H
#define PROVIDER_COHERE_H

#include "tests/provider/route.h"

/* Ends with one that begins nowhere. */
extern const route cohere_routes[];

#endif
