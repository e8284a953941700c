/* Structs that say their own size. Each begins with it. */
#include "schema/sized.h"

#include <stdint.h>
#include <string.h>

static size_t size_of(const void *sized) {
    size_t size;
    memcpy(&size, sized, sizeof size);
    return size;
}

/* That a struct which begins with a size_t can be as large as this. */
static bool possible(size_t size) {
    return size > sizeof(size_t) && size <= SIZED_BYTES_MAX && size % _Alignof(size_t) == 0;
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

steno_status sized_take(void *mine, size_t mine_size, const void *given, const char *name, const char *init,
                        steno_error *error) {
    const size_t size = given ? size_of(given) : 0;
    if (!given) return steno_fail(error, STENO_INVALID, "there is no %s: NULL was given", name);
    if (!possible(size))
        return steno_fail(error, STENO_INVALID, "%s.size is %zu, which is no version's (here it is %zu): begin with %s",
                          name, size, mine_size, init);
    const uint8_t *bytes = given;
    for (size_t i = mine_size; i < size; i++)
        if (bytes[i])
            return steno_fail(
                error, STENO_INVALID,
                "%s.size is %zu, here it is %zu, and something is set that is only in the newer one: use a "
                "library as new as the header that this was built with, or leave it 0",
                name, size, mine_size);
    memcpy(mine, given, smaller(size, mine_size));
    memcpy(mine, &mine_size, sizeof mine_size);
    return STENO_OK;
}

void sized_give(void *theirs, const void *mine, size_t mine_size) {
    const size_t size = size_of(theirs), own = sizeof(size_t);
    if (!possible(size)) return;
    const size_t known = smaller(size, mine_size);
    memcpy((uint8_t *)theirs + own, (const uint8_t *)mine + own, known - own);
    memset((uint8_t *)theirs + known, 0, size - known);
}
