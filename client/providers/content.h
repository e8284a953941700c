/* What a message says, part by part: OpenAI's multi-part content as every wire needs it. */
#ifndef CLIENT_PROVIDERS_CONTENT_H
#define CLIENT_PROVIDERS_CONTENT_H

#include <jansson.h>

#include "schema/error.h"

typedef enum part_kind { PART_TEXT, PART_IMAGE, PART_AUDIO, PART_FILE, PART_OTHER } part_kind;

/* One part. All borrowed from the JSON it was read from. */
typedef struct content_part {
    part_kind kind;
    const char *text;   /* PART_TEXT */
    const char *url;    /* image: an address that is fetched by the provider; NULL where there are data */
    const char *mime;   /* of the data, not NUL-terminated: */
    size_t mime_size;   /* "image/png" */
    const char *data;   /* base64 */
    const char *name;   /* of a file; NULL: none */
    const json_t *json; /* the part itself: cache_control, … */
} content_part;

/* A member that is a text: "" if it is none, or NULL. */
const char *content_member(const json_t *object, const char *name);
const char *content_string(const json_t *object, const char *name);

/* How many parts `content` has: 1 for a string, 0 for null. */
size_t content_count(const json_t *content);
/* Reads part `index` of a message's content. STENO_INVALID: it has no form that is known (the error says which part, and of what type);
 * PART_OTHER is a well-formed part of a type that is not known.
 */
steno_status content_part_at(const json_t *content, size_t index, content_part *out, steno_error *error);
/* All its texts as one JSON string, a new reference; "" for null. */
json_t *content_text(const json_t *content);
/* Adds a text to a member, which is made where it is not there or no text; NULL adds nothing. */
void content_append(json_t *message, const char *name, const char *text);
/* The arguments of a tool call, JSON in a string, as an object; {} where they are empty or no object. New reference. */
json_t *content_arguments(const json_t *tool_call);

#endif
