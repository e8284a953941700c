/* Assembling streams. Choices stay apart, tool calls go by their index, the last usage counts (it is cumulative), and members that are
 * not known here are kept: lists are joined, anything else is the last value.
 */
#include "client/stream_assembly.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Members of a delta that are texts in pieces. */
enum { CONTENT, REASONING_CONTENT, REASONING, REFUSAL, TEXTS };
static const char *const text_names[TEXTS] = {"content", "reasoning_content", "reasoning", "refusal"};

/* Members that are texts in pieces, of objects that come bit by bit. */
enum { THINKING, SIGNATURE, DATA, ARGUMENTS, TRANSCRIPT, PIECES };
static const char *const piece_names[PIECES] = {"thinking", "signature", "data", "arguments", "transcript"};

/* A block of thinking (which must go back to the provider as it came), spoken audio, or a function call of the old kind. */
typedef struct block {
    json_t *head; /* members that are no pieces */
    buffer pieces[PIECES];
} block;

typedef struct tool_call {
    size_t index; /* as the chunks say */
    json_t *head; /* id, type and whatever else came, but for `function` */
    buffer name;
    buffer arguments;
} tool_call;

struct assembly_choice {
    buffer texts[TEXTS];
    bool has_text[TEXTS];                           /* it came, if only as "" */
    bool is_text;                                   /* a text completion's: it has a text and no message */
    json_t *message;                                /* the other members of its deltas */
    json_t *head;                                   /* the other members of the choice: finish_reason, … */
    json_t *logprobs;                               /* {content: […], refusal: […]} */
    tool_call *tool_calls[ASSEMBLY_TOOL_CALLS_MAX]; /* by their index */
    size_t tool_calls_count;
    block *function_call, *audio;
    block *blocks[ASSEMBLY_BLOCKS_MAX];
    size_t blocks_count;
};

static steno_status no_memory(steno_error *error) {
    return steno_fail(error, STENO_NO_MEMORY, "no memory to assemble a streamed reply");
}

/* ---- adding ---- */

static steno_status add_text(buffer *to, const json_t *text, steno_error *error) {
    return buffer_add(to, json_string_value(text), json_string_length(text)) ? STENO_OK : no_memory(error);
}

static assembly_choice *choice_at(stream_assembly *self, size_t index) {
    if (!self->choices[index]) {
        assembly_choice *choice = calloc(1, sizeof *choice);
        if (!choice) return NULL;
        choice->message = json_object();
        choice->head = json_object();
        choice->logprobs = json_object();
        self->choices[index] = choice;
        if (index >= self->choices_count) self->choices_count = index + 1;
    }
    return self->choices[index];
}

/* The index of an element, which servers leave out where there is but one. STENO_CORRUPT if it is not below `max`. */
static steno_status read_index(const json_t *element, size_t place, size_t max, size_t *out, steno_error *error) {
    const json_t *index = json_object_get(element, "index");
    json_int_t value = json_is_integer(index) ? json_integer_value(index) : (json_int_t)place;
    if (value < 0 || (size_t)value >= max)
        return steno_fail(error, STENO_CORRUPT, "a chunk has index %lld, and at most %zu are possible",
                          (long long)value, max);
    *out = (size_t)value;
    return STENO_OK;
}

static bool is_empty(const json_t *value) {
    return json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0);
}

static bool says_else(const json_t *had, const json_t *now) {
    return had && now && !is_empty(now) && !json_equal(had, now);
}

/* The tool call that a piece goes on with, or a new one. Servers that give all their calls the same index are known, and such as give each piece
 * another id: a new call is one that has both an id and a name of its own.
 */
static steno_status tool_call_of(assembly_choice *choice, const json_t *piece, size_t index, tool_call **out,
                                 steno_error *error) {
    const json_t *id = json_object_get(piece, "id"),
                 *name = json_object_get(json_object_get(piece, "function"), "name");
    size_t place = choice->tool_calls_count; /* behind the last that has no higher index */
    while (place > 0 && choice->tool_calls[place - 1]->index > index) place--;
    tool_call *last = place > 0 && choice->tool_calls[place - 1]->index == index ? choice->tool_calls[place - 1] : NULL;
    const bool another = last && name && !is_empty(name) && says_else(json_object_get(last->head, "id"), id);
    *out = last;
    if (last && !another) return STENO_OK;
    if (choice->tool_calls_count == ASSEMBLY_TOOL_CALLS_MAX)
        return steno_fail(error, STENO_CORRUPT, "a chunk begins a tool call, and there are %d already",
                          ASSEMBLY_TOOL_CALLS_MAX);
    tool_call *call = calloc(1, sizeof *call);
    if (!call) return no_memory(error);
    *call = (tool_call){.index = index, .head = json_object()};
    for (size_t i = choice->tool_calls_count++; i > place; i--) choice->tool_calls[i] = choice->tool_calls[i - 1];
    *out = choice->tool_calls[place] = call;
    return STENO_OK;
}

