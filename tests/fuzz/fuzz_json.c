/* Fuzz target: JSON from outside. What json_read gives out must be what jansson gives out. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "schema/json.h"
#include "schema/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const char *text = (const char *)bytes;
    json_t *got = json_read(text, size), *expected = json_loadb(text, size, JSON_FLAGS_IN, NULL);
    if (got && !json_equal(got, expected)) abort();
    json_decref(got);
    json_decref(expected);
    return 0;
}
