/* libsteno-subscriber: read every event once committed, in order, from where you left off.
 *
 *     steno_subscriber *subscriber;
 *     steno_subscriber_config config = STENO_SUBSCRIBER_CONFIG_INIT;
 *     config.name = "my-handler";
 *     steno_subscriber_new(&config, &subscriber, &error);
 *     steno_subscriber_run(subscriber, on_event, NULL, &error);   // until steno_subscriber_stop
 *
 * First it replays what its cursor has not seen, then it joins the live stream with no hole and no overlap; a hole (the daemon
 * was restarted, the subscriber was slow) is replayed the same way. Delivery is at least once, in order of offset.
 * A subscriber belongs to the thread that runs it; only steno_subscriber_stop may come from elsewhere.
 */
#ifndef STENO_SUBSCRIBER_H
#define STENO_SUBSCRIBER_H

#include "schema/event.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct steno_subscriber steno_subscriber;

/* Where to begin when there is no cursor under that name yet. */
#define STENO_FROM_BEGINNING INT64_C(-1)
#define STENO_FROM_NOW INT64_C(-2)

/* Called when offsets `first` to `last`, both included, left the journal (it is kept for a limited time) before this
 * subscriber came for them. Delivery goes on with the oldest event that is still there.
 */
typedef void (*steno_missed_fn)(uint64_t first, uint64_t last, void *ctx);
/* Called once, if no daemon has answered on `endpoint` for 5 s at the start; it is waited for all the same. */
typedef void (*steno_waiting_fn)(const char *endpoint, void *ctx);

typedef struct steno_subscriber_config {
    size_t size;               /* sizeof(steno_subscriber_config) */
    const char *dir;           /* the Steno folder; NULL: as everywhere ($STENO_DIR, else XDG) */
    const char *name;          /* of the durable cursor, 1 to 64 of [A-Za-z0-9_.-]; NULL: none is kept */
    const char *const *topics; /* prefixes ("success.", "failure.openai."), NULL-terminated; NULL: everything */
    int64_t from;         /* an offset (the first one wanted), or STENO_FROM_…; 0: beginning with a name, else now */
    bool from_set;        /* true: `from` goes before the cursor that is stored */
    size_t commit_events; /* commit the cursor after so many events; 0: 100 */
    int64_t commit_ms;    /* … or after so long; 0: 1,000 */
    int64_t connect_timeout_ms;  /* how long to wait for a daemon at the start; 0: 5,000; < 0: for ever */
    steno_missed_fn on_missed;   /* NULL: only counted (steno_subscriber_counts) */
    void *on_missed_ctx;         /* handed to on_missed; borrowed */
    steno_waiting_fn on_waiting; /* NULL: nobody is told */
    void *on_waiting_ctx;        /* handed to on_waiting; borrowed */
    bool
        manual; /* an event counts as handled only by steno_subscriber_handled, not by the next call of steno_subscriber_next */
} steno_subscriber_config;

#define STENO_SUBSCRIBER_CONFIG_INIT STENO_SIZED(steno_subscriber_config)

/* Opens the sockets and waits for nothing. All of `config` is copied. *out is owned by the caller.
 * Errors: STENO_INVALID (name, topics, offset or folder), STENO_SYSTEM, STENO_NO_MEMORY.
 */
STENO_API steno_status steno_subscriber_new(const steno_subscriber_config *config, steno_subscriber **out,
                                            steno_error *error);
STENO_API void steno_subscriber_free(steno_subscriber *subscriber);

/* Waits for the daemon and settles where reading begins: "now" is the moment when this returns. Optional: the first run or next
 * does the same. STENO_NOT_FOUND: no daemon within connect_timeout_ms; STENO_END: steno_subscriber_stop.
 */
STENO_API steno_status steno_subscriber_connect(steno_subscriber *subscriber, steno_error *error);

/* Called with each event; `event` is borrowed for the time of the call. Return 0 to go on. Anything else stops the run
 * with STENO_FAILED before this event counts as handled: it comes again next time.
 */
typedef int (*steno_handler_fn)(const steno_event *event, void *ctx);
/* Runs until steno_subscriber_stop (STENO_OK), the handler's refusal (STENO_FAILED), no daemon at the start (STENO_NOT_FOUND), or
 * an error. The cursor is committed on the way and at the end; if that fails, the events since the last commit come again next
 * time. A daemon that goes away is waited for.
 */
STENO_API steno_status steno_subscriber_run(steno_subscriber *subscriber, steno_handler_fn handler, void *ctx,
                                            steno_error *error);
/* One step of the same for programs with a loop of their own: the next event in *out (borrowed until the next call on the
 * subscriber), STENO_TIMEOUT after `timeout_ms` (< 0: for ever) without one, STENO_END after steno_subscriber_stop, STENO_NOT_FOUND
 * as above. Calling it again means that the event before was handled.
 */
