/* Handing events on in batches, at least once and in order: read → gather → deliver → commit. The cursor moves only over what was delivered, or
 * put aside into the dead-letter file. Memory is bounded by one batch and one event: while a peer is down, the events wait in the journal.
 * A batch that is refused is halved until the events that are the reason stand alone; these go to the dead letters. What a peer is
 * in no state to take is tried again for ever, with growing pauses (0.5 s doubling to 60 s, with jitter; a Retry-After comes first), and
 * `steno status` says so meanwhile (verb `report`). Whoever moves the cursor meanwhile (`steno replay --to NAME`) is obeyed: the batch is dropped.
 * On SIGTERM the batch in hand is tried once more, then the program ends; what was not delivered comes again next time.
 */
#ifndef SUBSCRIBERS_DELIVERY_H
#define SUBSCRIBERS_DELIVERY_H

#include "subscribers/program.h"

typedef enum delivery_outcome {
    DELIVERY_DONE,
    DELIVERY_LATER,   /* the peer (or the disk) is in no state to take anything: again after a pause */
    DELIVERY_REFUSED, /* it will never take these events */
    DELIVERY_BROKEN,  /* nothing can go on: ends the program with status 1, nothing of the batch counts as handled */
} delivery_outcome;

#define DELIVERY_WHY_BYTES 256

typedef struct delivery_result {
    delivery_outcome outcome;
    int64_t retry_after_ms;       /* with LATER: what the peer asked for; 0: our own pause */
    char why[DELIVERY_WHY_BYTES]; /* for people; with DONE: "", or what is wrong all the same */
} delivery_result;

typedef struct delivery {
    const program *program;
    size_t batch_events; /* 1 … DELIVERY_EVENTS_MAX */
    size_t batch_bytes;  /* encoded; a single larger event is a batch of its own */
    int64_t
        batch_ms; /* how long the first of a batch may wait for others; 0: not at all (but what is there already is taken) */
    /* Delivers all of them or none. The events are borrowed for the time of the call, in order of offset; it may be called again with the same. */
    delivery_result (*deliver)(const steno_event *const *events, size_t count, void *self);
    /* Called about once a second while nothing comes (flush, rotate); NULL: none. LATER is a problem that is told and tried again. */
    delivery_result (*idle)(void *self);
    void *self;
} delivery;

#define DELIVERY_EVENTS_MAX 10000
#define DELIVERY_PAUSE_MS 500
#define DELIVERY_PAUSE_MS_MAX 60000

/* Runs until a signal or BROKEN. Returns the exit status. `config` as program_parse filled it. Where there is no name, there is no cursor, and the dead letters
 * are under the program's.
 */
int delivery_run(const delivery *what, steno_subscriber_config *config);

/* Makes a result; `format` gives its `why`. */
delivery_result delivery_say(delivery_outcome outcome, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define DELIVERED ((delivery_result){.outcome = DELIVERY_DONE})

#endif
