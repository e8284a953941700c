/* The lines of our INI files, as they are handed to inih: seen one by one before it sees them, because it tells its handler neither the line's number nor of
 * sections without keys. Invariant: how a line is indented makes no difference (inih would take an indented key for more of the value before it).
 */
#ifndef SCHEMA_INI_LINE_H
#define SCHEMA_INI_LINE_H

#include <stdbool.h>
#include <stdio.h>

/* Begin with {.file = …}. */
typedef struct ini_line {
    FILE *file;
    int number;        /* of the line that was read last, from 1 on */
    bool too_long;     /* it does not fit: refuse it */
    bool begins;       /* it begins a section, with this name */
    char section[256]; /* longer than inih's longest line */
} ini_line;

/* What inih's reader returns: the line in `text` (of `size` bytes), NULL at the file's end. */
char *ini_line_read(ini_line *self, char *text, int size);

#endif
