/* The texts, the thoughts and the tool calls of a reply while its parts are read: Anthropic's, Bedrock's and Gemini's come in any order.
 * Invariant: what could not be kept whole for want of memory becomes no message.
 */
#ifndef CLIENT_PROVIDERS_GATHERED_H
#define CLIENT_PROVIDERS_GATHERED_H

#include <jansson.h>

#include "schema/buffer.h"

typedef struct gathered {
    buffer text, reasoning;
    bool has_text; /* there was a text, and be it an empty one */
    bool no_memory;
    json_t *thinking_blocks, *tool_calls; /* arrays */
} gathered;

void gathered_begin(gathered *self);
/* Adds a text to one of the two; what is no text adds nothing. */
void gathered_add(gathered *self, buffer *to, const json_t *text);
/* Ends it: sets `content` (where there was a text), `reasoning_content`, `thinking_blocks` and `tool_calls` (where there are any) of `message`,
 * which is taken over and returned. NULL when memory was short.
 */
json_t *gathered_end(gathered *self, json_t *message);
/* Takes over a list, which is left out where it is empty. */
void gathered_put_list(json_t *message, const char *name, json_t *list);

#endif
