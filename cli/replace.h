/* A file of the Steno folder, replaced as a whole: at every moment it is the old one or the new one, whoever is killed. A lock keeps two writers apart. */
#ifndef CLI_REPLACE_H
#define CLI_REPLACE_H

#include <stddef.h>

#include "schema/place.h"

#define REPLACE_PATH_BYTES (PLACE_PATH_BYTES + 64)

/* A file that is about to be replaced: its maker is the only one who may. Begin with REPLACE_INIT. */
typedef struct replacement {
    int inside, fd; /* of the folder, and of the file to be */
    char folder[PLACE_PATH_BYTES + 32];
    char name[32], new_name[40];
} replacement;

#define REPLACE_INIT \
    { .inside = -1, .fd = -1 }

/* Makes the folder (0700) where it is missing, and takes the lock. `what` names, for complaints, what somebody else may be at: "import". Returns
 * EXIT_FINE, or the exit status after telling what is wrong; replace_end in either case.
 */
int replace_begin(replacement *self, const char *folder, const char *name, const char *what);
/* Writes the text (0600) to the disk and puts it in the file's place. Once. Returns as above. */
int replace_write(replacement *self, const char *text, size_t size);
/* Lets go of the lock. */
void replace_end(replacement *self);

#endif
