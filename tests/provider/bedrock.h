/* Amazon Bedrock as the test provider speaks it: Converse, whole and as an event stream of real frames, and Titan's embeddings. Requests must be signed
 * with the keys of AWS's own examples, or have any bearer token.
 */
#ifndef PROVIDER_BEDROCK_H
#define PROVIDER_BEDROCK_H

#include "tests/provider/route.h"

extern const route bedrock_routes[];

#define BEDROCK_KEY_ID "AKIDEXAMPLE"
#define BEDROCK_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define BEDROCK_REGION "us-east-1"

/* What is wrong with the signature of a request; NULL: nothing. Static. */
const char *bedrock_check_signature(const exchange *with);

#endif
