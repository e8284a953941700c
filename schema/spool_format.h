/* The bytes of a segment file (SPOOL.md), shared by the rooms that write, read and release them. Little-endian. */
#ifndef STENO_SPOOL_FORMAT_H
#define STENO_SPOOL_FORMAT_H

#include <limits.h>
#include <stdint.h>

#include "schema/place.h"
#include "schema/spool.h"

#define SPOOL_MAGIC "STENOSEG"
#define SPOOL_VERSION 1u
#define SPOOL_LOCK_NAME "lock"
/* Folder, below the spool's, where damaged segments are kept. */
#define SPOOL_DAMAGED_NAME "damaged"
/* A publisher's folder has this before its name until its lock is held, so that nobody takes it for a dead one's. */
#define SPOOL_NEW_PREFIX ".new-"
/* "<spool>/<32 hex>/<8 hex>.seg" */
#define SPOOL_PATH_BYTES (PLACE_PATH_BYTES + 96)
/* Value of a record's `size` that says: this segment is closed, read on in the next one. */
#define SPOOL_CLOSED UINT32_MAX
/* Largest segment: one event of the largest size with its headers. */
#define SPOOL_SEGMENT_BYTES_MAX ((128u << 20))

/* First bytes of a segment. All but first_seq is written before the file gets its name. */
typedef struct spool_header {
    char magic[8];
    uint32_t version;
    uint32_t index; /* of the segment: 1, 2, 3, … */
    uint8_t publisher[SPOOL_PUBLISHER_BYTES];
    uint64_t segment_bytes; /* size of the whole file */
    uint64_t checksum;      /* XXH3-64 of what is above */
    uint64_t first_seq;     /* of the first record; 0 while there is none */
    uint64_t refused;       /* newest segment: spool_refused_pack of the last one it could not take; 0: none */
} spool_header;

/* Before each record, aligned to 8 bytes. `size` is stored last, with release order: it commits the record. */
typedef struct spool_record_header {
    uint32_t size; /* of the bytes that follow; 0: nothing here yet */
    uint32_t reserved;
    uint64_t seq;      /* above that of the record before */
    uint64_t checksum; /* XXH3-64 of the bytes, seeded with seq */
} spool_record_header;

_Static_assert(sizeof(spool_header) == 64, "the header has 64 bytes");
_Static_assert(sizeof(spool_record_header) == 24, "the record header has 24 bytes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "segments are little-endian");

#define SPOOL_ALIGN(size) (((size) + 7u) & ~(size_t)7u)

uint64_t spool_header_checksum(const spool_header *header);
uint64_t spool_record_checksum(const void *bytes, size_t size, uint64_t seq);
/* A sequence number and 16 bits that check it, in one word; and back, 0 if they do not fit together. */
uint64_t spool_refused_pack(uint64_t seq);
uint64_t spool_refused_unpack(uint64_t packed);

/* "<spool_folder>/<publisher>"; with the prefix SPOOL_NEW_PREFIX if `fresh`. */
void spool_folder_path(char out[SPOOL_PATH_BYTES], const char *spool_folder,
                       const uint8_t publisher[SPOOL_PUBLISHER_BYTES], bool fresh);
void spool_segment_path(char out[SPOOL_PATH_BYTES], const char *folder, uint32_t index);
/* The index in a segment's file name, 0 if the name is none. */
uint32_t spool_segment_index(const char *name);
/* The lowest segment index in `folder` that is >= from; 0 if there is none. */
uint32_t spool_segment_find(const char *folder, uint32_t from);
/* What the segments in `folder` take on disk. */
size_t spool_folder_bytes(const char *folder);
/* Reads and checks a segment's header. STENO_CORRUPT with the reason in `error`. */
steno_status spool_header_read(int fd, const char *path, const uint8_t publisher[SPOOL_PUBLISHER_BYTES], uint32_t index,
                               spool_header *out, steno_error *error);

#endif
