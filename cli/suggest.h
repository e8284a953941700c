/* "Did you mean …?" */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include <stddef.h>

/* The word that `typed` is nearest to, or NULL if none is near: at most a third of its letters (one for short words) are
 * missing, added, changed or swapped, or it is the beginning of exactly one word.
 */
const char *suggest(const char *typed, const char *const *words, size_t count);

#endif
