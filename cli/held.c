/* Output that is held back until the log has been read. */
#include "cli/held.h"

#include <errno.h>
#include <string.h>

#include "cli/program.h"

#define COPY_BYTES (64u << 10)

FILE *held_begin(void) {
    FILE *held = tmpfile();
    if (!held) program_fail("no temporary file for the output: %s", strerror(errno));
    return held;
}

int held_print(FILE *held) {
    char bytes[COPY_BYTES];
    if (fflush(held) != 0 || ferror(held)) return program_fail("temporary file for the output: %s", strerror(errno));
    rewind(held);
    for (size_t size; (size = fread(bytes, 1, sizeof bytes, held)) > 0;)
        if (fwrite(bytes, 1, size, stdout) != size) return EXIT_FAILED; /* main tells */
    return ferror(held) ? program_fail("temporary file for the output: %s", strerror(errno)) : EXIT_FINE;
}
