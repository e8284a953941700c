/* Call ids as people copy them: shortened to what no other call begins with. */
#ifndef CLI_CALL_ID_H
#define CLI_CALL_ID_H

#include <sqlite3.h>
#include <stddef.h>

/* The first 12 hexadecimal digits of a UUIDv7 are its millisecond: a call that comes later cannot make them ambiguous. */
#define CALL_ID_SHORT 13
/* Longest call id; EVENTS.md wants a UUID, foreign publishers write what they like. */
#define CALL_ID_BYTES 256

/* How many characters of `call_id` tell it from every other call in the log, at least CALL_ID_SHORT. */
size_t call_id_short(sqlite3 *database, const char *call_id);
/* Finds the one call whose id begins with `prefix` and writes it to `out`. Returns the exit status, after
 * telling that there is none, or which there are.
 */
int call_id_find(sqlite3 *database, const char *prefix, char out[CALL_ID_BYTES]);

#endif
