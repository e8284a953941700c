/* Is this msgpack, whole, and within bounds? Asked before msgpack-c unpacks bytes from outside, because it allocates room for as
 * many elements as a header claims before it has seen any of them.
 */
#ifndef STENO_MSGPACK_CHECK_H
#define STENO_MSGPACK_CHECK_H

#include <stddef.h>

#include "schema/error.h"

/* Exactly one value in `size` bytes, nested at most `depth_max` deep, with at most `values_max` values in it, its strings UTF-8, the keys of its maps strings or numbers, its timestamps (extension -1) what they should be, and no container that claims more
 * elements than there are bytes left. STENO_CORRUPT or STENO_LIMIT (depth, values) with the byte position otherwise.
 */
steno_status msgpack_check(const void *bytes, size_t size, unsigned depth_max, size_t values_max, steno_error *error);

#endif
