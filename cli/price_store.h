/* imported.json, replaced as a whole: at every moment it is the old file or the new one, whoever is killed. */
#ifndef CLI_PRICE_STORE_H
#define CLI_PRICE_STORE_H

#include <stddef.h>

#include "schema/place.h"

/* Room for the path of the file. */
#define PRICE_STORE_PATH_BYTES (PLACE_PATH_BYTES + 32)

/* Writes it (0600) into the folder `prices` of the Steno folder, which is made (0700) where it is missing; `path` gets its name. Returns EXIT_FINE,
 * or the exit status after telling what is wrong.
 */
int price_store_write(const char *text, size_t size, char path[PRICE_STORE_PATH_BYTES]);

#endif
