/* "Did you mean …?", by the number of slips between what was typed and what there is. */
#include "cli/suggest.h"

#include <string.h>

/* No word of ours is longer; what is longer was no slip. */
#define WORD_BYTES_MAX 32

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Letters missing, added, changed, or swapped with the neighbour (optimal string alignment). */
static size_t slips(const char *a, size_t a_size, const char *b, size_t b_size) {
    size_t cost[WORD_BYTES_MAX + 1][WORD_BYTES_MAX + 1];
    for (size_t i = 0; i <= a_size; i++) cost[i][0] = i;
    for (size_t j = 0; j <= b_size; j++) cost[0][j] = j;
    for (size_t i = 1; i <= a_size; i++)
        for (size_t j = 1; j <= b_size; j++) {
            size_t best = least(cost[i - 1][j], cost[i][j - 1]) + 1;
            best = least(best, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, cost[i - 2][j - 2] + 1);
            cost[i][j] = best;
        }
    return cost[a_size][b_size];
}

const char *suggest(const char *typed, const char *const *words, size_t count) {
    size_t typed_size = strlen(typed), nearest_slips = WORD_BYTES_MAX + 1, begun = 0;
    const char *nearest = NULL, *longer = NULL;
    if (typed_size == 0 || typed_size > WORD_BYTES_MAX) return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(words[i]);
        if (size > WORD_BYTES_MAX) continue;
        size_t here = slips(typed, typed_size, words[i], size);
        if (here < nearest_slips) {
            nearest_slips = here;
            nearest = words[i];
        }
        if (strncmp(words[i], typed, typed_size) == 0) {
            begun++;
            longer = words[i];
        }
    }
    if (begun == 1) return longer;
    size_t allowed = typed_size / 3 ? typed_size / 3 : 1;
    return nearest_slips <= allowed && nearest_slips < typed_size ? nearest : NULL;
}
