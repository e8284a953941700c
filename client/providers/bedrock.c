/* (to be written) */
#include "client/providers/wire.h"

const wire wire_bedrock = {.name = "bedrock"};
