/* Messages in Converse's form: roles take turns, and what a message is made of are blocks with one member each. What a tool gave belongs to the
 * user's turn. Invariant: a block that has no counterpart is refused, or left out where such things are to be dropped.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/providers/bedrock.h"
#include "client/providers/content.h"

/* A document's name may have so many characters. */
#define DOCUMENT_NAME_BYTES 200

/* The body while it is written. */
typedef struct writing {
    const wire_ask *ask;
    steno_error *error;
    json_t *system, *messages; /* owned */
    size_t documents;          /* so far: those without a name get a number, as no two may have the same */
} writing;

static void add_block(json_t *to, const char *name, json_t *value) {
    json_t *block = json_object();
    json_object_set_new_nocheck(block, name, value);
    json_array_append_new(to, block);
}

static steno_status refuse(const writing *self, const char *what, const char *instead) {
    if (self->ask->drop) return STENO_OK;
    return steno_fail(self->error, STENO_INVALID,
                      "%s takes no %s: %s, or have what it can't take dropped (drop_params)", self->ask->model, what,
                      instead);
}

void bedrock_add_cache_point(json_t *to, const json_t *marked) {
    const json_t *cache = json_object_get(marked, "cache_control");
    if (!json_is_object(cache)) return;
    json_t *point = json_pack("{s:s}", "type", "default"), *ttl = json_object_get(cache, "ttl");
    if (json_is_string(ttl)) json_object_set_nocheck(point, "ttl", ttl);
    add_block(to, "cachePoint", point);
}

/* ---- parts ---- */

/* Media types and what Converse calls them. */
static const char *const image_formats[][2] = {{"image/png", "png"}, {"image/jpeg", "jpeg"}, {"image/jpg", "jpeg"},
                                               {"image/gif", "gif"}, {"image/webp", "webp"}, {NULL, NULL}};
static const char *const document_formats[][2] = {
    {"application/pdf", "pdf"},
    {"text/csv", "csv"},
    {"application/msword", "doc"},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"},
    {"application/vnd.ms-excel", "xls"},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"},
    {"text/html", "html"},
    {"text/plain", "txt"},
    {"text/markdown", "md"},
    {NULL, NULL}};

static const char *format_of(const content_part *part, const char *const formats[][2]) {
    for (; part->data && (*formats)[0]; formats++)
        if (strlen((*formats)[0]) == part->mime_size && !strncasecmp((*formats)[0], part->mime, part->mime_size))
            return (*formats)[1];
    return NULL;
}

static json_t *source_of(const content_part *part) { return json_pack("{s:s}", "bytes", part->data); }

static steno_status add_image(const writing *self, const content_part *part, json_t *to) {
    if (part->url) return refuse(self, "images by URL", "give the image itself, as a data: URL");
    const char *format = format_of(part, image_formats);
    if (!format) return refuse(self, "images of that type", "png, jpeg, gif and webp are possible");
    json_t *source = source_of(part);
    if (source) add_block(to, "image", json_pack("{s:s,s:o}", "format", format, "source", source));
    return STENO_OK;
}

/* A name of the characters that are allowed there, without its ending: "report 2025". */
static void name_document(writing *self, const char *name, char out[DOCUMENT_NAME_BYTES]) {
    const char *dot = name ? strrchr(name, '.') : NULL;
    size_t size = 0, end = dot && dot > name ? (size_t)(dot - name) : name ? strlen(name) : 0;
    for (size_t i = 0; i < end && size < DOCUMENT_NAME_BYTES - 1; i++) {
        bool good = isalnum((unsigned char)name[i]) || strchr("-()[]", name[i]);
        if (good || (size && out[size - 1] != ' ')) out[size++] = good ? name[i] : ' ';
    }
    while (size && out[size - 1] == ' ') size--;
    out[size] = '\0';
    self->documents++;
    if (!size) snprintf(out, DOCUMENT_NAME_BYTES, "document %zu", self->documents);
}

static steno_status add_document(writing *self, const content_part *part, json_t *to) {
    if (!part->data) return refuse(self, "files by URL or id", "give the file itself, as a data: URL");
    const char *format = format_of(part, document_formats);
    if (!format)
        return refuse(self, "files of that type", "pdf, csv, doc, docx, xls, xlsx, html, txt and md are possible");
    char name[DOCUMENT_NAME_BYTES];
    name_document(self, part->name, name);
    json_t *source = source_of(part);
    if (source) add_block(to, "document", json_pack("{s:s,s:s,s:o}", "format", format, "name", name, "source", source));
    return STENO_OK;
}

/* An empty text would be refused there, and says nothing. */
static void add_text(json_t *to, const char *text) {
    if (text && *text) add_block(to, "text", json_string_nocheck(text));
}

static steno_status add_part(writing *self, const content_part *part, json_t *to) {
    switch (part->kind) {
    case PART_TEXT: add_text(to, part->text); return STENO_OK;
    case PART_IMAGE: return add_image(self, part, to);
    case PART_FILE: return add_document(self, part, to);
    case PART_AUDIO: return refuse(self, "audio", "leave it out");
    default: return refuse(self, "such parts of a message", "its parts may be of type text, image_url and file");
    }
}

