/* The lines that were written last, by offset: at its start, steno-jsonl tells by them what it had written before it was killed and the cursor does not know of.
 * A line counts as the same only if every byte is: another log's offsets mean nothing.
 */
#ifndef SUBSCRIBERS_JSONL_TAIL_H
#define SUBSCRIBERS_JSONL_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How much of what was written is read again: more than can be written and not yet in the cursor, which is what waits for a subscriber (8 MiB), a replay
 * (4 MiB) and a batch.
 */
#define JSONL_TAIL_BYTES (16u << 20)

typedef struct jsonl_tail jsonl_tail;

/* NULL: no memory. */
jsonl_tail *jsonl_tail_new(void);
void jsonl_tail_free(jsonl_tail *self);
/* Takes note of the lines in `bytes`, each with its newline; what is torn at either end matches nothing. False: no memory. */
bool jsonl_tail_add(jsonl_tail *self, const char *bytes, size_t size);
/* Is this very line, with its newline, among them? */
bool jsonl_tail_has(jsonl_tail *self, uint64_t offset, const char *line, size_t size);
/* The offset that a line without its newline ends with; 0: none. */
uint64_t jsonl_tail_offset(const char *line, size_t size);

#endif
