/* Reading a publisher's spool, one's own or somebody else's, with pread: a file that is cut off while we read it is an error
 * and not a SIGBUS. Invariant: a record is handed out only if its checksum holds and its sequence is above the one before.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/clean.h"
#include "schema/spool_format.h"

/* The window grows each time that records fill it, so that an idle look costs little and a backlog few system calls. */
#define WINDOW_BYTES_MIN 4096u
#define WINDOW_BYTES_MAX (64u << 10)

/* What has a segment's name may be anything: no link is followed, no pipe waited for. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)

struct spool_reader {
    uint8_t publisher[SPOOL_PUBLISHER_BYTES];
    char spool_folder[PLACE_PATH_BYTES];
    char folder[SPOOL_PATH_BYTES];
    uint64_t from_seq; /* records below it are passed over */
    uint64_t last_seq; /* of the last record read */
    uint32_t index;    /* of the open segment, or of the last one that was open */
    int fd;            /* -1: none open */
    uint32_t damaged;  /* index of the segment that was found damaged last, 0: none */
    uint64_t segment_bytes;
    uint64_t at; /* where the next record begins */

    uint8_t *window; /* bytes of the file from window_at on */
    size_t window_size;
    size_t window_room;
    size_t window_want;
    uint64_t window_at;
};

steno_status spool_reader_open(const char *spool_folder, const uint8_t publisher[SPOOL_PUBLISHER_BYTES],
                               uint64_t from_seq, spool_reader **out, steno_error *error) {
    *out = NULL;
    spool_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return steno_fail(error, STENO_NO_MEMORY, "no memory to read a spool");
    memcpy(reader->publisher, publisher, SPOOL_PUBLISHER_BYTES);
    snprintf(reader->spool_folder, sizeof reader->spool_folder, "%s", spool_folder);
    spool_folder_path(reader->folder, spool_folder, publisher, false);
    reader->from_seq = from_seq;
    reader->fd = -1;
    reader->window_want = WINDOW_BYTES_MIN;
    struct stat folder;
    if (stat(reader->folder, &folder)) {
        steno_status status = errno == ENOENT ? STENO_NOT_FOUND : STENO_SYSTEM;
        steno_fail(error, status, "cannot read the spool %s: %s", reader->folder, strerror(errno));
        free(reader);
        return status;
    }
    *out = reader;
    return STENO_OK;
}

void spool_reader_close(spool_reader *reader) {
    if (!reader) return;
    if (reader->fd >= 0) close(reader->fd);
    free(reader->window);
    free(reader);
}

static void leave_segment(spool_reader *reader) {
    if (reader->fd >= 0) close(reader->fd);
    reader->fd = -1;
    reader->window_size = 0;
}

static steno_status damaged(spool_reader *reader) {
    leave_segment(reader);
    reader->damaged = reader->index;
    return STENO_CORRUPT;
}

/* Opens the segment that follows. STENO_END if there is none yet. */
static steno_status enter_segment(spool_reader *reader, steno_error *error) {
    char path[SPOOL_PATH_BYTES];
    uint32_t index = reader->index + 1;
    spool_segment_path(path, reader->folder, index);
    int fd = open(path, OPEN_FLAGS);
    if (fd < 0 && errno == ENOENT) {
        /* Not made yet, or taken over and deleted already: then a later one is there. */
        index = spool_segment_find(reader->folder, index);
        if (!index) return STENO_END;
        spool_segment_path(path, reader->folder, index);
        fd = open(path, OPEN_FLAGS);
        if (fd < 0 && errno == ENOENT) return STENO_END;
    }
    const bool link = fd < 0 && errno == ELOOP;
    if (fd < 0 && !link) return steno_fail(error, STENO_SYSTEM, "cannot open %s: %s", path, strerror(errno));
    struct stat file;
    if (link || fstat(fd, &file) || !S_ISREG(file.st_mode)) {
        reader->index = index;
        reader->fd = fd;
        steno_fail(error, STENO_CORRUPT, "%s is no file", path);
        return damaged(reader);
    }
    /* A segment is made under its name and gets its size and header a moment later: until then it is empty, or all zeros. */
    uint64_t magic = 0;
    if (file.st_size == 0 || (pread(fd, &magic, sizeof magic, 0) == sizeof magic && magic == 0)) {
        close(fd);
        return STENO_END;
    }
    spool_header header;
    steno_status status = spool_header_read(fd, path, reader->publisher, index, &header, error);
    reader->index = index;
    reader->fd = fd;
    reader->segment_bytes = header.segment_bytes;
    reader->at = sizeof header;
    reader->window_size = 0;
    if (status == STENO_CORRUPT) return damaged(reader);
    if (status) leave_segment(reader);
    return status;
}

