/* Where reading begins: --from beginning|now|OFFSET. */
#ifndef CLI_FROM_H
#define CLI_FROM_H

#include <stdbool.h>
#include <stdint.h>

#define FROM_EXPECTED "option --from: \"%s\" is neither beginning, now nor an offset"

/* *out is STENO_FROM_BEGINNING, STENO_FROM_NOW, or the first offset wanted. */
bool from_parse(const char *text, int64_t *out);

#endif
