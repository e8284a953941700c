/* What a subscriber is, for its rooms: subscriber_open.c makes and frees it, subscriber_ask.c talks to the daemon, subscriber.c hands out. */
#ifndef SUBSCRIBERS_SUBSCRIBER_STATE_H
#define SUBSCRIBERS_SUBSCRIBER_STATE_H

#include <stdatomic.h>

#include "schema/place.h"
#include "subscribers/batch.h"
#include "subscribers/joined.h"
#include "subscribers/steno_subscriber.h"
#include "subscribers/stream.h"

typedef enum phase {
    PHASE_CURSOR, /* asks for the stored cursor */
    PHASE_NOW,    /* asks where the journal ends, to begin there */
    PHASE_REPLAY, /* asks for what is beyond `last`, and hands out the batch */
    PHASE_CHECK,  /* asks where the journal ends, because it seems to end too early */
    PHASE_LIVE,   /* takes from the stream */
} phase;

/* A request in flight. id 0: none. */
typedef struct request {
    uint64_t id;
    int64_t deadline;
    uint64_t offset; /* what a commit stores, or a replay begins after */
} request;

struct steno_subscriber {
    /* settings */
    char name[CONTROL_NAME_BYTES]; /* "": no cursor */
    char **topics;                 /* NULL: everything */
    int64_t from;
    uint64_t commit_events;
    int64_t commit_ms, connect_timeout_ms;
    steno_missed_fn on_missed;
    void *on_missed_ctx;
    steno_waiting_fn on_waiting;
    void *on_waiting_ctx;
    char endpoint[PLACE_ENDPOINT_BYTES];

    /* any thread */
    int wake;
    atomic_bool stopping;

    /* the running thread */
    void *context;
    stream *stream;
    steno_control *control;
    steno_draft *draft;
    phase phase;
    request asked, committing, watching, reporting;
    int64_t watch_at;         /* the cursor is to be looked at again */
    int64_t ask_at;           /* not earlier */
    int64_t commit_at;        /* the next commit is due, if there is something to commit */
    int64_t connect_deadline; /* 0: not set yet */
    int64_t waiting_at;       /* when it is told that no daemon answers; 0: not set yet */
    bool from_oldest;         /* offsets before the journal's first are not missed */
    batch batch;
    stream_item item;
    steno_event *event; /* in hand; its bytes belong to batch or item */
    uint64_t last;      /* everything that matches up to here was handed out */
    uint64_t handled;   /* everything that matches up to here is handled */
    bool manual;        /* only steno_subscriber_handled says so */
    uint64_t handed;    /* with `manual`: the newest event that was handed out */
    bool moved;         /* somebody has set the cursor to `committed`: followed when no event is in hand */
    int wake_on;        /* -1: nothing */
    bool woken;         /* wake_on was readable */
    uint64_t committed; /* the stored cursor, as far as we know */
    uint64_t posted;    /* what the last commit that was sent asks for, answered or not */
    bool stored;        /* there is a stored cursor */
    bool unsure;        /* a commit's answer was lost: the cursor has to be looked at before the next one */
    uint64_t unstored;  /* events handled since the last commit */
    uint64_t seen;      /* highest offset that the daemon itself has shown */
    steno_subscriber_counts counts;
    joined *joined; /* NULL until steno_subscriber_join is called (joined.c) */
};

/* A request without an answer is taken for lost after this (a daemon that was killed with it in hand) and made again. */
#define SUBSCRIBER_REQUEST_MS 3000
/* Without any daemon so long at the start, somebody has to start one, or looks in another folder. */
#define SUBSCRIBER_WAITING_MS 5000

/* ---- what it wants ---- */

static inline bool has_cursor(const steno_subscriber *self) { return self->name[0] != 0; }
/* Still finding out where to begin? */
static inline bool settling(const steno_subscriber *self) {
    return self->phase == PHASE_CURSOR || self->phase == PHASE_NOW;
}
/* Has the phase a question that is not in flight? */
static inline bool wants_to_ask(const steno_subscriber *self) {
    return self->phase != PHASE_LIVE && !self->asked.id && !batch_held(&self->batch);
}
static inline bool wants_to_commit(const steno_subscriber *self) {
    return has_cursor(self) && !settling(self) && !self->committing.id && !self->unsure && !self->moved &&
           (!self->stored || self->handled != self->committed);
}
static inline bool wants_to_watch(const steno_subscriber *self) {
    return has_cursor(self) && self->stored && !settling(self) && !self->watching.id && !self->moved;
}
static inline bool subscriber_in_flight(const steno_subscriber *self) {
    return self->asked.id || self->committing.id || self->watching.id || self->reporting.id;
}

/* Nothing up to `offset` matches, or can be had. It is handled with what was handed out before it. */
static inline void subscriber_pass(steno_subscriber *self, uint64_t offset) {
    self->last = offset;
    if (!self->manual || self->handled >= self->handed) self->handled = offset;
}

/* ---- asking (subscriber_ask.c) ---- */

/* Each sends a request if there is a connection, and waits for nothing: the phase's question, the cursor, a look at the cursor, a report. */
steno_status asking_post_question(steno_subscriber *self, steno_error *error);
steno_status asking_post_commit(steno_subscriber *self, steno_error *error);
steno_status asking_post_watch(steno_subscriber *self, steno_error *error);
steno_status asking_post_report(steno_subscriber *self, const char *problem, uint64_t dead_letters, steno_error *error);
/* Reads the replies that are there. *commit_status: what became of a commit, if it was answered. */
steno_status asking_take_replies(steno_subscriber *self, steno_status *commit_status, steno_error *commit_error,
                                 steno_error *error);
/* Goes on from where somebody has set the cursor, if somebody has. No event is in hand. */
void asking_follow_cursor(steno_subscriber *self);

#endif
