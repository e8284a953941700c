/* Reading content. */
#include "client/providers/content.h"

#include <string.h>

#include "schema/buffer.h"
#include "schema/json.h"

const char *content_string(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

const char *content_member(const json_t *object, const char *name) {
    const char *text = content_string(object, name);
    return text ? text : "";
}

size_t content_count(const json_t *content) {
    return json_is_array(content) ? json_array_size(content) : json_is_string(content);
}

/* "data:image/png;base64,iVBOR…" */
static bool read_data_url(const char *url, content_part *out) {
    if (strncmp(url, "data:", 5)) return false;
    const char *mime = url + 5, *comma = strchr(mime, ',');
    if (!comma || comma - mime < 7 || memcmp(comma - 7, ";base64", 7)) return false;
    out->mime = mime;
    out->mime_size = strcspn(mime, ";,");
    out->data = comma + 1;
    return true;
}

static bool read_url(const char *url, content_part *out) {
    if (!url) return false;
    if (!strncmp(url, "data:", 5)) return read_data_url(url, out);
    out->url = url;
    return true;
}

static bool read_image(const json_t *part, content_part *out) {
    out->kind = PART_IMAGE;
    const json_t *image = json_object_get(part, "image_url");
    return read_url(json_is_string(image) ? json_string_value(image) : content_string(image, "url"), out);
}

static bool read_audio(const json_t *part, content_part *out) {
    const json_t *audio = json_object_get(part, "input_audio");
    const char *format = content_string(audio, "format");
    out->kind = PART_AUDIO;
    out->data = content_string(audio, "data");
    out->mime = format && !strcmp(format, "mp3") ? "audio/mpeg" : "audio/wav";
    out->mime_size = strlen(out->mime);
    return out->data && format && (!strcmp(format, "mp3") || !strcmp(format, "wav"));
}

static bool read_file(const json_t *part, content_part *out) {
    const json_t *file = json_object_get(part, "file");
    const char *data = content_string(file, "file_data"), *id = content_string(file, "file_id");
    out->kind = PART_FILE;
    out->name = content_string(file, "filename");
    return read_url(data ? data : id, out);
}

steno_status content_part_at(const json_t *content, size_t index, content_part *out, steno_error *error) {
    *out = (content_part){0};
    if (json_is_string(content)) {
        out->text = json_string_value(content);
        out->json = content;
        return STENO_OK;
    }
    const json_t *part = json_array_get(content, index);
    const char *type = content_string(part, "type");
    bool good = true;
    out->json = part;
    if (!type) {
        good = false;
    } else if (!strcmp(type, "text")) {
        out->text = content_string(part, "text");
        good = out->text;
    } else if (!strcmp(type, "image_url")) {
        good = read_image(part, out);
    } else if (!strcmp(type, "input_audio")) {
        good = read_audio(part, out);
    } else if (!strcmp(type, "file")) {
        good = read_file(part, out);
    } else {
        out->kind = PART_OTHER;
    }
    if (good) return STENO_OK;
    return steno_fail(error, STENO_INVALID, "part %zu of a message's content (type %s) is not formed as OpenAI's are",
                      index, type ? type : "missing");
}

json_t *content_text(const json_t *content) {
    if (json_is_string(content)) return json_incref((json_t *)(uintptr_t)content);
    buffer all = {0};
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *text = json_object_get(json_array_get(content, i), "text");
        if (json_is_string(text)) buffer_add(&all, json_string_value(text), json_string_length(text));
    }
    json_t *json = json_stringn_nocheck(buffer_text(&all), all.size);
    buffer_free(&all);
    return json;
}

void content_append(json_t *message, const char *name, const char *text) {
    if (text) json_object_set_new(message, name, json_sprintf("%s%s", content_member(message, name), text));
}

json_t *content_arguments(const json_t *tool_call) {
    const json_t *text = json_object_get(json_object_get(tool_call, "function"), "arguments");
    json_t *arguments =
        json_string_length(text) ? json_parse(json_string_value(text), json_string_length(text), NULL) : NULL;
    if (json_is_object(arguments)) return arguments;
    json_decref(arguments);
    return json_object();
}
