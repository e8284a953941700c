/* A wire: how one family of providers is spoken to. It turns OpenAI's shapes into the family's own and back; everything else in the client
 * knows OpenAI's shapes alone. Invariant: functions of their arguments, no I/O and no environment; what a wire can't say it refuses, by name.
 */
#ifndef CLIENT_PROVIDERS_WIRE_H
#define CLIENT_PROVIDERS_WIRE_H

#include <jansson.h>

#include "client/steno.h"

/* Blocks (texts, thoughts, tool calls) in one streamed reply: more than any provider gives. */
#define WIRE_BLOCKS_MAX 256
/* Longest path behind a base URL. */
#define WIRE_PATH_BYTES 1024

typedef enum call_kind { CALL_CHAT, CALL_TEXT, CALL_EMBEDDING, CALL_KINDS } call_kind;

/* What a stream's bytes are cut into. */
typedef enum framing {
    FRAMING_SSE,    /* server-sent events, each with JSON data */
    FRAMING_LINES,  /* one JSON value a line (NDJSON) */
    FRAMING_FRAMES, /* application/vnd.amazon.eventstream */
} framing;

/* What is asked. All borrowed. */
typedef struct wire_ask {
    call_kind kind;
    bool stream;
    bool drop;            /* what the wire has no place for is left out instead of refused */
    const char *model;    /* without the provider's prefix */
    const json_t *params; /* OpenAI-shaped body without model and stream: messages, tools, …; not to be changed */
    const char *renames;  /* of the provider's row: "max_completion_tokens=max_tokens …"; NULL: none */
    const char *version;  /* of the API, where the provider has one to choose (Azure); NULL: none */
} wire_ask;

typedef struct wire_stream wire_stream;
/* Takes an OpenAI-shaped chunk, which is borrowed. Anything but STENO_OK ends the stream: `record` returns it as it is. */
typedef steno_status (*wire_chunk_fn)(json_t *chunk, void *ctx);

typedef struct wire {
    const char *name;
    framing framing;
    unsigned kinds;        /* bits 1 << call_kind */
    const char *call_type; /* field `call_type` where it is not the kind's own; NULL: it is */
    /* Writes what follows the base URL, with its query, percent-encoded. `base` is without '/' at its end; where it ends in what the path
     * begins with ("/v1"), that is not said twice. False: it is too long.
     */
    bool (*path)(const wire_ask *ask, const char *base, char out[WIRE_PATH_BYTES]);
    /* The body, a new reference. NULL with `error`: STENO_INVALID names the parameter that the family has no place for, or that is wrong. */
    json_t *(*body)(const wire_ask *ask, steno_error *error);
    /* A reply in one piece (HTTP 2xx) as OpenAI's, without `usage`, a new reference; *usage is the provider's own object, borrowed from
     * `native`, NULL if there is none. NULL with `error`: STENO_CORRUPT (it is no such reply).
     */
    json_t *(*reply)(const wire_ask *ask, const json_t *native, const json_t **usage, steno_error *error);
    /* One record of a stream: gives out no, one or several chunks (wire_emit). `name` is the event's name, "" if it has none.
     * STENO_FAILED: the provider said that it failed; `error` then is what failure_from_reply made of it.
     * STENO_CORRUPT: it is no such record.
     */
    steno_status (*record)(wire_stream *self, const char *name, const json_t *record, steno_error *error);
    /* The family's usage object, normalised. */
    steno_usage (*usage)(const json_t *raw);
} wire;

/* A stream while it is read. Begin with {.ask = …, .on_chunk = …, .ctx = …}; end with wire_stream_free. Its other members are the wire's. */
struct wire_stream {
    const wire_ask *ask;
    wire_chunk_fn on_chunk;
    void *ctx;
    json_t *head;  /* id, object, created, model of every chunk; made by wire_head */
    json_t *kept;  /* whatever the wire must keep until the end; NULL: nothing */
    json_t *usage; /* the provider's own object; merged where it comes in parts. Owned */
    size_t tool_calls;
    int blocks[WIRE_BLOCKS_MAX]; /* of a block that is a tool call its index + 1 */
    bool begun;                  /* the first delta, which has the role, was given out */
    bool done;                   /* the family's own word for the end came */
};

void wire_stream_free(wire_stream *self);
/* Sets what every chunk begins with; NULL keeps what is there. The first call makes it. */
void wire_head(wire_stream *self, const char *id, const char *model);
/* Gives out a chunk for the first choice: `delta` (taken over; NULL: an empty one), `finish_reason` (NULL: none yet). */
steno_status wire_emit(wire_stream *self, json_t *delta, const char *finish_reason);
/* The same for a choice of its own number. */
steno_status wire_emit_choice(wire_stream *self, size_t index, json_t *delta, const char *finish_reason);
/* Gives out the log probabilities of a choice's last tokens, taken over: {content: […]}. */
steno_status wire_emit_logprobs(wire_stream *self, size_t index, json_t *logprobs);
/* Gives out a chunk with these choices, which are taken over. */
steno_status wire_emit_whole(wire_stream *self, json_t *choices);
/* Gives out a chunk without choices that has the usage so far (self->usage), normalised and OpenAI-shaped. */
steno_status wire_emit_usage(wire_stream *self, steno_usage (*normalise)(const json_t *raw));

/* A whole reply with one choice: `message` taken over. New reference. `id` and `finish_reason` may be NULL. */
json_t *wire_response(const char *id, const char *model, json_t *message, const char *finish_reason);
/* Says in a reply, or in the head of a stream's chunks, how often a tool of the provider's own was used: member `server_tool_use` (COSTS.md). 0: nothing. */
void wire_set_tool_use(json_t *reply, const char *tool, size_t times);
/* An embedding reply: `vectors` is an array of arrays of numbers, taken over. New reference. */
json_t *wire_embeddings(const char *model, json_t *vectors);
/* The native word for the end of a reply in OpenAI's words: `map` is {native, OpenAI's, native, …, NULL}; one that is not in it stays as it is. */
const char *wire_finish_reason(const char *native, const char *const *map);

/* Adds a text to the path in `out`, which begins as ""; `encode`: as one segment, percent-encoded. False: it is too long. */
bool wire_path_add(char out[WIRE_PATH_BYTES], const char *text, bool encode);

/* The wires. */
extern const wire wire_openai, wire_azure, wire_responses, wire_azure_responses, wire_anthropic, wire_gemini,
    wire_ollama, wire_bedrock, wire_cohere;

#endif
