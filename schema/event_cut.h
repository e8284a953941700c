/* An event that is too large is cut, not refused: its long texts are shortened, and field `truncated` says which and how long they were. */
#ifndef STENO_EVENT_CUT_H
#define STENO_EVENT_CUT_H

#include <msgpack.h>

#include "schema/event.h"

/* An event that was cut is this much smaller than the limit, so that what is added to it later on its way still fits. */
#define EVENT_CUT_ROOM_BYTES (64u << 10)

/* Replaces the encoded map in `bytes` by one of at most STENO_EVENT_BYTES_MAX - EVENT_CUT_ROOM_BYTES. `truncated` then is a map
 * from the name of each field that was cut to its true encoded size. STENO_LIMIT: it can't be made to fit.
 */
steno_status event_cut(msgpack_sbuffer *bytes, steno_error *error);

#endif
