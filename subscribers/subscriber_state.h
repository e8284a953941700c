/* What a subscriber is, for its two rooms: subscriber_open.c makes and frees it, subscriber.c works. */
#ifndef SUBSCRIBERS_SUBSCRIBER_STATE_H
#define SUBSCRIBERS_SUBSCRIBER_STATE_H

#include <stdatomic.h>

#include "schema/place.h"
#include "subscribers/batch.h"
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
    request asked, committing, watching;
    int64_t watch_at;         /* the cursor is to be looked at again */
    int64_t ask_at;           /* not earlier */
    int64_t commit_at;        /* the next commit is due, if there is something to commit */
    int64_t connect_deadline; /* 0: not set yet */
    bool from_oldest;         /* offsets before the journal's first are not missed */
    batch batch;
    stream_item item;
    steno_event *event; /* in hand; its bytes belong to batch or item */
    uint64_t last;      /* everything that matches up to here was handed out */
    uint64_t handled;   /* everything that matches up to here is handled */
    uint64_t committed; /* the stored cursor, as far as we know */
    uint64_t posted;    /* what the last commit that was sent asks for, answered or not */
    bool stored;        /* there is a stored cursor */
    bool unsure;        /* a commit's answer was lost: the cursor has to be looked at before the next one */
    uint64_t unstored;  /* events handled since the last commit */
    uint64_t seen;      /* highest offset that the daemon itself has shown */
    steno_subscriber_counts counts;
};

#endif
