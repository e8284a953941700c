/* A daemon for tests of the subscribers' library: the real sockets and protocol over a journal in memory, and every fault on request.
 * It runs on the test's own thread, in fake_pump: nothing happens that the test did not ask for.
 */
#ifndef TESTS_FAKE_DAEMON_H
#define TESTS_FAKE_DAEMON_H

#include <stddef.h>
#include <stdint.h>

#include "schema/event.h"

#define FAKE_EVENTS_MAX 4096

typedef struct fake_daemon {
    char dir[64];
    void *context, *router, *publisher;
    /* the journal: event i has offset i + 1 */
    struct {
        char topic[64];
        uint8_t body[160];
        size_t size;
    } events[FAKE_EVENTS_MAX];
    uint64_t last;
    /* faults */
    uint64_t first;       /* oldest offset still there; 0: all are */
    size_t replay_events; /* in one reply */
    bool mute;            /* requests are received and never answered */
    bool stuck;           /* replay brings nothing and promises more */
    bool hold_one;        /* the next reply is kept until the one after it was sent */
    int garbage;          /* send so many replies of no form before each good one */
    /* what was asked */
    unsigned requests, replays, statuses;
    char topics[256]; /* of the last replay, each followed by a space */
    uint64_t cursor;
    bool cursor_exists;
    unsigned commits, reports;
    char problem[600]; /* of the last report; "": none */
    int64_t dead_letters;
    /* a reply that is held */
    uint8_t held_to[64], held[512];
    size_t held_to_size, held_size;
} fake_daemon;

/* Binds its sockets in a new temporary folder. */
fake_daemon *fake_new(void);
void fake_free(fake_daemon *fake);
/* Takes down the sockets and binds them anew: a restart, with the journal kept. */
void fake_restart(fake_daemon *fake);
/* Answers what was asked so far. Waits for nothing. */
void fake_pump(fake_daemon *fake);
/* Adds an event {event, call_id} to the journal; returns its offset. */
uint64_t fake_append(fake_daemon *fake, const char *name, const char *call_id);
/* The same with any body. */
uint64_t fake_append_raw(fake_daemon *fake, const char *topic, const void *body, size_t size);
/* Sends what is in the journal at `offset` to events out. */
void fake_publish(fake_daemon *fake, uint64_t offset);
void fake_heartbeat(fake_daemon *fake, uint64_t offset);
/* One message of any frames to events out. */
void fake_publish_raw(fake_daemon *fake, size_t count, const char *const frames[], const size_t sizes[]);
/* Waits until a subscriber is there. */
void fake_wait_for_subscriber(fake_daemon *fake);

#endif
