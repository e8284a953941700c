/* Chunks of a streamed chat completion, put together into the response that the same call would have had without streaming. */
#ifndef CLIENT_STREAM_ASSEMBLY_H
#define CLIENT_STREAM_ASSEMBLY_H

#include <jansson.h>

#include "schema/buffer.h"
#include "schema/error.h"

/* More choices, or tool calls in one, than any provider gives: an index beyond is refused. */
#define ASSEMBLY_CHOICES_MAX 128
#define ASSEMBLY_TOOL_CALLS_MAX 128
#define ASSEMBLY_BLOCKS_MAX 128

typedef struct assembly_choice assembly_choice;

/* Begin with {0}. */
typedef struct stream_assembly {
    json_t *head;  /* id, created, model, …: the members of the chunks outside of `choices`; the last value counts */
    json_t *usage; /* the last that came */
    assembly_choice *choices[ASSEMBLY_CHOICES_MAX];
    size_t choices_count;
    bool has_content; /* a token came: text, reasoning, a refusal or a piece of a tool call */
} stream_assembly;

/* Adds a chunk, which is borrowed. *text: what it adds to the first choice, borrowed from the chunk, "" if nothing.
 * STENO_CORRUPT if it is not shaped like a chunk, STENO_NO_MEMORY.
 */
steno_status assembly_add(stream_assembly *self, const json_t *chunk, const char **text, steno_error *error);
/* Every choice that was begun gave its finish_reason. */
bool assembly_is_finished(const stream_assembly *self);
/* The response so far, a new reference; NULL if no chunk came or memory is short. */
json_t *assembly_response(const stream_assembly *self);
void assembly_free(stream_assembly *self);

#endif
