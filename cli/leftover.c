/* What waits in the spool for a daemon that does not run. Reads spool and log side by side, writes to neither. */
#include "cli/leftover.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/database.h"
#include "cli/program.h"

CLEANUP_FUNCTION(reader_release, spool_reader, spool_reader_close)

typedef struct search {
    const place *where;
    sqlite3_stmt *next; /* publisher.next by uuid; NULL: there is no log yet */
    leftover *found;
    size_t count;
    int status;
} search;

/* The sequence number from which on the log does not have the publisher's events. */
static uint64_t stored_up_to(search *self, const uint8_t publisher[SPOOL_PUBLISHER_BYTES]) {
    uint64_t next = 1;
    if (!self->next) return next;
    sqlite3_bind_blob(self->next, 1, publisher, SPOOL_PUBLISHER_BYTES, SQLITE_STATIC);
    if (sqlite3_step(self->next) == SQLITE_ROW) next = (uint64_t)sqlite3_column_int64(self->next, 0);
    sqlite3_reset(self->next);
    return next;
}

static void visit(const uint8_t publisher[SPOOL_PUBLISHER_BYTES], void *ctx) {
    search *self = ctx;
    steno_error error;
    cleanup(reader_release) spool_reader *reader = NULL;
    if (self->status) return;
    if (spool_reader_open(self->where->spool, publisher, stored_up_to(self, publisher), &reader, &error)) {
        program_fail("%s", error.message);
        return;
    }
    leftover here = {.alive = spool_owner_alive(self->where->spool, publisher)};
    spool_publisher_text(publisher, here.publisher);
    spool_record record;
    steno_status status;
    while ((status = spool_read(reader, &record, &error)) == STENO_OK || status == STENO_CORRUPT) {
        here.damaged |= status == STENO_CORRUPT;
        here.events += status == STENO_OK;
        here.bytes += status == STENO_OK ? record.size : 0;
    }
    if (here.events == 0 && !here.damaged) return;
    leftover *grown = reallocarray(self->found, self->count + 1, sizeof *grown);
    if (!grown) {
        self->status = program_fail("out of memory");
        return;
    }
    self->found = grown;
    self->found[self->count++] = here;
}

int leftover_read(const place *where, leftover **out, size_t *count) {
    search self = {.where = where};
    cleanup(database_close) sqlite3 *database = NULL;
    cleanup(database_finalize) sqlite3_stmt *next = NULL;
    /* A folder without a log has all of its spool left over. */
    if (access(where->log, F_OK) == 0 &&
        sqlite3_open_v2(where->log, &database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(database, DATABASE_BUSY_MS);
        if (sqlite3_prepare_v2(database, "SELECT next FROM publisher WHERE uuid = ?1", -1, &next, NULL) == SQLITE_OK)
            self.next = next;
    }
    steno_error error;
    steno_status status =
        access(where->spool, F_OK) == 0 ? spool_each(where->spool, visit, &self, NULL, &error) : STENO_OK;
    if (status && status != STENO_NOT_FOUND) self.status = program_fail("%s", error.message);
    *out = self.found;
    *count = self.count;
    return self.status;
}
