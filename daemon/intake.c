/* The table of publishers and the batch, as the rooms that take events in see them. */
#include "daemon/intake.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "schema/identity.h"

steno_status intake_open(intake *self, const char *spool_folder, store *log, steno_error *error) {
    *self = (intake){.spool_folder = spool_folder, .store = log, .table = publishers_new()};
    uint8_t uuid[SPOOL_PUBLISHER_BYTES];
    identity_random(uuid);
    self->own = self->table ? publishers_add(self->table, uuid) : NULL;
    if (!self->own) return steno_fail(error, STENO_NO_MEMORY, "no memory for the table of publishers");
    /* Not described by the first event, as others are: its events speak for apps that died. */
    self->own->own = self->own->described = self->own->alive = true;
    snprintf(self->own->app, sizeof self->own->app, "stenod");
    snprintf(self->own->version, sizeof self->own->version, "%s", STENO_BUILD_VERSION);
    if (gethostname(self->own->host, sizeof self->own->host - 1)) self->own->host[0] = '\0';
    self->own->pid = getpid();
    return STENO_OK;
}

void intake_close(intake *self) {
    batch_clear(&self->batch);
    publishers_free(self->table);
    self->table = NULL;
}

publisher *intake_publisher(intake *self, const uint8_t uuid[SPOOL_PUBLISHER_BYTES], bool spooled) {
    publisher *entry = publishers_find(self->table, uuid);
    if (entry && (entry->spooled || !spooled)) return entry;
    if (!entry) {
        /* Making room may take the entry that the next round was to begin with. */
        if (publishers_count(self->table) == PUBLISHERS_MAX) self->turn = NULL;
        entry = publishers_add(self->table, uuid);
        if (!entry) {
            logline_limited(&self->full_said,
                            "no room for one more publisher, %d are at work; its events wait in its spool",
                            PUBLISHERS_MAX);
            return NULL;
        }
        steno_error error;
        steno_status status = store_load_publisher(self->store, entry, &error);
        if (status && status != STENO_NOT_FOUND) {
            publishers_remove(self->table, entry);
            return NULL;
        }
        if (!spooled) {
            spool_reader *reader = NULL;
            spooled = spool_reader_open(self->spool_folder, uuid, 1, &reader, NULL) == STENO_OK;
            spool_reader_close(reader);
        }
    }
    entry->active_ms = clock_ms();
    if (spooled) {
        entry->spooled = entry->alive = entry->behind = true;
        entry->asked_ms = 0; /* whether it lives is asked at the next look */
    }
    return entry;
}

steno_status intake_own_event(intake *self, const void *bytes, size_t size, steno_error *error) {
    steno_status status = batch_add(&self->batch, self->own, self->own->next, bytes, size, error);
    if (!status) self->own->next++;
    return status;
}

bool intake_behind(const intake *self) {
    int64_t now = clock_ms();
    for (const publisher *entry = publishers_first(self->table); entry; entry = entry->after)
        if ((entry->behind || (entry->drained && !entry->ended)) && entry->retry_ms <= now) return true;
    return false;
}

void intake_stored(intake *self) {
    self->stored += self->batch.count;
    batch_clear(&self->batch);
}

void intake_malformed(intake *self, const char *where, const char *why) {
    self->malformed++;
    logline_limited(&self->malformed_said, "dropped a malformed message from %s: %s", where, why);
}
