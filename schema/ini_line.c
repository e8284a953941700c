/* fgets, and a look at what came. */
#include "schema/ini_line.h"

#include <string.h>

/* What some editors put before the first line. */
static const char BYTE_ORDER_MARK[] = "\xEF\xBB\xBF";
#define BYTE_ORDER_MARK_BYTES (sizeof BYTE_ORDER_MARK - 1)

char *ini_line_read(ini_line *self, char *text, int size) {
    if (!fgets(text, size, self->file)) return NULL;
    self->number++;
    const size_t length = strlen(text);
    self->too_long = length + 1 == (size_t)size && text[length - 1] != '\n';
    const char *start = text;
    if (self->number == 1 && !strncmp(start, BYTE_ORDER_MARK, BYTE_ORDER_MARK_BYTES)) start += BYTE_ORDER_MARK_BYTES;
    start += strspn(start, " \t");
    memmove(text, start, strlen(start) + 1);
    const char *end = text[0] == '[' ? strchr(text, ']') : NULL;
    self->begins = end != NULL;
    if (end) snprintf(self->section, sizeof self->section, "%.*s", (int)(end - text - 1), text + 1);
    return text;
}
