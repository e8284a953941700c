/* Text of others, made fit to be shown. Works on bytes alone: no locale, no terminal. */
#include "cli/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "schema/clean.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

size_t text_decode(const char *bytes, size_t size, uint32_t *code_point) {
    const unsigned char *b = (const unsigned char *)bytes;
    if (size == 0) return 0;
    if (b[0] < 0x80) {
        *code_point = b[0];
        return 1;
    }
    size_t length = b[0] >= 0xF0 ? 4 : b[0] >= 0xE0 ? 3 : 2;
    if (b[0] < 0xC2 || b[0] > 0xF4 || size < length) return 0;
    uint32_t value = b[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((b[i] & 0xC0) != 0x80) return 0;
        value = value << 6 | (b[i] & 0x3Fu);
    }
    /* No overlong forms, no surrogates, nothing beyond Unicode. */
    if ((length == 3 && value < 0x800) || (length == 4 && value < 0x10000)) return 0;
    if ((value >= 0xD800 && value <= 0xDFFF) || value > 0x10FFFF) return 0;
    *code_point = value;
    return length;
}

static bool drives_terminal(uint32_t c) {
    return (c >= 0x80 && c <= 0x9F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

static void put_indented(FILE *out, const char *bytes, size_t size, text_mode mode, size_t indent) {
    bool line_begins = true, space = false, any = false;
    for (size_t i = 0; i < size;) {
        uint32_t c = 0;
        size_t length = text_decode(bytes + i, size - i, &c);
        bool white = length == 1 && (c == ' ' || (c >= '\t' && c <= '\r'));
        if (mode == TEXT_LINE && white) {
            space = any;
            i++;
            continue;
        }
        if (space) fputc(' ', out);
        space = false;
        any = true;
        if (line_begins && c != '\n') fprintf(out, "%*s", (int)indent, "");
        line_begins = c == '\n';
        if (mode == TEXT_RAW) {
            if (length == 0) length = 1;
            fwrite(bytes + i, 1, length, out);
        } else if (length == 0 || drives_terminal(c)) {
            fputs(REPLACEMENT, out);
        } else if (length == 1 && (c < 0x20 || c == 0x7F) && c != '\n' && c != '\t') {
            fputc('^', out);
            fputc(c == 0x7F ? '?' : (int)c + '@', out);
        } else {
            fwrite(bytes + i, 1, length, out);
        }
        i += length ? length : 1;
    }
}

void text_put(FILE *out, const char *bytes, size_t size, text_mode mode) {
    if (mode == TEXT_RAW)
        fwrite(bytes, 1, size, out);
    else
        put_indented(out, bytes, size, mode, 0);
}

void text_put_indented(FILE *out, const char *bytes, size_t size, text_mode mode, size_t indent) {
    put_indented(out, bytes, size, mode, indent);
}

char *text_line(const char *bytes, size_t size) {
    char *line = NULL;
    size_t line_size = 0;
    FILE *out = open_memstream(&line, &line_size);
    if (!out) return NULL;
    text_put(out, bytes, size, TEXT_LINE);
    if (fclose(out) == 0) return line;
    free(line);
    return NULL;
}

char *text_utf8(const char *bytes, size_t size, size_t *out_size) {
    /* The longest outcome: each byte replaced. */
    if (size > (SIZE_MAX - 1) / strlen(REPLACEMENT)) return NULL;
    char *copy = malloc(size * strlen(REPLACEMENT) + 1);
    if (!copy) return NULL;
    size_t end = 0;
    for (size_t i = 0; i < size;) {
        uint32_t c;
        size_t length = text_decode(bytes + i, size - i, &c);
        memcpy(copy + end, length ? bytes + i : REPLACEMENT, length ? length : strlen(REPLACEMENT));
        end += length ? length : strlen(REPLACEMENT);
        i += length ? length : 1;
    }
    copy[end] = '\0';
    *out_size = end;
    return copy;
}
