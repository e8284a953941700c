/* The budgets of a Steno folder: sections [budget NAME] of stenod.ini, written by hand, and of $STATE/budgets.ini, which `steno budget` writes. One
 * form, one reader. May read the two files, and nothing else.
 */
#ifndef SUBSCRIBERS_BUDGET_FILES_H
#define SUBSCRIBERS_BUDGET_FILES_H

#include <sys/stat.h>

#include "schema/budget.h"
#include "schema/place.h"

/* In $STATE. */
#define BUDGET_FILE "budgets.ini"
#define BUDGET_FILE_PATH_BYTES (PLACE_PATH_BYTES + 16)

/* Owned by whoever made it: budget_list_clear. */
typedef struct budget_list {
    budget *items;
    size_t count;
} budget_list;

void budget_list_clear(budget_list *self);
/* NULL: there is none of that name. */
const budget *budget_list_find(const budget_list *self, const char *name);

void budget_file_path(const place *where, char out[BUDGET_FILE_PATH_BYTES]);
/* Reads one file and adds its budgets; a file that is not there has none. Sections of other kinds are passed over, as stenod checks them.
 * STENO_INVALID with file, line and what is wrong; a name that is in the list is. STENO_SYSTEM, STENO_NO_MEMORY.
 */
steno_status budget_file_read(const char *path, bool by_command, budget_list *list, steno_error *error);
/* Both files into an empty list: all of it, or none. */
steno_status budget_files_read(const place *where, budget_list *out, steno_error *error);

/* How the files were when they were looked at. */
typedef struct budget_stamp {
    struct stat files[2];
} budget_stamp;

/* Looks at them. True: they are not as they were in *stamp, which is up to date now. */
bool budget_files_changed(const place *where, budget_stamp *stamp);

#endif
