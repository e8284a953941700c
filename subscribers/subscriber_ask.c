/* What a subscriber asks the daemon for, and what the answers change: where it is (`last`, `handled`), which phase it is in, what is stored.
 * Waits for nothing. Invariant: an answer counts only for the request in flight that it belongs to.
 */
#include <string.h>

#include "schema/utf8.h"
#include "subscribers/clock.h"
#include "subscribers/subscriber_state.h"

/* A daemon that refused is asked again after this. */
#define RETRY_MS 500
/* How often the stored cursor is looked at: somebody may have moved it (`steno replay`). */
#define WATCH_MS 1000

/* ---- asking ---- */

static steno_status post(steno_subscriber *self, request *slot, steno_error *error) {
    steno_status status = control_client_post(self->control, self->draft, &slot->id, error);
    if (status == STENO_BUSY) return STENO_OK; /* asked again when there is a connection */
    slot->deadline = clock_after(SUBSCRIBER_REQUEST_MS);
    return status;
}

steno_status asking_post_question(steno_subscriber *self, steno_error *error) {
    steno_draft_start(self->draft);
    switch (self->phase) {
    case PHASE_CURSOR:
        steno_draft_string(self->draft, "verb", "cursor");
        steno_draft_string(self->draft, "name", self->name);
        break;
    case PHASE_NOW:
    case PHASE_CHECK: steno_draft_string(self->draft, "verb", "status"); break;
    case PHASE_REPLAY:
        steno_draft_string(self->draft, "verb", "replay");
        steno_draft_int(self->draft, "after", (int64_t)self->last);
        if (self->topics) {
            steno_draft_array_begin(self->draft, "topics");
            for (char **topic = self->topics; *topic; topic++) steno_draft_string(self->draft, NULL, *topic);
            steno_draft_array_end(self->draft);
        }
        break;
    case PHASE_LIVE: break;
    }
    self->asked.offset = self->last;
    return post(self, &self->asked, error);
}

steno_status asking_post_commit(steno_subscriber *self, steno_error *error) {
    steno_draft_start(self->draft);
    steno_draft_string(self->draft, "verb", "commit");
    steno_draft_string(self->draft, "name", self->name);
    steno_draft_int(self->draft, "offset", (int64_t)self->handled);
    if (self->stored) steno_draft_int(self->draft, "was", (int64_t)self->committed);
    self->posted = self->handled;
    self->committing.offset = self->handled;
    self->commit_at = clock_after(self->commit_ms);
    self->unstored = 0;
    return post(self, &self->committing, error);
}

steno_status asking_post_watch(steno_subscriber *self, steno_error *error) {
    steno_draft_start(self->draft);
    steno_draft_string(self->draft, "verb", "cursor");
    steno_draft_string(self->draft, "name", self->name);
    return post(self, &self->watching, error);
}

steno_status asking_post_report(steno_subscriber *self, const char *problem, uint64_t dead_letters,
                                steno_error *error) {
    char line[3 * CONTROL_PROBLEM_BYTES_MAX + 1];
    steno_draft_start(self->draft);
    steno_draft_string(self->draft, "verb", "report");
    steno_draft_string(self->draft, "name", self->name);
    if (problem) {
        size_t size = utf8_repair(problem, strnlen(problem, CONTROL_PROBLEM_BYTES_MAX), line);
        if (size > CONTROL_PROBLEM_BYTES_MAX) size = CONTROL_PROBLEM_BYTES_MAX;
        steno_draft_string_n(self->draft, "problem", line, utf8_valid_prefix(line, size));
    }
    steno_draft_int(self->draft, "dead_letters", (int64_t)dead_letters);
    return post(self, &self->reporting, error);
}

/* ---- answers ---- */

static uint64_t offset_in(const control_reply *reply, const char *field) {
    int64_t offset = steno_value_int(control_get(reply->message, field), 0);
    return offset > 0 ? (uint64_t)offset : 0;
}

static void begin_after(steno_subscriber *self, uint64_t offset, phase next) {
    self->last = self->handled = self->handed = offset;
    self->phase = next;
    self->commit_at = clock_after(self->commit_ms);
}

static void begin_from(steno_subscriber *self, uint64_t last_offset) {
    self->seen = last_offset;
    self->from_oldest = self->from == STENO_FROM_BEGINNING;
    if (self->from == STENO_FROM_NOW)
        begin_after(self, last_offset, PHASE_LIVE);
    else
        begin_after(self, self->from_oldest ? 0 : (uint64_t)self->from - 1, PHASE_REPLAY);
}

static void tell_missed(steno_subscriber *self, uint64_t first, uint64_t last) {
    self->counts.missed += last - first + 1;
    if (self->on_missed) self->on_missed(first, last, self->on_missed_ctx);
}

