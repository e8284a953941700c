/* Files of lines that a crash, a full disk or a kill in mid-write must not tear: dead letters and steno-jsonl's. Works on a descriptor that was opened
 * with O_RDWR. Invariant: between two calls, and after line_file_repair, the file is whole lines.
 */
#ifndef SUBSCRIBERS_LINE_FILE_H
#define SUBSCRIBERS_LINE_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "schema/error.h"

/* Cuts off what stands after the last line end. *end is the size then, *cut how much went (NULL: not wanted). */
steno_status line_file_repair(int fd, off_t *end, off_t *cut, steno_error *error);
/* Writes whole lines at *end and moves it. What was written of them when the disk was full is taken away again: STENO_SYSTEM, and *end stays. */
steno_status line_file_append(int fd, off_t *end, const void *lines, size_t size, steno_error *error);
/* How many lines it has. */
steno_status line_file_count(int fd, uint64_t *lines, steno_error *error);

#endif