STENO_API steno_status steno_subscriber_next(steno_subscriber *subscriber, int64_t timeout_ms, const steno_event **out,
                                             steno_error *error);
/* Makes the fields of its call's earlier stages readable through the event in hand (steno_event_get), as hooks in an app see them: those of the attempt's
 * `pre_api_call` in its `stream_event`s and `post_api_call`, those of the last attempt's two in the terminal event. Stages that this subscriber has not
 * seen (its topics leave them out, it was restarted in mid-call) are looked up in the journal; what has left that is not there. Call it for each
 * event, from the handler or after `next`: then it remembers what went by, and need not look up much. STENO_TIMEOUT: no daemon answered within
 * `timeout_ms`; try again, or refuse the event. STENO_FAILED: the daemon refused. STENO_INVALID: no event is in hand. STENO_NO_MEMORY.
 */
STENO_API steno_status steno_subscriber_join(steno_subscriber *subscriber, int64_t timeout_ms, steno_error *error);
/* Stores the cursor now: what was handed out before the event in hand, which counts once `next` is called again. There is nothing to store before the beginning is settled.
 * STENO_INVALID without a name, STENO_TIMEOUT if no daemon answers, STENO_FAILED if it refuses.
 */
STENO_API steno_status steno_subscriber_commit(steno_subscriber *subscriber, steno_error *error);
/* With `manual`: everything up to `offset` is handled, and the cursor may be committed up to it (and over what matches no topic after it). Ignored
 * where the cursor was moved meanwhile: `offset` is not between what is handled and what was handed out.
 */
STENO_API void steno_subscriber_handled(steno_subscriber *subscriber, uint64_t offset);
/* With `manual`: waits without taking an event (the one in hand is given up, as by `next`), while the cursor is committed and watched. STENO_TIMEOUT after
 * `timeout_ms` (< 0: never); STENO_OK at once when somebody has moved the cursor (`steno replay`): what was handed out before is then of no
 * use any more; STENO_END after steno_subscriber_stop.
 */
STENO_API steno_status steno_subscriber_pause(steno_subscriber *subscriber, int64_t timeout_ms, steno_error *error);
/* From now on `next` and `pause` end with STENO_TIMEOUT, early, when `fd` (an epoll's, say) is readable and they would wait. -1: nothing. Borrowed. */
STENO_API void steno_subscriber_wake_on(steno_subscriber *subscriber, int fd);
/* Tells the daemon how this subscriber is, for `steno status`: `problem` (one line, cut at 512 bytes) NULL: well; `dead_letters`: how many events were put
 * aside. Waits for the daemon a moment at most (1 s) and fails quietly; does nothing without a name. The daemon forgets it when it ends: say it again now and then.
 */
STENO_API void steno_subscriber_report(steno_subscriber *subscriber, const char *problem, uint64_t dead_letters);
/* Ends a run (or `next`, or `connect`) after the event in hand; the stop is used up by the call that it ends. Safe in a signal
 * handler and from any thread. NULL is fine.
 */
STENO_API void steno_subscriber_stop(steno_subscriber *subscriber);
/* The offset up to which everything that matches has been handed out. */
STENO_API uint64_t steno_subscriber_offset(const steno_subscriber *subscriber);

/* What a subscriber has seen since it was made. */
typedef struct steno_subscriber_counts {
    size_t size;        /* sizeof(steno_subscriber_counts), set by the caller */
    uint64_t delivered; /* events handed out */
    uint64_t malformed; /* messages that are no event: skipped */
    uint64_t missed;    /* offsets that had left the journal before they could be read */
    uint64_t replays;   /* times that the live stream was not enough */
    uint64_t
        new_logs;   /* times that the daemon came back with another log, whose events were then read from the first */
    uint64_t moved; /* times that somebody else moved the cursor */
} steno_subscriber_counts;

STENO_API void steno_subscriber_get_counts(const steno_subscriber *subscriber, steno_subscriber_counts *out);

/* ---- the daemon's control socket, for tools ---- */

typedef struct steno_control steno_control;

/* Connects to the control socket of the folder `dir` (NULL: as everywhere). Does not wait for a daemon. */
STENO_API steno_status steno_control_new(const char *dir, steno_control **out, steno_error *error);
STENO_API void steno_control_free(steno_control *control);
/* Sends the draft (a map with field `verb`, EVENTS.md "Control"; field `id` is added here) and waits for its reply: *reply is
 * borrowed until the next call. A reply that comes after its request timed out is dropped, never taken for another's.
 * STENO_TIMEOUT: no daemon answered; STENO_FAILED: it answered ok = false: `error` has its message, and its code in `type`.
 */
STENO_API steno_status steno_control_call(steno_control *control, steno_draft *request, int64_t timeout_ms,
                                          const steno_value **reply, steno_error *error);

#ifdef __cplusplus
}
#endif
#endif
