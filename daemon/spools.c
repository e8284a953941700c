/* Reading and releasing spools. Invariant: nothing is released that is not committed (publisher.stored). */
#include "daemon/spools.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/endings.h"
#include "daemon/order.h"

/* ---- looking ---- */

static void found(const uint8_t uuid[SPOOL_PUBLISHER_BYTES], void *ctx) { intake_publisher(ctx, uuid, true); }

uint64_t spools_want(intake *self) {
    self->look_ms = 0;
    return ++self->generation;
}

void spools_look(intake *self) {
    int64_t now = clock_ms();
    if (now < self->look_ms) return;
    self->look_ms = now + SPOOLS_LOOK_MS;
    steno_error error;
    if (spool_each(self->spool_folder, found, self, NULL, &error)) {
        logline_limited(&self->spool_said, "%s", error.message);
        return;
    }
    self->scanned = self->generation;
    /* The more there are, the less often each is asked: a thousand idle publishers cost no more than a few. */
    int64_t period = SPOOLS_LOOK_MS * (int64_t)(1 + publishers_count(self->table) / SPOOLS_LOOKED_AT);
    for (publisher *entry = publishers_first(self->table); entry; entry = entry->after) {
        if (!entry->spooled) continue;
        if (entry->alive && now - entry->asked_ms >= period) {
            entry->asked_ms = now;
            entry->alive = spool_owner_alive(self->spool_folder, entry->uuid);
            /* What it wrote before it died is read after it was found dead. */
            if (!entry->alive) entry->behind = true;
        }
        if (entry->looked < self->generation || (entry->alive && now - entry->active_ms >= period))
            entry->behind = true;
    }
}

/* ---- reading ---- */

/* The spool is read to its end. */
static void at_end(intake *self, publisher *entry) {
    if (!order_spool_end(self, entry)) return;
    entry->behind = false;
    entry->looked = self->generation;
    entry->active_ms = clock_ms();
    entry->drained = entry->spooled && !entry->alive;
    if (entry->reader && (entry->reader_large || entry->drained || self->readers > SPOOLS_READERS_MAX)) {
        publisher_close_reader(entry);
        self->readers--;
    }
}

/* The reader goes on with the next segment; how much is missing is seen when it finds the next record. */
static void at_damage(intake *self, publisher *entry, const steno_error *why) {
    char path[PATH_MAX];
    steno_error error;
    logline_limited(&self->damage_said, "%s", why->message);
    if (spool_reader_set_aside(entry->reader, path, &error)) {
        logline_limited(&self->spool_said, "%s", error.message);
        snprintf(path, sizeof path, "(could not be put aside)");
    }
    free(entry->damaged_file);
    entry->damaged_file = strdup(path);
}

static steno_status read_past_damage(intake *self, publisher *entry, steno_error *error) {
    for (;;) {
        steno_status status = spool_read(entry->reader, &entry->record, error);
        if (status == STENO_END && !entry->alive) status = spool_reader_finish(entry->reader, error);
        if (status != STENO_CORRUPT) return status;
        at_damage(self, entry, error);
    }
}

/* Makes entry->record the next record. STENO_END: there is none now. */
static steno_status next_record(intake *self, publisher *entry) {
    steno_error error;
    steno_status status = STENO_OK;
    if (!entry->spooled) return STENO_END;
    if (!entry->reader) {
        status = spool_reader_open(self->spool_folder, entry->uuid, entry->next, &entry->reader, &error);
        if (status == STENO_NOT_FOUND) {
            /* Its owner never wrote anything and took the folder away, or a person did. */
            entry->alive = false;
            return STENO_END;
        }
        if (!status) self->readers++;
    }
    if (!status) status = read_past_damage(self, entry, &error);
    entry->refused = status == STENO_END ? spool_reader_refused(entry->reader) : 0;
    /* What was refused is known for certain only if nothing was appended before that was noted. */
    if (entry->refused >= entry->next) status = read_past_damage(self, entry, &error);
    if (!status) {
        entry->reader_large |= entry->record.size > SPOOLS_RECORD_BYTES_ORDINARY;
        return STENO_OK;
    }
    entry->record = (spool_record){0};
    if (status == STENO_END) return STENO_END;
    logline_limited(&self->spool_said, "%s; trying again", error.message);
    entry->retry_ms = clock_ms() + SPOOLS_RETRY_MS;
    return status;
}

/* One publisher's turn. False: the batch is full. */
static bool read_on(intake *self, publisher *entry) {
    for (unsigned turn = 0; turn < SPOOLS_TURN_RECORDS; turn++) {
        if (!batch_fits(&self->batch, 0)) return false;
        if (!entry->record.seq) {
            steno_status status = next_record(self, entry);
            if (status == STENO_END) at_end(self, entry);
            if (status) return true;
        }
        entry->retry_ms = 0;
        if (!order_record(self, entry)) return entry->retry_ms != 0;
        entry->record = (spool_record){0};
    }
    return true;
}

void spools_read(intake *self) {
    int64_t now = clock_ms();
    publisher *entry = self->turn ? self->turn : publishers_first(self->table);
    for (size_t left = publishers_count(self->table); left > 0; left--) {
        if (!entry) entry = publishers_first(self->table);
        if (entry->behind && entry->retry_ms <= now && !read_on(self, entry)) break;
        if (entry->drained && !entry->behind && entry->retry_ms <= now && !endings_take(self, entry)) break;
        entry = entry->after;
    }
    self->turn = entry;
}

/* ---- releasing ---- */

/* Deletes what is stored; the folder only when the calls of its dead owner are ended, for it is what is left to tell of them.
 * True: it is gone, too.
 */
static bool release(intake *self, publisher *entry) {
    bool gone = false;
    steno_error error;
    entry->bytes_since_release = 0;
    if (spool_release(self->spool_folder, entry->uuid, entry->stored, entry->ended, &gone, &error))
        logline_limited(&self->spool_said, "%s", error.message);
    return gone;
}

void spools_release(intake *self) {
    int64_t now = clock_ms();
    publisher *after;
    for (publisher *entry = publishers_first(self->table); entry; entry = after) {
        after = entry->after;
        if (!entry->spooled || entry->dirty || entry->held) continue;
        bool done = entry->ended && !entry->behind && entry->retry_ms <= now;
        bool due = entry->bytes_since_release >= SPOOLS_RELEASE_BYTES ||
                   (entry->bytes_since_release > 0 && now - entry->released_ms >= SPOOLS_RELEASE_MS);
        if (!done && !due) continue;
        entry->released_ms = now;
        bool gone = release(self, entry);
        if (gone) {
            if (self->turn == entry) self->turn = after;
            if (entry->reader) self->readers--;
            publishers_remove(self->table, entry);
        } else if (done) {
            entry->retry_ms = now + SPOOLS_RETRY_MS; /* something foreign is in it */
        }
    }
}

bool spools_read_since(const intake *self, uint64_t generation) {
    if (self->scanned < generation) return false;
    for (const publisher *entry = publishers_first(self->table); entry; entry = entry->after)
        if (entry->spooled && (entry->looked < generation || entry->stored < entry->next)) return false;
    return true;
}
