/* Reading JSON. Invariant: a value that is given out is the one that jansson reads; whatever is in doubt, errors above all, is left to it. So are
 * numbers that are no short integers. Reads only the bytes it is given.
 */
#include "schema/json_read.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "schema/buffer.h"
#include "schema/json.h"
#include "schema/json_text.h"
#include "schema/utf8.h"

/* An integer of so many digits has room in 64 bits, whatever they are. */
#define DIGITS_MAX 18

typedef struct reader {
    const char *at, *end;
    unsigned depth;
    buffer text; /* of a string with escapes */
} reader;

static json_t *read_value(reader *self);

/* The byte that is next, behind white space; NUL at the end, where no JSON has one. */
static char next(reader *self) {
    while (self->at < self->end && (*self->at == ' ' || *self->at == '\n' || *self->at == '\r' || *self->at == '\t'))
        self->at++;
    return self->at < self->end ? *self->at : '\0';
}

static bool take(reader *self, char c) {
    if (next(self) != c) return false;
    self->at++;
    return true;
}

/* ---- strings ---- */

/* The four digits behind "\u". */
static bool read_hex(reader *self, uint32_t *out) {
    if (self->end - self->at < 4) return false;
    *out = 0;
    for (unsigned i = 0; i < 4; i++) {
        const char c = *self->at++, letter = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            *out = *out << 4 | (uint32_t)(c - '0');
        else if (letter >= 'a' && letter <= 'f')
            *out = *out << 4 | (uint32_t)(letter - 'a' + 10);
        else
            return false;
    }
    return true;
}

static bool add_character(buffer *to, uint32_t code) {
    char bytes[4];
    if (code < 0x80) {
        bytes[0] = (char)code;
        return buffer_add(to, bytes, 1);
    }
    const unsigned more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    bytes[0] = (char)(lead[more] | code >> 6 * more);
    for (unsigned i = 1; i <= more; i++) bytes[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3F));
    return buffer_add(to, bytes, more + 1);
}

/* "\u" was read. A character beyond the first 65,536 is two of them; half of one is an error. */
static bool read_unicode(reader *self) {
    uint32_t code, low;
    if (!read_hex(self, &code)) return false;
    if (code >= 0xD800 && code < 0xE000) {
        if (code >= 0xDC00 || self->end - self->at < 2 || self->at[0] != '\\' || self->at[1] != 'u') return false;
        self->at += 2;
        if (!read_hex(self, &low) || low < 0xDC00 || low >= 0xE000) return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    return add_character(&self->text, code);
}

/* A backslash was read. */
static bool read_escape(reader *self) {
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (self->at == self->end) return false;
    const char c = *self->at++;
    if (c == 'u') return read_unicode(self);
    const char *found = memchr(letters, c, sizeof letters - 1);
    return found && buffer_add(&self->text, meant + (found - letters), 1);
}

/* A string's bytes, as they stand in the text where nothing is escaped: borrowed until the next one is read. NULL: it is none. */
static const char *read_text(reader *self, size_t *size) {
    if (!take(self, '"')) return NULL;
    buffer_clear(&self->text);
    for (bool escaped = false;; escaped = true) {
        const char *from = self->at;
        *size = json_text_plain(from, (size_t)(self->end - from));
        self->at += *size;
        if (self->at == self->end || (unsigned char)*self->at < 0x20 || utf8_valid_prefix(from, *size) != *size)
            return NULL;
        const bool ends = *self->at++ == '"';
        if (ends && !escaped) return from;
        if (!buffer_add(&self->text, from, *size)) return NULL;
        *size = self->text.size;
        if (ends) return self->text.bytes;
        if (!read_escape(self)) return NULL;
    }
}

static json_t *read_string(reader *self) {
    size_t size;
    const char *text = read_text(self, &size);
    return text ? json_stringn_nocheck(text, size) : NULL;
}

/* ---- numbers and words ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static json_t *read_number(reader *self) {
    const char *from = self->at, *at = from + (*from == '-'), *digits = at;
    json_int_t number = 0;
    for (; at < self->end && is_digit(*at) && at - digits < DIGITS_MAX; at++) number = 10 * number + (*at - '0');
    const bool goes_on = at < self->end && (is_digit(*at) || *at == '.' || (*at | 0x20) == 'e');
    if (at > digits && !goes_on && (*digits != '0' || at - digits == 1)) {
        self->at = at;
        return json_integer(*from == '-' ? -number : number);
    }
    while (at < self->end && (is_digit(*at) || (*at && strchr("+-.eE", *at)))) at++;
    self->at = at;
    return json_loadb(from, (size_t)(at - from), JSON_FLAGS_IN, NULL);
}

static json_t *read_word(reader *self, const char *word, json_t *value) {
    const size_t size = strlen(word);
    if ((size_t)(self->end - self->at) < size || memcmp(self->at, word, size)) return NULL;
    self->at += size;
    return value;
}

/* ---- containers ---- */

static bool read_entry(reader *self, json_t *object) {
    size_t size;
    const char *text = read_text(self, &size);
    if (!text || memchr(text, '\0', size)) return false;
    /* The value is put under its key at once: the key's bytes may be those that the value's strings are read into. */
    buffer kept = {0};
    if (text == self->text.bytes) {
        kept = self->text;
        self->text = (buffer){0};
    }
    json_t *value = take(self, ':') ? read_value(self) : NULL;
    const bool done = value && !json_object_setn_new_nocheck(object, text, size, value);
    buffer_free(&kept);
    return done;
}

static bool read_element(reader *self, json_t *array) {
    json_t *value = read_value(self);
    return value && !json_array_append_new(array, value);
}

/* `first` was seen; takes over `container`. */
static json_t *read_members(reader *self, json_t *container, char last, bool (*read_one)(reader *, json_t *)) {
    bool done = container && self->depth < JSON_READ_DEPTH_MAX;
    self->at++;
    self->depth++;
    if (done && next(self) != last) {
        do done = read_one(self, container);
        while (done && take(self, ','));
    }
    self->depth--;
    if (done && take(self, last)) return container;
    json_decref(container);
    return NULL;
}

static json_t *read_value(reader *self) {
    const char c = next(self);
    switch (c) {
    case '{': return read_members(self, json_object(), '}', read_entry);
    case '[': return read_members(self, json_array(), ']', read_element);
    case '"': return read_string(self);
    case 't': return read_word(self, "true", json_true());
    case 'f': return read_word(self, "false", json_false());
    case 'n': return read_word(self, "null", json_null());
    default: return c == '-' || is_digit(c) ? read_number(self) : NULL;
    }
}

json_t *json_read(const char *text, size_t size) {
    reader self = {.at = text, .end = text + size};
    json_t *value = read_value(&self);
    next(&self);
    if (value && self.at != self.end) {
        json_decref(value);
        value = NULL;
    }
    buffer_free(&self.text);
    return value;
}
