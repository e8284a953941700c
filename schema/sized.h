/* The rule for structs that say their own size (error.h, STENO_SIZED), for both ways. Invariant: nothing is read or written beyond the size that the
 * caller's struct says, and nothing at all where that is no size a struct can have.
 */
#ifndef STENO_SCHEMA_SIZED_H
#define STENO_SCHEMA_SIZED_H

#include <stddef.h>

#include "schema/error.h"

/* More than any version of such a struct will ever have: what claims more was never set. */
#define SIZED_BYTES_MAX 1024

/* Copies what the caller's struct `given` has of *mine, which is `mine_size` bytes and holds the defaults. `name` and `init` are of the message: the type, and
 * what its users begin it with. STENO_INVALID: `given` is no such struct, or a newer one in which something is set that this version does not know.
 */
steno_status sized_take(void *mine, size_t mine_size, const void *given, const char *name, const char *init,
                        steno_error *error);

/* The other way: fills the caller's struct *theirs from `mine`. What a newer one has beyond is 0; its `size` stays. Does nothing where it is no such struct. */
void sized_give(void *theirs, const void *mine, size_t mine_size);

#endif
