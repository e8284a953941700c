/* Gathering what a reply says. */
#include "client/providers/gathered.h"

void gathered_begin(gathered *self) {
    *self = (gathered){.thinking_blocks = json_array(), .tool_calls = json_array()};
    self->no_memory = !self->thinking_blocks || !self->tool_calls;
}

void gathered_add(gathered *self, buffer *to, const json_t *text) {
    if (json_is_string(text) && !buffer_add(to, json_string_value(text), json_string_length(text)))
        self->no_memory = true;
}

void gathered_put_list(json_t *message, const char *name, json_t *list) {
    if (json_array_size(list))
        json_object_set_new_nocheck(message, name, list);
    else
        json_decref(list);
}

static bool put_text(json_t *message, const char *name, const buffer *text) {
    return !json_object_set_new_nocheck(message, name, json_stringn_nocheck(buffer_text(text), text->size));
}

json_t *gathered_end(gathered *self, json_t *message) {
    bool whole = message && !self->no_memory;
    if (self->has_text) whole &= put_text(message, "content", &self->text);
    if (self->reasoning.size) whole &= put_text(message, "reasoning_content", &self->reasoning);
    gathered_put_list(message, "thinking_blocks", self->thinking_blocks);
    gathered_put_list(message, "tool_calls", self->tool_calls);
    buffer_free(&self->text);
    buffer_free(&self->reasoning);
    if (whole) return message;
    json_decref(message);
    return NULL;
}
