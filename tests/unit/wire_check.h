/* Checks of a wire by JSON texts: what it sends, and what it makes of replies and streams. A failed check prints both sides. */
#ifndef TEST_WIRE_CHECK_H
#define TEST_WIRE_CHECK_H

#include "client/providers/wire.h"

/* JSON without the backslashes. */
#define J(...) #__VA_ARGS__

/* The body that `params` (OpenAI-shaped JSON) becomes is `expected`. */
void wire_check_body(const wire_ask *ask, const wire *which, const char *params, const char *expected);
/* It is refused, and the message has `word` in it. */
void wire_check_refused(const wire_ask *ask, const wire *which, const char *params, const char *word);
/* A whole reply becomes `expected`, compared without `created`. */
void wire_check_reply(const wire_ask *ask, const wire *which, const char *native, const char *expected);
/* The first choice of a whole reply has this `finish_reason`. Takes over `native`. */
void wire_check_finish(const wire_ask *ask, const wire *which, json_t *native, const char *expected);
/* A whole reply is none, and fails so. */
void wire_check_reply_fails(const wire_ask *ask, const wire *which, const char *native, steno_status status,
                            const char *type);
/* Records, NULL-terminated, each JSON text, or "name\nJSON" where the event has a name. Assembled they are `expected`, compared without `created` and,
 * where there is usage, with OpenAI-shaped usage.
 */
void wire_check_stream(const wire_ask *ask, const wire *which, const char *const *records, const char *expected);
/* The last record is an error of this type. */
void wire_check_stream_fails(const wire_ask *ask, const wire *which, const char *const *records, const char *type);
/* A record by itself, and what it must come to; whoever sent it, it does no harm. */
typedef struct wire_case {
    const char *record;
    steno_status status;
} wire_case;
/* Feeds each of them, in their order, to one stream. */
void wire_check_records(const wire_ask *ask, const wire *which, const wire_case *cases, size_t count);
/* A usage object becomes these numbers (-1: unknown): prompt, completion, total, cached, cache_write, cache_write_1h, reasoning. */
void wire_check_usage(steno_usage (*normalise)(const json_t *raw), const char *raw, const int64_t expected[7]);

#endif
