/* Output that is held back until the log has been read: a reader that prints into a pager must not keep a read transaction
 * open meanwhile, because stenod could not shorten the write-ahead log until it ends.
 */
#ifndef CLI_HELD_H
#define CLI_HELD_H

#include <stdio.h>

#include "schema/clean.h"

/* A place to write to, on disk, without a name; NULL after telling why there is none. */
FILE *held_begin(void);
/* Copies all of it to standard output. Returns the exit status. The caller closes it. */
int held_print(FILE *held);

CLEANUP_FUNCTION(held_close, FILE, fclose)

#endif
