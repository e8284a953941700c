/* Where imported prices are kept. */
#include "cli/price_store.h"

#include <stdio.h>

#include "cli/program.h"
#include "cli/replace.h"
#include "client/prices.h"
#include "schema/clean.h"

int price_store_write(const char *text, size_t size, char path[PRICE_STORE_PATH_BYTES]) {
    place where;
    steno_error error;
    char folder[PLACE_PATH_BYTES + 16];
    if (place_open(&where, NULL, &error)) return program_fail("%s", error.message);
    snprintf(folder, sizeof folder, "%s/" PRICES_FOLDER, where.state);
    snprintf(path, PRICE_STORE_PATH_BYTES, "%s/" PRICES_IMPORTED, folder);
    cleanup(replace_end) replacement file = REPLACE_INIT;
    const int failed = replace_begin(&file, folder, PRICES_IMPORTED, "import");
    return failed ? failed : replace_write(&file, text, size);
}
