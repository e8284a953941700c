/* Standard input, bounded: a stream without newlines must not take all memory. */
#include "cli/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/program.h"
#include "schema/clean.h"

#define FIRST_CAPACITY 4096u

static bool grow(char **text, size_t *capacity, size_t needed) {
    if (needed <= *capacity) return true;
    size_t wanted = *capacity ? 2 * *capacity : FIRST_CAPACITY;
    char *grown = realloc(*text, wanted < needed ? needed : wanted);
    if (!grown) return false;
    *text = grown;
    *capacity = wanted < needed ? needed : wanted;
    return true;
}

bool input_next(input_line *line, FILE *in, bool *failed) {
    line->size = 0;
    line->too_long = false;
    *failed = false;
    int c;
    while ((c = getc_unlocked(in)) != EOF && c != '\n') {
        if (line->size == INPUT_BYTES_MAX) {
            line->too_long = true;
            continue;
        }
        if (!grow(&line->text, &line->capacity, line->size + 2)) {
            *failed = true;
            return false;
        }
        line->text[line->size++] = (char)c;
    }
    *failed = c == EOF && ferror(in);
    if (*failed || (c == EOF && line->size == 0)) return false;
    if (!grow(&line->text, &line->capacity, line->size + 1)) {
        *failed = true;
        return false;
    }
    line->text[line->size] = '\0';
    line->number++;
    return true;
}

char *input_all(FILE *in, size_t *size) {
    char *text = NULL;
    size_t capacity = 0, end = 0;
    for (bool more = true; more;) {
        if (!grow(&text, &capacity, end + FIRST_CAPACITY)) {
            program_fail("standard input: out of memory");
            free(text);
            return NULL;
        }
        size_t got = fread(text + end, 1, capacity - end - 1, in);
        end += got;
        more = got > 0 && end <= INPUT_BYTES_MAX;
    }
    if (ferror(in) || end > INPUT_BYTES_MAX) {
        if (ferror(in))
            program_fail("standard input: %s", strerror(errno));
        else
            program_fail("standard input: more than %zu MiB", INPUT_BYTES_MAX >> 20);
        free(text);
        return NULL;
    }
    text[end] = '\0';
    *size = end;
    return text;
}
