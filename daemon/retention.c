/* Deciding what leaves the journal; how is in store.c. */
#include "daemon/retention.h"

#include "daemon/clock.h"
#include "schema/identity.h"

int64_t retention_run(retention *self, store *log) {
    const int64_t now = clock_ms();
    if (now < self->due_ms) return self->due_ms;
    const double stored_before = self->age_max > 0 ? identity_now() - self->age_max : 0;
    unsigned deleted = 0;
    steno_error error;
    if (store_trim(log, stored_before, self->bytes_max > 0 ? self->bytes_max : INT64_MAX, &deleted, &error))
        logline_limited(&self->said, "%s; the journal is not made smaller now", error.message);
    self->due_ms = deleted ? now : now + RETENTION_LOOK_MS;
    return self->due_ms;
}
