/* Parameters under their other names: OpenAI's are mapped by a table, anything that is not OpenAI's passes through as the family's own. */
#ifndef CLIENT_PROVIDERS_PARAMS_H
#define CLIENT_PROVIDERS_PARAMS_H

#include "client/providers/wire.h"

/* Writes what a parameter becomes into the body. STENO_INVALID with `error`: the value is wrong, or has no counterpart. */
typedef steno_status (*param_fn)(const wire_ask *ask, const json_t *value, json_t *body, steno_error *error);

/* A parameter that the family has. */
typedef struct param_rule {
    const char *name; /* OpenAI's */
    const char *path; /* where it goes as it is: "stop_sequences", "generationConfig.seed"; NULL: `put` writes it */
    param_fn put;     /* both NULL: the wire takes it out of ask->params on its own (messages) */
} param_rule;

/* Applies the rules, which end with one without a name, to every parameter of ask->params; `body` is changed. What is null is passed over.
 * A parameter of OpenAI's without a rule is refused, or left out where ask->drop; one that asks for nothing (n = 1, logprobs = false,
 * an empty list) is left out. A name that is not OpenAI's goes into the body as it is; an object is merged with one that is there.
 */
steno_status params_map(const wire_ask *ask, const param_rule *rules, json_t *body, steno_error *error);
/* Puts `value` (taken over) at "a.b.c" of the body, making the objects on the way; an object is merged with one that is there. */
steno_status params_put(json_t *body, const char *path, json_t *value, steno_error *error);
/* `stop`, which may be one text, as a list. New reference. */
json_t *params_list(const json_t *value);
/* Sets a member where there is a value. */
void params_keep(json_t *to, const char *name, json_t *value);
/* The schema of a tool's input: an object, and said to be one, also where the function takes nothing. New reference. */
json_t *params_schema(const json_t *parameters);

#endif