/* Makes the window begin at reader->at and hold at least `needed` bytes, freshly read. */
static steno_status fill_window(spool_reader *reader, size_t needed, steno_error *error) {
    size_t want = needed > reader->window_want ? needed : reader->window_want;
    uint64_t left = reader->segment_bytes - reader->at;
    if (want > left) want = (size_t)left;
    if (want > reader->window_room) {
        uint8_t *grown = realloc(reader->window, want);
        if (!grown) return steno_fail(error, STENO_NO_MEMORY, "no memory for %zu bytes of a spool", want);
        reader->window = grown;
        reader->window_room = want;
    }
    size_t have = 0;
    while (have < want) {
        ssize_t got = pread(reader->fd, reader->window + have, want - have, (off_t)(reader->at + have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return steno_fail(error, STENO_SYSTEM, "cannot read segment %u of %s: %s", reader->index, reader->folder,
                              strerror(errno));
        if (got == 0) break;
        have += (size_t)got;
    }
    reader->window_at = reader->at;
    reader->window_size = have;
    return STENO_OK;
}

/* The record header at reader->at, out of the window; `whole`: with the record's bytes. NULL if they are not in it. */
static const spool_record_header *in_window(const spool_reader *reader, bool whole) {
    uint64_t skip = reader->at - reader->window_at;
    if (reader->at < reader->window_at || skip + sizeof(spool_record_header) > reader->window_size) return NULL;
    const spool_record_header *record = (const spool_record_header *)(const void *)(reader->window + skip);
    if (whole && record->size > reader->window_size - skip - sizeof *record) return NULL;
    return record;
}

static bool record_holds(const spool_reader *reader, const spool_record_header *record) {
    return record && record->seq > reader->last_seq &&
           record->checksum == spool_record_checksum(record + 1, record->size, record->seq);
}

/* Goes on where the window ended, with a larger one. */
static steno_status next_window(spool_reader *reader, size_t needed, steno_error *error) {
    if (reader->window_size && reader->window_want < WINDOW_BYTES_MAX) reader->window_want *= 2;
    return fill_window(reader, needed, error);
}

/* Reads the record at reader->at, moving into the next segment where this one is closed. */
static steno_status read_record(spool_reader *reader, const spool_record_header **out, steno_error *error) {
    const spool_record_header *record = in_window(reader, false);
    steno_status status;
    if (!record && (status = next_window(reader, sizeof *record, error))) return status;
    if (record && record->size == 0 && (status = fill_window(reader, sizeof *record, error))) return status;
    record = in_window(reader, false);
    if (!record) {
        steno_fail(error, STENO_CORRUPT, "segment %u of %s ends in mid-air at byte %llu", reader->index, reader->folder,
                   (unsigned long long)reader->at);
        return damaged(reader);
    }
    if (record->size == 0) return STENO_END;
    if (record->size == SPOOL_CLOSED) {
        leave_segment(reader);
        *out = NULL;
        return STENO_OK;
    }
    size_t whole = sizeof *record + record->size;
    if (whole > reader->segment_bytes - reader->at) {
        steno_fail(error, STENO_CORRUPT, "segment %u of %s is damaged at byte %llu: a record of %u bytes",
                   reader->index, reader->folder, (unsigned long long)reader->at, record->size);
        return damaged(reader);
    }
    if (!in_window(reader, true) && (status = next_window(reader, whole, error))) return status;
    record = in_window(reader, true);
    if (!record_holds(reader, record)) {
        /* The window may have been read while the record was being committed: what is read now is not. */
        if ((status = fill_window(reader, whole, error))) return status;
        record = in_window(reader, true);
    }
    if (!record_holds(reader, record)) {
        steno_fail(error, STENO_CORRUPT, "segment %u of %s is damaged at byte %llu: the checksum does not hold",
                   reader->index, reader->folder, (unsigned long long)reader->at);
        return damaged(reader);
    }
    *out = record;
    return STENO_OK;
}

steno_status spool_read(spool_reader *reader, spool_record *out, steno_error *error) {
    for (;;) {
        steno_status status;
        if (reader->fd < 0 && (status = enter_segment(reader, error))) return status;
        const spool_record_header *record = NULL;
        status = read_record(reader, &record, error);
        if (status) {
            if (status == STENO_END) reader->window_want = WINDOW_BYTES_MIN;
            return status;
        }
        if (!record) continue;
        reader->at += sizeof *record + SPOOL_ALIGN(record->size);
        reader->last_seq = record->seq;
        if (record->seq < reader->from_seq) continue;
        *out = (spool_record){.seq = record->seq, .bytes = record + 1, .size = record->size};
        return STENO_OK;
    }
}

/* True if the segment was made ready and never used, or not even made to its end. */
static bool unused(const char *folder, uint32_t index, const uint8_t publisher[SPOOL_PUBLISHER_BYTES]) {
    char path[SPOOL_PATH_BYTES];
    spool_segment_path(path, folder, index);
    cleanup_close int fd = open(path, OPEN_FLAGS);
    spool_header header;
    if (fd < 0) return errno == ENOENT;
    if (!spool_header_read(fd, path, publisher, index, &header, NULL)) return header.first_seq == 0;
    struct stat file;
    uint64_t magic = 0;
    return !fstat(fd, &file) && S_ISREG(file.st_mode) && pread(fd, &magic, sizeof magic, 0) >= 0 && magic == 0;
}

steno_status spool_reader_finish(spool_reader *reader, steno_error *error) {
    const uint32_t here = reader->fd >= 0 ? reader->index : spool_segment_find(reader->folder, reader->index + 1);
    for (uint32_t later = here; here && (later = spool_segment_find(reader->folder, later + 1));) {
        if (unused(reader->folder, later, reader->publisher)) continue;
        steno_fail(error, STENO_CORRUPT, "segment %u of %s was never closed, and segment %u follows", here,
                   reader->folder, later);
        reader->index = here;
        return damaged(reader);
    }
    return STENO_END;
}

uint64_t spool_reader_refused(const spool_reader *reader) {
    uint64_t seq = 0;
    if (reader->fd < 0 || pread(reader->fd, &seq, sizeof seq, offsetof(spool_header, refused)) != sizeof seq) return 0;
    seq = spool_refused_unpack(seq);
    return seq > reader->last_seq ? seq : 0;
}

steno_status spool_reader_set_aside(spool_reader *reader, char *path, steno_error *error) {
    char from[SPOOL_PATH_BYTES], folder[SPOOL_PATH_BYTES], publisher[SPOOL_PUBLISHER_TEXT_BYTES];
    snprintf(folder, sizeof folder, "%s/" SPOOL_DAMAGED_NAME, reader->spool_folder);
    spool_segment_path(from, reader->folder, reader->damaged);
    spool_publisher_text(reader->publisher, publisher);
    snprintf(path, PATH_MAX, "%.*s/%s-%08x.seg", PATH_MAX - 64, folder, publisher, reader->damaged);
    if ((mkdir(folder, 0700) && errno != EEXIST) || rename(from, path))
        return steno_fail(error, STENO_SYSTEM, "cannot move %s to %s: %s", from, path, strerror(errno));
    return STENO_OK;
}
