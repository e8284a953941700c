/* Which event a hook has in hand, in a file, $STATE/plugin/NAME.note, that outlives this process: so that the next life knows on which one the last
 * ended, and how many did. Invariant: what is counted are lives in a row that ended on the same event. It is no log: a power cut may lose it.
 */
#ifndef SUBSCRIBERS_CRASH_NOTE_H
#define SUBSCRIBERS_CRASH_NOTE_H

#include <stdint.h>

#include "schema/error.h"

typedef struct crash_note crash_note;

/* `dir` as in steno_subscriber_config, `name` the cursor's. `stamp` tells one build of the hooks from another: with another one the count begins anew.
 * Makes the folder (0700) and the file.
 */
steno_status crash_note_open(const char *dir, const char *name, int64_t stamp, crash_note **out, steno_error *error);
void crash_note_free(crash_note *self);
/* How many lives in a row ended while this event was in hand. */
uint64_t crash_note_deaths(const crash_note *self, uint64_t offset);
/* It is in hand from now on, and no more. A disk that takes no note keeps nobody from working: then a crash is not counted. */
void crash_note_begin(crash_note *self, uint64_t offset);
void crash_note_end(crash_note *self);
/* The event that was counted is dealt with: if it comes again, it is counted anew. */
void crash_note_clear(crash_note *self);

#endif