/* The parts of a content. `marks`: where cache points go; NULL: right behind the parts. */
static steno_status add_parts(writing *self, const json_t *content, json_t *to, json_t *marks) {
    steno_status status = STENO_OK;
    for (size_t i = 0; !status && i < content_count(content); i++) {
        content_part part;
        size_t before = json_array_size(to);
        status = content_part_at(content, i, &part, self->error);
        if (!status) status = add_part(self, &part, to);
        if (!status && json_array_size(to) > before) bedrock_add_cache_point(marks ? marks : to, part.json);
    }
    return status;
}

/* ---- messages ---- */

/* The content of the last message if it is of this role, else of a new one. Borrowed. */
static json_t *turn_of(const writing *self, const char *role) {
    json_t *last = json_array_get(self->messages, json_array_size(self->messages) - 1);
    if (!last || strcmp(content_member(last, "role"), role)) {
        last = json_pack("{s:s,s:[]}", "role", role, "content");
        json_array_append_new(self->messages, last);
    }
    return json_object_get(last, "content");
}

static steno_status add_system(writing *self, const json_t *message) {
    const json_t *content = json_object_get(message, "content");
    size_t before = json_array_size(self->system);
    for (size_t i = 0; i < content_count(content); i++) {
        content_part part;
        steno_status status = content_part_at(content, i, &part, self->error);
        if (!status && part.kind != PART_TEXT)
            status = refuse(self, "system prompts with other parts than text", "put them into a message of the user");
        if (status) return status;
        if (part.kind != PART_TEXT || !*part.text) continue;
        add_text(self->system, part.text);
        bedrock_add_cache_point(self->system, part.json);
    }
    if (json_array_size(self->system) > before) bedrock_add_cache_point(self->system, message);
    return STENO_OK;
}

static steno_status add_user(writing *self, const json_t *message) {
    json_t *to = turn_of(self, "user");
    steno_status status = add_parts(self, json_object_get(message, "content"), to, NULL);
    if (!status && json_array_size(to)) bedrock_add_cache_point(to, message);
    return status;
}

static steno_status add_tool_result(writing *self, const json_t *message) {
    json_t *to = turn_of(self, "user"), *content = json_array(), *marks = json_array();
    steno_status status = add_parts(self, json_object_get(message, "content"), content, marks);
    if (status) {
        json_decref(content);
    } else {
        add_block(to, "toolResult",
                  json_pack("{s:s,s:o}", "toolUseId", content_member(message, "tool_call_id"), "content", content));
        bedrock_add_cache_point(to, message);
        json_array_extend(to, marks);
    }
    json_decref(marks);
    return status;
}

/* What the model thought before it called tools must be there when their results come. A thought without a signature is not taken back. */
static void add_thoughts(const json_t *message, json_t *to) {
    const json_t *blocks = json_object_get(message, "thinking_blocks");
    for (size_t i = 0; i < json_array_size(blocks); i++) {
        const json_t *block = json_array_get(blocks, i);
        json_t *data = json_object_get(block, "data"), *signature = json_object_get(block, "signature");
        if (json_is_string(data))
            add_block(to, "reasoningContent", json_pack("{s:O}", "redactedContent", data));
        else if (json_is_string(signature))
            add_block(to, "reasoningContent",
                      json_pack("{s:{s:s,s:O}}", "reasoningText", "text", content_member(block, "thinking"),
                                "signature", signature));
    }
}

static void add_tool_calls(const json_t *message, json_t *to) {
    const json_t *calls = json_object_get(message, "tool_calls");
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *call = json_array_get(calls, i);
        add_block(to, "toolUse",
                  json_pack("{s:s,s:s,s:o}", "toolUseId", content_member(call, "id"), "name",
                            content_member(json_object_get(call, "function"), "name"), "input",
                            content_arguments(call)));
    }
}

static steno_status add_assistant(writing *self, const json_t *message) {
    json_t *to = turn_of(self, "assistant");
    add_thoughts(message, to);
    steno_status status = add_parts(self, json_object_get(message, "content"), to, NULL);
    if (status) return status;
    if (!content_count(json_object_get(message, "content"))) add_text(to, content_member(message, "refusal"));
    add_tool_calls(message, to);
    if (json_array_size(to)) bedrock_add_cache_point(to, message);
    return STENO_OK;
}

static steno_status add_message(writing *self, const json_t *message, size_t index) {
    const char *role = content_member(message, "role");
    if (!strcmp(role, "system") || !strcmp(role, "developer")) return add_system(self, message);
    if (!strcmp(role, "user")) return add_user(self, message);
    if (!strcmp(role, "assistant")) return add_assistant(self, message);
    if (!strcmp(role, "tool")) return add_tool_result(self, message);
    return steno_fail(self->error, STENO_INVALID,
                      "message %zu has the role \"%.64s\": system, developer, user, assistant and tool are possible",
                      index, role);
}

steno_status bedrock_put_messages(const wire_ask *ask, json_t *body, steno_error *error) {
    const json_t *messages = json_object_get(ask->params, "messages");
    writing self = {.ask = ask, .error = error, .system = json_array(), .messages = json_array()};
    steno_status status = STENO_OK;
    for (size_t i = 0; !status && i < json_array_size(messages); i++)
        status = add_message(&self, json_array_get(messages, i), i);
    if (!status && json_array_size(self.system)) json_object_set(body, "system", self.system);
    if (!status && json_array_size(self.messages)) json_object_set(body, "messages", self.messages);
    json_decref(self.system);
    json_decref(self.messages);
    return status;
}
