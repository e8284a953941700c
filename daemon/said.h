/* What a child says on its stdout and stderr, line by line into the daemon's log. Invariant: a child that never stops talking costs the loop and the
 * log a bounded share: lines beyond the rate are counted and said to be withheld; bytes beyond it stay in the pipe, where the child waits as
 * at a slow terminal.
 */
#ifndef DAEMON_SAID_H
#define DAEMON_SAID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest line that is passed on whole; a longer one comes in pieces. */
#define SAID_LINE_BYTES 1024
/* Lines into the log: so many at once, after a time of quiet, and so many a second in the long run. */
#define SAID_LINES_AT_ONCE 200
#define SAID_LINES_A_SECOND 5
/* Bytes that are read of one child in a second. */
#define SAID_BYTES_A_SECOND (1 << 20)
/* How soon it is told how many lines were withheld. */
#define SAID_WITHHELD_MS 10000
/* Of the last line, for `status`, with its NUL. */
#define SAID_LAST_BYTES 257

typedef struct said {
    int fd; /* the pipe's reading end, which must not block; -1: none */
    size_t size;
    int64_t lines_ms;                /* up to when the lines said so far use up the rate */
    int64_t second_ms, second_bytes; /* a second's beginning, and what was read since */
    int64_t withheld_ms;             /* when the withheld ones are told */
    uint64_t withheld;               /* lines */
    char line[SAID_LINE_BYTES];
    char last[SAID_LAST_BYTES];
} said;

/* Listens to `fd` from now on, which is owned from here; to another one no more. The last line stays. */
void said_begin(said *self, int fd);
/* Passes on what has come, under the child's name. Cheap if there is nothing. */
void said_listen(said *self, const char *name, int64_t now);
/* The child is gone: passes on what is left in the pipe, and what was withheld. */
void said_end(said *self, const char *name, int64_t now);
/* Is there room in this second? Then the pipe is to be polled. */
bool said_open(const said *self, int64_t now);
/* When said_listen is to be called although the pipe was not polled (clock_ms); INT64_MAX: never. */
int64_t said_due(const said *self, int64_t now);

#endif