/* A name comes in pieces, or whole with each of them. */
static steno_status add_name(tool_call *call, const json_t *name, steno_error *error) {
    const size_t size = json_string_length(name);
    if (size == call->name.size &&
        !memcmp(buffer_text(&call->name), json_string_value(name) ? json_string_value(name) : "", size))
        return STENO_OK;
    return add_text(&call->name, name, error);
}

static steno_status add_tool_call(assembly_choice *choice, const json_t *piece, size_t place, steno_error *error) {
    size_t index = 0;
    tool_call *call = NULL;
    steno_status status = read_index(piece, place, ASSEMBLY_TOOL_CALLS_MAX, &index, error);
    if (!status) status = tool_call_of(choice, piece, index, &call, error);
    if (status) return status;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)piece, name, value) {
        if (!strcmp(name, "function")) {
            status = add_name(call, json_object_get(value, "name"), error);
            if (!status) status = add_text(&call->arguments, json_object_get(value, "arguments"), error);
            if (status) return status;
        } else if (!strcmp(name, "id") && json_object_get(call->head, "id")) {
            continue; /* the first is what the result must name */
        } else if (strcmp(name, "index") && !is_empty(value)) {
            json_object_set_nocheck(call->head, name, value);
        }
    }
    return STENO_OK;
}

/* Adds an object to one that comes bit by bit, and is made with the first of them. */
static steno_status add_bit(block **to, const json_t *bit, steno_error *error) {
    if (!*to && !(*to = calloc(1, sizeof **to))) return no_memory(error);
    if (!(*to)->head && !((*to)->head = json_object())) return no_memory(error);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)bit, name, value) {
        int piece = 0;
        while (piece < PIECES && strcmp(name, piece_names[piece])) piece++;
        if (piece < PIECES && json_is_string(value)) {
            steno_status status = add_text(&(*to)->pieces[piece], value, error);
            if (status) return status;
        } else if (strcmp(name, "index") && !is_empty(value)) {
            json_object_set_nocheck((*to)->head, name, value);
        }
    }
    return STENO_OK;
}

static steno_status add_block(assembly_choice *choice, const json_t *piece, size_t place, steno_error *error) {
    size_t index = 0;
    steno_status status = read_index(piece, place, ASSEMBLY_BLOCKS_MAX, &index, error);
    if (!status) status = add_bit(&choice->blocks[index], piece, error);
    if (choice->blocks[index] && index >= choice->blocks_count) choice->blocks_count = index + 1;
    return status;
}

/* Joins a list to the one that came under its name before: annotations, images, details of reasoning. */
static steno_status add_list(assembly_choice *choice, const char *name, const json_t *list, steno_error *error) {
    json_t *had = json_object_get(choice->message, name), *more = (json_t *)(uintptr_t)list;
    const int failed = json_is_array(had) ? json_array_extend(had, more)
                                          : json_object_set_new_nocheck(choice->message, name, json_copy(more));
    return failed ? no_memory(error) : STENO_OK;
}

/* Content as an array of parts (Mistral's reasoning models): its text joins the text, and the parts are kept beside it. */
static steno_status add_parts(stream_assembly *self, assembly_choice *choice, const json_t *parts, steno_error *error) {
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *text = json_object_get(json_array_get(parts, i), "text");
        if (!json_is_string(text)) continue;
        choice->has_text[CONTENT] = true;
        steno_status status = add_text(&choice->texts[CONTENT], text, error);
        if (status) return status;
    }
    self->has_content |= json_array_size(parts) > 0;
    json_t *kept = json_object_get(choice->message, "content_parts");
    if (kept) return json_array_extend(kept, (json_t *)(uintptr_t)parts) ? no_memory(error) : STENO_OK;
    return json_object_set_new_nocheck(choice->message, "content_parts", json_copy((json_t *)(uintptr_t)parts))
               ? no_memory(error)
               : STENO_OK;
}

