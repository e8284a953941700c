/* (to be written) */
#include "client/providers/wire.h"

const wire wire_cohere = {.name = "cohere"};
