/* When the write-ahead log is copied back, and when writing rests for it. */
#include "daemon/checkpoint.h"

#include "daemon/clock.h"
#include "daemon/lock_holder.h"

static void end_rest(checkpoint *self, int rest_pages) {
    self->rest_until_ms = 0;
    self->rest_pages = rest_pages;
}

static void say_in_vain(checkpoint *self, const char *log_path, int pages) {
    char name[LOCK_HOLDER_NAME_BYTES];
    pid_t pid = lock_holder_find(log_path, LOCK_READING, name);
    logline_limited(
        &self->said,
        "log.db-wal has %d MiB and can't be made smaller: process %d (%s) reads an old state of the log for long",
        (int)((int64_t)pages * STORE_PAGE_BYTES >> 20), (int)pid, pid ? name : "unknown");
}

bool checkpoint_run(checkpoint *self, store *log, const char *log_path) {
    const int64_t now = clock_ms();
    const int pages = store_wal_pages(log);
    if (!self->rest_pages) self->rest_pages = CHECKPOINT_REST_PAGES;
    if (!self->rest_until_ms) {
        if (pages >= STORE_CHECKPOINT_PAGES && pages != self->seen_pages) store_checkpoint(log);
        self->seen_pages = pages;
        if (pages < self->rest_pages) return false;
        self->rest_until_ms = now + CHECKPOINT_REST_MS;
        self->retry_ms = now;
    }
    if (now < self->retry_ms) return true;
    self->retry_ms = now + CHECKPOINT_RETRY_MS;
    if (!store_restart_wal(log)) {
        end_rest(self, CHECKPOINT_REST_PAGES);
    } else if (now >= self->rest_until_ms) {
        say_in_vain(self, log_path, pages);
        end_rest(self, 2 * pages);
    }
    return self->rest_until_ms != 0;
}
