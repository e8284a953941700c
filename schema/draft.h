/* What our own rooms do with drafts beyond steno_draft_* of event.h. */
#ifndef STENO_DRAFT_H
#define STENO_DRAFT_H

#include "schema/event.h"

/* Adds all fields of `from`, which has no container open, to `into`: what many events share is encoded once. */
void draft_fields(steno_draft *into, const steno_draft *from);
/* steno_draft_finish for a map that is no event: nothing is cut, STENO_LIMIT above `size_max`. */
steno_status draft_finish_whole(steno_draft *draft, size_t size_max, const void **body, size_t *size,
                                steno_error *error);

#endif
