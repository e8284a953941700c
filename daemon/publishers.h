/* Who publishes, and how far each has come: the table in memory of what `publisher` in the log says, plus what is under way.
 * Invariant: stored <= next; everything below `next` is in the batch or in the log, everything below `stored` is in the log.
 */
#ifndef DAEMON_PUBLISHERS_H
#define DAEMON_PUBLISHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/event.h"
#include "schema/spool.h"

/* Publishers in memory at once. One that has been idle longest makes room for a new one: the log keeps where it was. */
#define PUBLISHERS_MAX 4096
/* What is remembered of field `app`, with the final NUL. */
#define PUBLISHER_TEXT_BYTES 96
/* Frames of publishers that are behind wait for the spool to come to their place: an event that its spool could not keep is in
 * such a frame only. What does not fit is dropped; the spool mostly has it, else it is a loss.
 */
#define HELD_FRAMES_MAX 4096
#define HELD_BYTES_MAX (2u << 20)

typedef struct held_frame {
    struct held_frame *after;
    uint64_t seq;
    size_t size; /* 0: a mark, "read my spool up to here" */
    unsigned char bytes[];
} held_frame;

typedef struct publisher {
    uint8_t uuid[SPOOL_PUBLISHER_BYTES];
    int64_t id;      /* publisher.id in the log; 0 while there is no row */
    uint64_t next;   /* the sequence that is taken next */
    uint64_t stored; /* `next` as committed */
    uint64_t heard;  /* highest sequence that came by the bus */
    uint64_t losses;

    bool own;       /* the daemon itself */
    bool described; /* the texts below are filled in */
    char app[PUBLISHER_TEXT_BYTES], host[PUBLISHER_TEXT_BYTES], version[PUBLISHER_TEXT_BYTES];
    int64_t pid;

    /* The spool. */
    bool spooled; /* it has a folder */
    bool alive;   /* its owner, when last asked */
    bool behind;  /* the spool (or what is held) has to be read */
    bool drained; /* read to its end after its owner was found gone */
    bool ended;   /* everything is stored and its calls are closed */
    spool_reader *reader;
    spool_record record; /* read and not yet taken; seq 0: none */
    uint64_t refused;    /* the spool had no room for what was published up to here, and ends before it; or 0 */
    bool reader_large;   /* its buffer has grown beyond the ordinary */
    char *damaged_file;  /* a damaged segment, put aside, whose extent is not known yet; owned */
    int64_t hole_since_ms, retry_ms, active_ms, asked_ms, released_ms;
    uint64_t looked; /* generation in which the spool was last read to its end */
    size_t bytes_since_release;

    held_frame *held, **held_end;

    /* The batch. */
    bool dirty;   /* the row has to be written; in the list of such */
    bool fresh;   /* `id` was given in the transaction under way */
    bool closing; /* failures for its open calls are in the batch */
    struct publisher *dirty_after;

    struct publisher *bucket_after, *before, *after; /* of the table */
} publisher;

typedef struct publishers publishers;

publishers *publishers_new(void);
void publishers_free(publishers *self);
/* NULL if it is not in memory. */
publisher *publishers_find(publishers *self, const uint8_t uuid[SPOOL_PUBLISHER_BYTES]);
/* A new entry with next 1. NULL if memory is short or all PUBLISHERS_MAX have something under way. */
publisher *publishers_add(publishers *self, const uint8_t uuid[SPOOL_PUBLISHER_BYTES]);
void publishers_remove(publishers *self, publisher *entry);
/* All of them: the first, then `->after`. */
publisher *publishers_first(const publishers *self);
size_t publishers_count(const publishers *self);
/* Notes `app` of an event, the first that has one. */
void publisher_describe(publisher *entry, const steno_value *app);
void publisher_close_reader(publisher *entry);

/* Keeps a copy of a frame, size 0 a mark. False: no room, or not above those that are held. */
bool publishers_hold(publishers *self, publisher *entry, uint64_t seq, const void *bytes, size_t size);
/* Forgets the first frame held. */
void publishers_unhold(publishers *self, publisher *entry);

#endif
