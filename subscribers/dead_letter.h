/* The events that no try could deliver: one JSON line each in $STATE/dead-letters/NAME.jsonl, {time, name, offset, topic, error, event}. Folder 0700,
 * file 0600. Invariant: when dead_letter_add returns STENO_OK, the line is on the disk. People may read, move or delete the file at any time.
 */
#ifndef SUBSCRIBERS_DEAD_LETTER_H
#define SUBSCRIBERS_DEAD_LETTER_H

#include "schema/event.h"

typedef struct dead_letter dead_letter;

/* `dir` as in steno_subscriber_config; `name` is the cursor's. Makes the folder, not the file; counts the lines that are there. */
steno_status dead_letter_open(const char *dir, const char *name, dead_letter **out, steno_error *error);
void dead_letter_free(dead_letter *self);
/* Appends one and waits for the disk. STENO_SYSTEM (the disk is full, …), STENO_NO_MEMORY: nothing was added; it may work later. */
steno_status dead_letter_add(dead_letter *self, const steno_event *event, const char *why, steno_error *error);
/* How many the file has, as far as is known. */
uint64_t dead_letter_count(const dead_letter *self);
/* The file; borrowed. */
const char *dead_letter_path(const dead_letter *self);

#endif