static steno_status add_delta(stream_assembly *self, assembly_choice *choice, const json_t *delta, steno_error *error) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)delta, name, value) {
        int text = 0;
        while (text < TEXTS && strcmp(name, text_names[text])) text++;
        steno_status status = STENO_OK;
        if (text < TEXTS && json_is_string(value)) {
            choice->has_text[text] = true;
            self->has_content |= json_string_length(value) > 0;
            status = add_text(&choice->texts[text], value, error);
        } else if (text == CONTENT && json_is_array(value)) {
            status = add_parts(self, choice, value, error);
        } else if (!strcmp(name, "tool_calls") && json_is_array(value)) {
            for (size_t i = 0; !status && i < json_array_size(value); i++)
                status = add_tool_call(choice, json_array_get(value, i), i, error);
            self->has_content |= json_array_size(value) > 0;
        } else if (!strcmp(name, "thinking_blocks") && json_is_array(value)) {
            for (size_t i = 0; !status && i < json_array_size(value); i++)
                status = add_block(choice, json_array_get(value, i), i, error);
        } else if (!strcmp(name, "function_call") && json_is_object(value)) {
            status = add_bit(&choice->function_call, value, error);
            self->has_content = true;
        } else if (!strcmp(name, "audio") && json_is_object(value)) {
            status = add_bit(&choice->audio, value, error);
            self->has_content = true;
        } else if (json_is_array(value)) {
            status = add_list(choice, name, value, error);
        } else if (!json_is_null(value)) {
            json_object_set_nocheck(choice->message, name, value);
        }
        if (status) return status;
    }
    return STENO_OK;
}

static void add_logprobs(assembly_choice *choice, const json_t *logprobs) {
    const char *name;
    json_t *list;
    json_object_foreach((json_t *)(uintptr_t)logprobs, name, list) {
        if (!json_is_array(list)) continue;
        json_t *all = json_object_get(choice->logprobs, name);
        if (all)
            json_array_extend(all, list);
        else
            json_object_set_new_nocheck(choice->logprobs, name, json_copy(list));
    }
}

static steno_status add_choice(stream_assembly *self, const json_t *piece, size_t place, const char **text,
                               steno_error *error) {
    size_t index = 0;
    steno_status status = read_index(piece, place, ASSEMBLY_CHOICES_MAX, &index, error);
    if (status) return status;
    assembly_choice *choice = choice_at(self, index);
    if (!choice) return no_memory(error);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)piece, name, value) {
        if (!strcmp(name, "delta")) {
            status = add_delta(self, choice, value, error);
            if (status) return status;
            const char *added = json_string_value(json_object_get(value, "content"));
            if (index == 0 && added) *text = added;
        } else if (!strcmp(name, "text") && json_is_string(value)) { /* a text completion */
            choice->is_text = true;
            self->has_content |= json_string_length(value) > 0;
            if (index == 0) *text = json_string_value(value);
            if ((status = add_text(&choice->texts[CONTENT], value, error))) return status;
        } else if (!strcmp(name, "logprobs")) {
            add_logprobs(choice, value);
        } else if (strcmp(name, "index") && !json_is_null(value)) {
            json_object_set_nocheck(choice->head, name, value);
        }
    }
    return STENO_OK;
}

steno_status assembly_add(stream_assembly *self, const json_t *chunk, const char **text, steno_error *error) {
    *text = "";
    if (!json_is_object(chunk)) return steno_fail(error, STENO_CORRUPT, "a chunk of the stream is no JSON object");
    if (!self->head && !(self->head = json_object())) return no_memory(error);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)chunk, name, value) {
        if (!strcmp(name, "usage")) {
            if (!json_is_object(value)) continue;
            json_decref(self->usage);
            self->usage = json_incref(value);
        } else if (strcmp(name, "choices") && !json_is_null(value)) {
            json_object_set_nocheck(self->head, name, value);
        }
    }
    const json_t *choices = json_object_get(chunk, "choices");
    for (size_t i = 0; i < json_array_size(choices); i++) {
        steno_status status = add_choice(self, json_array_get(choices, i), i, text, error);
        if (status) return status;
    }
    return STENO_OK;
}

bool assembly_is_finished(const stream_assembly *self) {
    for (size_t i = 0; i < self->choices_count; i++)
        if (self->choices[i] && !json_object_get(self->choices[i]->head, "finish_reason")) return false;
    return self->choices_count > 0;
}

/* ---- the response ---- */

static json_t *text_json(const buffer *text) { return json_stringn_nocheck(buffer_text(text), text->size); }

