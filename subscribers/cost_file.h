/* The log file of steno-cost: one line a call, "TIME MODEL COST SOURCE". Invariant: nothing that happens to this file keeps a cost from table `cost`; what
 * it could not take is counted and told once.
 */
#ifndef SUBSCRIBERS_COST_FILE_H
#define SUBSCRIBERS_COST_FILE_H

#include "schema/error.h"
#include "subscribers/cost_row.h"

typedef struct cost_file cost_file;

/* Opens, or makes, the file (0600); `path` is borrowed. From now on SIGHUP has it opened anew. STENO_SYSTEM: it can't be opened. */
steno_status cost_file_open(const char *path, cost_file **out, steno_error *error);
void cost_file_close(cost_file *self);
/* Appends a line for each of the rows that are new, in one write. */
void cost_file_write(cost_file *self, const cost_row *rows, size_t count);
/* Opens the file anew if a signal asked for it. */
void cost_file_look(cost_file *self);
/* The line of one row, with its newline, into `out`, which holds COST_LINE_BYTES. Returns its length. */
#define COST_LINE_BYTES 400
size_t cost_file_line(const cost_row *row, char *out);

#endif
