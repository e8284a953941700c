/* Standard output as steno-jsonl's FILE: lines into a pipe or whatever it is. Invariant: what was begun is finished before anything else is written, so that no
 * line is torn while we live.
 */
#ifndef SUBSCRIBERS_JSONL_STREAM_H
#define SUBSCRIBERS_JSONL_STREAM_H

#include <stdint.h>

#include "schema/buffer.h"
#include "schema/error.h"

/* Begin with {.fd = …}. */
typedef struct jsonl_stream {
    int fd;
    buffer lines; /* what is being written, up to `done` */
    size_t done;
    uint64_t first, last; /* offsets in it */
} jsonl_stream;

/* Is this the batch that was begun? Then only jsonl_stream_write is missing. */
bool jsonl_stream_has(const jsonl_stream *self, uint64_t first, uint64_t last);
/* Takes over the lines, of these offsets. What was begun before is finished first: jsonl_stream_write was called until it said so. */
void jsonl_stream_take(jsonl_stream *self, buffer *lines, uint64_t first, uint64_t last);
/* Waits for the reader as long as it takes, but not beyond a stop signal (and `grace_ms`): STENO_TIMEOUT. STENO_END: nobody reads any more. STENO_SYSTEM: the
 * disk is full, …: may work later.
 */
steno_status jsonl_stream_write(jsonl_stream *self, int64_t grace_ms, steno_error *error);
void jsonl_stream_free(jsonl_stream *self);

#endif
