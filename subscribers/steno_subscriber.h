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

typedef struct steno_subscriber_config {
    size_t size;               /* sizeof(steno_subscriber_config) */
    const char *dir;           /* the Steno folder; NULL: as everywhere ($STENO_DIR, else XDG) */
    const char *name;          /* of the durable cursor, 1 to 64 of [A-Za-z0-9_.-]; NULL: none is kept */
    const char *const *topics; /* prefixes ("success.", "failure.openai."), NULL-terminated; NULL: everything */
    int64_t from;  /* an offset (the first one wanted), or STENO_FROM_…; default: beginning with a name, else now */
    bool from_set; /* true: `from` goes before the cursor that is stored */
    size_t commit_events;       /* commit the cursor after so many events; 0: 100 */
    int64_t commit_ms;          /* … or after so long; 0: 1,000 */
    int64_t connect_timeout_ms; /* how long to wait for a daemon at the start; 0: 5,000; < 0: for ever */
} steno_subscriber_config;

#define STENO_SUBSCRIBER_CONFIG_INIT \
    { .size = sizeof(steno_subscriber_config) }

STENO_API steno_status steno_subscriber_new(const steno_subscriber_config *config, steno_subscriber **out,
                                            steno_error *error);
STENO_API void steno_subscriber_free(steno_subscriber *subscriber);

/* Called with each event; `event` is borrowed for the time of the call. Return 0 to go on. Anything else stops the run
 * with STENO_FAILED before this event counts as handled: it comes again next time.
 */
typedef int (*steno_handler_fn)(const steno_event *event, void *ctx);
/* Runs until steno_subscriber_stop (STENO_OK), the handler's refusal (STENO_FAILED), or an error. The cursor is committed on the way
 * and at the end. A daemon that goes away is waited for.
 */
STENO_API steno_status steno_subscriber_run(steno_subscriber *subscriber, steno_handler_fn handler, void *ctx,
                                            steno_error *error);
/* One step of the same for programs with a loop of their own: the next event in *out (borrowed until the next call), or
 * STENO_TIMEOUT after `timeout_ms`. Calling it again means that the event before was handled.
 */
STENO_API steno_status steno_subscriber_next(steno_subscriber *subscriber, int64_t timeout_ms, const steno_event **out,
                                             steno_error *error);
/* Stores the cursor now. */
STENO_API steno_status steno_subscriber_commit(steno_subscriber *subscriber, steno_error *error);
/* Ends a run after the event in hand. Safe in a signal handler and from any thread. */
STENO_API void steno_subscriber_stop(steno_subscriber *subscriber);
/* The offset up to which everything that matches has been handed out. */
STENO_API uint64_t steno_subscriber_offset(const steno_subscriber *subscriber);

/* ---- the daemon's control socket, for tools ---- */

typedef struct steno_control steno_control;

/* Connects to the control socket of the folder `dir` (NULL: as everywhere). Does not wait for a daemon. */
STENO_API steno_status steno_control_new(const char *dir, steno_control **out, steno_error *error);
STENO_API void steno_control_free(steno_control *control);
/* Sends the draft (a map with field `verb`, EVENTS.md "Control") and waits for the reply: *reply is borrowed until the next call.
 * STENO_TIMEOUT: no daemon answered; STENO_FAILED: it answered ok = false, `error` has its code and message.
 */
STENO_API steno_status steno_control_call(steno_control *control, steno_draft *request, int64_t timeout_ms,
                                          const steno_value **reply, steno_error *error);

#ifdef __cplusplus
}
#endif
#endif