static void on_replay(steno_subscriber *self, control_reply *reply) {
    batch_take(&self->batch, reply);
    const uint64_t first = self->batch.first;
    if (first > self->last + 1) {
        if (!self->from_oldest) tell_missed(self, self->last + 1, first - 1);
        subscriber_pass(self, first - 1);
    }
    self->from_oldest = false;
}

/* The journal ended before an offset that it had reached: either the news was old, or this is another log. */
static void on_check(steno_subscriber *self, uint64_t last_offset) {
    self->phase = PHASE_REPLAY;
    if (last_offset >= self->seen) return;
    self->counts.new_logs++;
    self->seen = last_offset;
    self->stored = false;
    self->from_oldest = true;
    begin_after(self, 0, PHASE_REPLAY);
}

/* The answer to the phase's question. Takes over the reply. */
static steno_status on_answer(steno_subscriber *self, control_reply *reply, steno_error *error) {
    self->asked.id = 0;
    steno_error refusal = {0};
    steno_status status = STENO_OK;
    if (!control_reply_ok(reply, &refusal)) {
        self->ask_at = clock_after(RETRY_MS);
        /* What the daemon does not understand it will not understand later. */
        if (!strcmp(refusal.type, "invalid") || !strcmp(refusal.type, "unknown_verb"))
            status = steno_fail(error, STENO_INVALID, "%s", refusal.message);
    } else if (self->phase == PHASE_CURSOR) {
        self->stored = steno_value_bool(control_get(reply->message, "exists"), false);
        self->committed = offset_in(reply, "offset");
        if (self->stored)
            begin_after(self, self->committed, PHASE_REPLAY);
        else
            self->phase = PHASE_NOW;
    } else if (self->phase == PHASE_NOW) {
        begin_from(self, offset_in(reply, "last_offset"));
    } else if (self->phase == PHASE_CHECK) {
        on_check(self, offset_in(reply, "last_offset"));
    } else if (self->phase == PHASE_REPLAY) {
        on_replay(self, reply);
        reply = NULL;
    }
    control_reply_free(reply);
    return status;
}

void asking_follow_cursor(steno_subscriber *self) {
    if (!self->moved) return;
    self->moved = false;
    self->counts.moved++;
    batch_clear(&self->batch);
    self->asked.id = 0;
    self->from_oldest = false;
    begin_after(self, self->committed, PHASE_REPLAY);
}

/* Replies come in the order of their requests, so what is stored is what we know, or what a commit asked for whose answer was lost, or
 * somebody has moved the cursor: then reading goes on from there, once the event in hand is settled.
 */
static void on_watched(steno_subscriber *self, const control_reply *reply) {
    self->watching.id = 0;
    self->watch_at = clock_after(WATCH_MS);
    if (!control_reply_ok(reply, NULL) || !steno_value_bool(control_get(reply->message, "exists"), false)) return;
    const uint64_t stored = offset_in(reply, "offset");
    const bool ours = stored == self->committed || stored == self->posted;
    self->unsure = false;
    self->committed = stored;
    if (ours) return;
    self->posted = stored;
    self->moved = true;
    if (!self->event) asking_follow_cursor(self);
}

static steno_status on_committed(steno_subscriber *self, const control_reply *reply, steno_error *error) {
    self->committing.id = 0;
    steno_error refusal = {0};
    if (!control_reply_ok(reply, error ? error : &refusal)) {
        if (!strcmp((error ? error : &refusal)->type, "moved")) self->watch_at = 0;
        return STENO_FAILED;
    }
    self->committed = self->committing.offset;
    self->stored = true;
    return STENO_OK;
}

static bool forget_if_lost(request *slot) {
    const bool lost = slot->id && clock_until(slot->deadline) == 0;
    if (lost) slot->id = 0;
    return lost;
}

/* Reads the replies that are there. *commit_status: what became of a commit, if it was answered. */
steno_status asking_take_replies(steno_subscriber *self, steno_status *commit_status, steno_error *commit_error,
                                 steno_error *error) {
    steno_status status = STENO_OK;
    control_reply *reply;
    while (!status && subscriber_in_flight(self) && (reply = control_client_take(self->control))) {
        if (reply->id == self->asked.id) {
            status = on_answer(self, reply, error);
            continue;
        }
        if (reply->id == self->committing.id) *commit_status = on_committed(self, reply, commit_error);
        if (reply->id == self->watching.id) on_watched(self, reply);
        if (reply->id == self->reporting.id) self->reporting.id = 0;
        control_reply_free(reply); /* others are late */
    }
    forget_if_lost(&self->asked);
    if (forget_if_lost(&self->committing) && self->stored) {
        self->unsure = true;
        self->watch_at = 0;
    }
    forget_if_lost(&self->watching);
    forget_if_lost(&self->reporting);
    return status;
}
