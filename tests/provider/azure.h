/* Azure's OpenAI as the test provider speaks it: v1 and the dated API; the key in `api-key`, or a bearer token. */
#ifndef PROVIDER_AZURE_H
#define PROVIDER_AZURE_H

#include "tests/provider/route.h"

extern const route azure_routes[];

#endif
