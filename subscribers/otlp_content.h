/* What was said, in the shape of the GenAI conventions: lists of messages with typed parts, out of the OpenAI-shaped events. Only where it was asked for:
 * prompts are private.
 */
#ifndef SUBSCRIBERS_OTLP_CONTENT_H
#define SUBSCRIBERS_OTLP_CONTENT_H

#include <jansson.h>

#include "schema/event.h"

/* The content of a larger event is left out: it would take a multiple of that in memory, and no receiver takes it. */
#define OTLP_CONTENT_EVENT_BYTES_MAX (16u << 20)

/* False: the event's content is not to be read (too large). */
bool otlp_content_fits(const steno_event *event);

/* Each a new reference, or NULL where the event has none.
 * gen_ai.input.messages: of `messages`, of `input` (not of embeddings) or of `prompt`. */
json_t *otlp_input_messages(const steno_event *event);
/* gen_ai.output.messages: one a choice, with its finish_reason. */
json_t *otlp_output_messages(const steno_event *event);
/* gen_ai.system_instructions: what was given beside the messages (`instructions` of the Responses API). */
json_t *otlp_system_instructions(const steno_event *event);
/* gen_ai.tool.definitions */
json_t *otlp_tool_definitions(const steno_event *event);

#endif
