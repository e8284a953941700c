/* Anthropic's Messages as the test provider speaks them. */
#ifndef PROVIDER_ANTHROPIC_H
#define PROVIDER_ANTHROPIC_H

#include "tests/provider/route.h"

/* Ends with one that begins nowhere. */
extern const route anthropic_routes[];

#endif
