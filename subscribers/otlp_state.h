/* The sums on disk, $STATE/otlp/NAME.sums: so that metrics go on where they were, whatever happens to the process. Invariant: the file is written before the
 * cursor moves, so it knows every event that counts as handled; and it says up to where it counted, so that what comes again is not counted again.
 */
#ifndef SUBSCRIBERS_OTLP_STATE_H
#define SUBSCRIBERS_OTLP_STATE_H

#include "subscribers/otlp_sums.h"

typedef struct otlp_state otlp_state;

/* `dir` as in steno_subscriber_config, `name` the cursor's. Makes the folder (0700). */
steno_status otlp_state_open(const char *dir, const char *name, otlp_state **out, steno_error *error);
void otlp_state_free(otlp_state *self);
/* The file; borrowed. */
const char *otlp_state_path(const otlp_state *self);

/* Fills the sums, which were just begun, from the file. True: they go on. False: there is no file, or it is of other names or resource attributes (then
 * counting goes on from its offset, from zero), or it is damaged (`error` says so; from zero).
 */
bool otlp_state_load(otlp_state *self, otlp_sums *sums, steno_error *error);
/* Replaces the file, and waits for the disk. STENO_SYSTEM: what was there stays. */
steno_status otlp_state_save(otlp_state *self, const otlp_sums *sums, steno_error *error);

#endif
