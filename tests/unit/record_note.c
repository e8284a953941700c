/* Receivers of records. */
#include "tests/unit/record_note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "schema/buffer.h"

steno_status record_note(const char *name, const char *data, size_t size, void *ctx) {
    buffer *out = ctx;
    assert_int_equal(strlen(data), size);
    buffer_add(out, name, strlen(name));
    buffer_add(out, "|", 1);
    buffer_add(out, data, size);
    buffer_add(out, "~", 1);
    return STENO_OK;
}

steno_status record_refuse(const char *name, const char *data, size_t size, void *ctx) {
    (void)name, (void)data, (void)size;
    ++*(int *)ctx;
    return STENO_FAILED;
}