static json_t *tool_calls_json(const assembly_choice *choice) {
    json_t *array = json_array();
    for (size_t i = 0; i < choice->tool_calls_count; i++) {
        const tool_call *call = choice->tool_calls[i];
        json_t *json = json_copy(call->head), *function = json_object();
        json_object_set_new_nocheck(function, "name", text_json(&call->name));
        json_object_set_new_nocheck(function, "arguments", text_json(&call->arguments));
        json_object_set_new_nocheck(json, "function", function);
        json_array_append_new(array, json);
    }
    return array;
}

static json_t *block_json(const block *from) {
    json_t *json = json_copy(from->head);
    for (int i = 0; i < PIECES; i++)
        if (from->pieces[i].size) json_object_set_new_nocheck(json, piece_names[i], text_json(&from->pieces[i]));
    return json;
}

static json_t *blocks_json(const assembly_choice *choice) {
    json_t *array = json_array();
    for (size_t i = 0; i < choice->blocks_count; i++)
        if (choice->blocks[i]) json_array_append_new(array, block_json(choice->blocks[i]));
    return array;
}

/* The old kind of tool call; without arguments it has empty ones. */
static json_t *function_call_json(const block *from) {
    json_t *json = block_json(from);
    if (!json_object_get(json, "arguments")) json_object_set_new_nocheck(json, "arguments", json_string(""));
    return json;
}

static json_t *message_json(const assembly_choice *choice) {
    json_t *message = json_object();
    json_object_set_new_nocheck(message, "role", json_string("assistant"));
    json_object_set_new_nocheck(message, "content",
                                choice->has_text[CONTENT] ? text_json(&choice->texts[CONTENT]) : json_null());
    for (int i = REASONING_CONTENT; i < TEXTS; i++)
        if (choice->has_text[i]) json_object_set_new_nocheck(message, text_names[i], text_json(&choice->texts[i]));
    if (choice->blocks_count) json_object_set_new_nocheck(message, "thinking_blocks", blocks_json(choice));
    if (choice->tool_calls_count) json_object_set_new_nocheck(message, "tool_calls", tool_calls_json(choice));
    if (choice->function_call)
        json_object_set_new_nocheck(message, "function_call", function_call_json(choice->function_call));
    if (choice->audio) json_object_set_new_nocheck(message, "audio", block_json(choice->audio));
    json_object_update(message, choice->message);
    return message;
}

static json_t *choice_json(const assembly_choice *choice, size_t index) {
    json_t *json = json_object();
    json_object_set_new_nocheck(json, "index", json_integer((json_int_t)index));
    if (choice->is_text)
        json_object_set_new_nocheck(json, "text", text_json(&choice->texts[CONTENT]));
    else
        json_object_set_new_nocheck(json, "message", message_json(choice));
    if (json_object_size(choice->logprobs)) json_object_set_nocheck(json, "logprobs", choice->logprobs);
    json_object_set_new_nocheck(json, "finish_reason", json_null());
    json_object_update(json, choice->head);
    return json;
}

json_t *assembly_response(const stream_assembly *self) {
    if (!self->head) return NULL;
    json_t *response = json_copy(self->head), *choices = json_array();
    for (size_t i = 0; i < self->choices_count; i++)
        if (self->choices[i]) json_array_append_new(choices, choice_json(self->choices[i], i));
    const char *object = json_string_value(json_object_get(response, "object"));
    if (!object || strcmp(object, "text_completion"))
        json_object_set_new_nocheck(response, "object", json_string("chat.completion"));
    json_object_set_new_nocheck(response, "choices", choices);
    if (self->usage) json_object_set_nocheck(response, "usage", self->usage);
    return response;
}

static void block_free(block *which) {
    if (!which) return;
    json_decref(which->head);
    for (int i = 0; i < PIECES; i++) buffer_free(&which->pieces[i]);
    free(which);
}

static void choice_free(assembly_choice *choice) {
    for (int i = 0; i < TEXTS; i++) buffer_free(&choice->texts[i]);
    for (size_t i = 0; i < choice->tool_calls_count; i++) {
        tool_call *call = choice->tool_calls[i];
        json_decref(call->head);
        buffer_free(&call->name);
        buffer_free(&call->arguments);
        free(call);
    }
    for (size_t i = 0; i < choice->blocks_count; i++) block_free(choice->blocks[i]);
    block_free(choice->function_call);
    block_free(choice->audio);
    json_decref(choice->message);
    json_decref(choice->head);
    json_decref(choice->logprobs);
    free(choice);
}

void assembly_free(stream_assembly *self) {
    for (size_t i = 0; i < self->choices_count; i++)
        if (self->choices[i]) choice_free(self->choices[i]);
    json_decref(self->head);
    json_decref(self->usage);
    *self = (stream_assembly){0};
}
