/* The spool: a publisher's events in memory-mapped segment files (SPOOL.md). The client appends, the daemon reads on and
 * deletes what the log has taken over. A record is there whole or not at all, whatever is killed: it is committed by one
 * release store of its length, after everything else of it is in the page cache.
 */
#ifndef STENO_SPOOL_H
#define STENO_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "schema/error.h"

#define SPOOL_PUBLISHER_BYTES 16
#define SPOOL_PUBLISHER_TEXT_BYTES 33 /* 32 hex digits and NUL */
/* Size of an ordinary segment: 2,000 events of 2 KB, so that going on to the next one is rarer than one event in a thousand. Allocating one
 * takes a fraction of a millisecond, whatever its size.
 */
#define SPOOL_SEGMENT_BYTES (4u << 20)
/* Disk that a publisher's undelivered events may take, by default. */
#define SPOOL_BYTES_MAX (256u << 20)

/* The 32 hex digits of a publisher, and back (false if it is not 32 lower-case hex digits). */
void spool_publisher_text(const uint8_t publisher[SPOOL_PUBLISHER_BYTES], char out[SPOOL_PUBLISHER_TEXT_BYTES]);
bool spool_publisher_parse(const char *text, uint8_t out[SPOOL_PUBLISHER_BYTES]);

/* ---- the writer: one process, any number of threads appending ---- */

typedef struct spool_writer spool_writer;

/* Makes `spool_folder/<publisher>/` and locks it for the life of the process. A disk without room is no error here:
 * appending then fails with STENO_SYSTEM until there is room.
 */
steno_status spool_writer_open(const char *spool_folder, const uint8_t publisher[SPOOL_PUBLISHER_BYTES],
                               size_t bytes_max, spool_writer **out, steno_error *error);
/* Releases lock and memory. The files stay for the daemon, unless the publisher never wrote an event. */
void spool_writer_close(spool_writer *writer);
/* After fork(), in the child: gives the memory back without touching the parent's files or lock. */
void spool_writer_abandon(spool_writer *writer);

/* Appends a record and gives it the next sequence number (from 1), also where the bytes could not be kept:
 * STENO_LIMIT (over bytes_max) and STENO_SYSTEM (disk) leave a gap in the spool at *seq, which the caller may
 * still send by the bus. STENO_OK: the record outlives the process. Thread-safe.
 */
steno_status spool_append(spool_writer *writer, const void *bytes, size_t size, uint64_t *seq, steno_error *error);
/* Makes the next pages and the next segment ready, so that the appending thread neither creates files nor waits for the file system. For the sender
 * thread, after each round.
 */
void spool_prepare(spool_writer *writer);
/* The highest sequence number given out. */
uint64_t spool_last_seq(const spool_writer *writer);

/* ---- the reader: the sender thread (own spool) and the daemon (everybody's) ---- */

typedef struct spool_reader spool_reader;

typedef struct spool_record {
    uint64_t seq;
    const void *bytes; /* borrowed until the next call on the reader */
    size_t size;
} spool_record;

/* Opens the folder of a publisher for reading from the first record whose sequence is >= from_seq.
 * STENO_NOT_FOUND if there is no such folder.
 */
steno_status spool_reader_open(const char *spool_folder, const uint8_t publisher[SPOOL_PUBLISHER_BYTES],
                               uint64_t from_seq, spool_reader **out, steno_error *error);
void spool_reader_close(spool_reader *reader);
/* The next record. STENO_END: nothing more for now, call again later. STENO_CORRUPT: the bytes at this place are damaged;
 * `error` names the file; the next call goes on with the next segment. STENO_SYSTEM: it could not be read, call again.
 */
steno_status spool_read(spool_reader *reader, spool_record *out, steno_error *error);

/* At STENO_END, the writer being gone: STENO_CORRUPT, as above, if later segments were written to, so that what looks like not yet
 * written here is damage (zeros, where a power cut kept the rest). STENO_END: there really is no more.
 */
steno_status spool_reader_finish(spool_reader *reader, steno_error *error);
/* At STENO_END: the highest sequence number that was given out to an event for which there was no room, 0 if there was room for all
 * that were given out since the last record.
 */
uint64_t spool_reader_refused(const spool_reader *reader);
/* After STENO_CORRUPT: moves the damaged file to `spool_folder/damaged/`, its new name to `path` (PATH_MAX bytes). */
steno_status spool_reader_set_aside(spool_reader *reader, char *path, steno_error *error);

/* ---- taking over, by the daemon ---- */

/* True while the process that opened the writer lives and has not closed it. Not to be asked within that process: POSIX record
 * locks know no owner below the process, and asking would drop the lock.
 */
bool spool_owner_alive(const char *spool_folder, const uint8_t publisher[SPOOL_PUBLISHER_BYTES]);
/* What a publisher's segments take on disk. */
size_t spool_bytes(const char *spool_folder, const uint8_t publisher[SPOOL_PUBLISHER_BYTES]);
/* Deletes the segments whose every record is below next_seq, except the one being written. `last`: the publisher has nothing left to be
 * said of it, so the folder goes too if its owner is gone and everything in it is below next_seq; *gone then tells so.
 */
steno_status spool_release(const char *spool_folder, const uint8_t publisher[SPOOL_PUBLISHER_BYTES], uint64_t next_seq,
                           bool last, bool *gone, steno_error *error);
/* Calls `visit` for each publisher folder; foreign files are passed over and counted in *foreign (may be NULL). */
typedef void (*spool_visit_fn)(const uint8_t publisher[SPOOL_PUBLISHER_BYTES], void *ctx);
steno_status spool_each(const char *spool_folder, spool_visit_fn visit, void *ctx, size_t *foreign, steno_error *error);

#endif
