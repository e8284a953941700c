/* What the wires share: chunks and replies in OpenAI's shape. */
#include "client/providers/wire.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/usage.h"

void wire_stream_free(wire_stream *self) {
    json_decref(self->head);
    json_decref(self->usage);
    json_decref(self->kept);
    self->head = self->usage = self->kept = NULL;
}

static void set_text(json_t *object, const char *name, const char *text) {
    if (text) json_object_set_new(object, name, json_string(text));
}

void wire_head(wire_stream *self, const char *id, const char *model) {
    if (!self->head) {
        self->head = json_object();
        json_object_set_new(self->head, "id", json_string(""));
        json_object_set_new(self->head, "object", json_string("chat.completion.chunk"));
        json_object_set_new(self->head, "created", json_integer((json_int_t)time(NULL)));
        set_text(self->head, "model", self->ask->model);
    }
    set_text(self->head, "id", id);
    set_text(self->head, "model", model);
}

/* A chunk with these choices, which are taken over. */
static json_t *chunk_with(wire_stream *self, json_t *choices) {
    wire_head(self, NULL, NULL);
    json_t *chunk = json_copy(self->head);
    json_object_set_new_nocheck(chunk, "choices", choices);
    return chunk;
}

static steno_status give_out(wire_stream *self, json_t *chunk) {
    steno_status status = chunk ? self->on_chunk(chunk, self->ctx) : STENO_NO_MEMORY;
    json_decref(chunk);
    return status;
}

steno_status wire_emit(wire_stream *self, json_t *delta, const char *finish_reason) {
    return wire_emit_choice(self, 0, delta, finish_reason);
}

steno_status wire_emit_choice(wire_stream *self, size_t index, json_t *delta, const char *finish_reason) {
    if (!delta) delta = json_object();
    if (!self->begun) json_object_set_new(delta, "role", json_string("assistant"));
    self->begun = true;
    json_t *choice = json_object();
    json_object_set_new_nocheck(choice, "index", json_integer((json_int_t)index));
    json_object_set_new_nocheck(choice, "delta", delta);
    json_object_set_new_nocheck(choice, "finish_reason", finish_reason ? json_string(finish_reason) : json_null());
    json_t *choices = json_array();
    json_array_append_new(choices, choice);
    return give_out(self, chunk_with(self, choices));
}

steno_status wire_emit_logprobs(wire_stream *self, size_t index, json_t *logprobs) {
    return give_out(self, chunk_with(self, json_pack("[{s:I,s:{},s:o}]", "index", (json_int_t)index, "delta",
                                                     "logprobs", logprobs)));
}

steno_status wire_emit_whole(wire_stream *self, json_t *choices) { return give_out(self, chunk_with(self, choices)); }

steno_status wire_emit_usage(wire_stream *self, steno_usage (*normalise)(const json_t *raw)) {
    json_t *chunk = chunk_with(self, json_array());
    steno_usage usage = normalise(self->usage);
    json_object_set_new_nocheck(chunk, "usage", usage_to_openai(&usage));
    return give_out(self, chunk);
}

static json_t *envelope(const char *id, const char *object, const char *model) {
    json_t *json = json_object();
    set_text(json, "id", id);
    set_text(json, "object", object);
    json_object_set_new(json, "created", json_integer((json_int_t)time(NULL)));
    set_text(json, "model", model);
    return json;
}

json_t *wire_response(const char *id, const char *model, json_t *message, const char *finish_reason) {
    json_t *response = envelope(id, "chat.completion", model), *choice = json_object(), *choices = json_array();
    json_object_set_new(choice, "index", json_integer(0));
    json_object_set_new(choice, "message", message);
    json_object_set_new(choice, "finish_reason", finish_reason ? json_string(finish_reason) : json_null());
    json_array_append_new(choices, choice);
    json_object_set_new(response, "choices", choices);
    return response;
}

void wire_set_tool_use(json_t *reply, const char *tool, size_t times) {
    if (!times) return;
    json_t *uses = json_object_get(reply, "server_tool_use");
    if (!uses && (uses = json_object())) json_object_set_new_nocheck(reply, "server_tool_use", uses);
    json_object_set_new_nocheck(uses, tool, json_integer((json_int_t)times));
}

json_t *wire_embeddings(const char *model, json_t *vectors) {
    json_t *response = json_object(), *data = json_array();
    for (size_t i = 0; i < json_array_size(vectors); i++) {
        json_t *one = json_object();
        json_object_set_new(one, "object", json_string("embedding"));
        json_object_set_new(one, "index", json_integer((json_int_t)i));
        json_object_set(one, "embedding", json_array_get(vectors, i));
        json_array_append_new(data, one);
    }
    json_decref(vectors);
    json_object_set_new(response, "object", json_string("list"));
    json_object_set_new(response, "data", data);
    set_text(response, "model", model);
    return response;
}

const char *wire_finish_reason(const char *native, const char *const *map) {
    for (; native && *map; map += 2)
        if (!strcmp(native, map[0])) return map[1];
    return native;
}

bool wire_path_add(char out[WIRE_PATH_BYTES], const char *text, bool encode) {
    size_t size = strlen(out);
    for (; *text; text++) {
        bool plain = !encode || isalnum((unsigned char)*text) || strchr("-._~", *text);
        if (size + (plain ? 1 : 3) >= WIRE_PATH_BYTES) return false;
        size += (size_t)snprintf(out + size, 4, plain ? "%c" : "%%%02X", (unsigned char)*text);
    }
    return true;
}
