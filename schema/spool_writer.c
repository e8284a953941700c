/* Appending to a publisher's spool. One mutex guards the current segment; it is held for a copy, never over a system call but the
 * rare making of a segment that the sender thread had not made ready.
 * Invariant: whatever instruction is the last one executed, a reader finds whole records or nothing.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "schema/clean.h"
#include "schema/spool_format.h"

/* How long a full disk is left alone, so that an app with a full disk is not slowed down by trying. */
#define RETRY_MS 100
/* How often the sender thread counts what the daemon has left of the spool, once it is a quarter full. */
#define COUNT_MS 50
/* So far ahead of the last record the sender thread has pages ready: the first store to a page of a file asks the file system, which may wait for the
 * disk, and was half of what a call cost. Much further ahead, the kernel would write the pages back before they are used, and ask again. A publisher's
 * first segment begins with less: most publishers write little, and there may be a thousand of them.
 */
#define TOUCH_BYTES ((size_t)1 << 20)
#define TOUCH_BYTES_FIRST ((size_t)64 << 10)
#define PAGE_BYTES ((size_t)4096)

/* A mapped segment; index 0: none. */
typedef struct segment {
    uint32_t index;
    uint8_t *bytes;
    size_t size;
    size_t used;    /* where the next record begins */
    size_t touched; /* up to there the pages were made ready */
} segment;

struct spool_writer {
    uint8_t publisher[SPOOL_PUBLISHER_BYTES];
    char folder[SPOOL_PATH_BYTES];
    size_t bytes_max;
    int lock_fd; /* holds the record lock: closed only by spool_writer_close */

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t prepared;
    bool preparing; /* the sender thread is at the current segment's pages, or makes segment current.index + 1 */
    segment current;
    segment ready;
    segment old;        /* full; unmapped by the sender thread */
    size_t bytes;       /* on disk: counted up here, and anew by the sender thread as the daemon deletes */
    int64_t counted_ms; /* when it was counted last */
    int64_t retry_ms;   /* no segment is made before: making the last one failed */
    atomic_uint_fast64_t last_seq;
};

static void segment_unmap(segment *which) {
    if (which->index) munmap(which->bytes, which->size);
    *which = (segment){0};
}

/* How far ahead of its last record the segment's pages are to be ready: in the first one, as far as it has come. */
static size_t touch_ahead(const segment *which) {
    if (which->index > 1 || which->used > TOUCH_BYTES) return TOUCH_BYTES;
    return which->used > TOUCH_BYTES_FIRST ? which->used : TOUCH_BYTES_FIRST;
}

/* Where the pages are to be ready up to now: they are made so when half of what was ready is used. */
static size_t touch_end(const segment *which) {
    const size_t ahead = touch_ahead(which);
    if (which->touched >= which->used + ahead / 2 || which->touched == which->size) return which->touched;
    return which->size - which->used > ahead ? which->used + ahead : which->size;
}

/* Has the kernel make the pages ready, and reads of each, because a virtual machine's host does its part at the first access. Another thread may be
 * writing there already: what is read is of no interest. A kernel that can't do it does it as they are stored to.
 */
__attribute__((no_sanitize("thread"))) static void segment_touch(segment *which, size_t end) {
    const size_t from = which->touched / PAGE_BYTES * PAGE_BYTES;
    if (!madvise(which->bytes + from, end - from, MADV_POPULATE_WRITE))
        for (size_t at = from; at < end; at += PAGE_BYTES) (void)*(volatile uint8_t *)(which->bytes + at);
    which->touched = end;
}

/* The magic comes last: without it there is no header yet, and with it all of it is there. */
static void write_header(void *bytes, const spool_header *header) {
    const size_t size = sizeof header->magic;
    uint64_t magic;
    memcpy(&magic, header->magic, size);
    memcpy((char *)bytes + size, (const char *)header + size, sizeof *header - size);
    __atomic_store_n((uint64_t *)bytes, magic, __ATOMIC_RELEASE);
}

/* Makes segment `index`, allocated on disk, so that a later store can't meet a full disk. */
static steno_status segment_make(const spool_writer *writer, uint32_t index, size_t size, segment *out,
                                 steno_error *error) {
    char path[SPOOL_PATH_BYTES];
    spool_segment_path(path, writer->folder, index);
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return steno_fail(error, STENO_SYSTEM, "cannot make the spool segment %s: %s", path, strerror(errno));
    int failed = posix_fallocate(fd, 0, (off_t)size);
    void *bytes = failed ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        if (!failed) failed = errno;
        unlink(path);
        return steno_fail(error, STENO_SYSTEM, "cannot allocate %zu bytes for the spool segment %s: %s", size, path,
                          strerror(failed));
    }
    spool_header header = {.version = SPOOL_VERSION, .index = index, .segment_bytes = size};
    memcpy(header.magic, SPOOL_MAGIC, sizeof header.magic);
    memcpy(header.publisher, writer->publisher, sizeof header.publisher);
    header.checksum = spool_header_checksum(&header);
    write_header(bytes, &header);
    *out = (segment){.index = index, .bytes = bytes, .size = size, .used = sizeof header};
    return STENO_OK;
}

static void segment_remove(const spool_writer *writer, segment *which) {
    if (!which->index) return;
    char path[SPOOL_PATH_BYTES];
    spool_segment_path(path, writer->folder, which->index);
    segment_unmap(which);
    unlink(path);
}

/* A folder in the making that was swept away as somebody's leftover (spool_folder.c) is made again, so often. */
#define MAKE_TRIES_MAX 10

/* Locks `path` for this process; the lock ends with it, whatever ends it, and is not passed on to children. */
static int lock_file(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd >= 0 && fcntl(fd, F_SETLK, &lock)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Makes the folder with its lock, under another name until both are there. Returns the lock, or -1 with errno. */
static int make_folder(const char *fresh, const char *folder) {
    char lock[SPOOL_PATH_BYTES + 8];
    snprintf(lock, sizeof lock, "%s/" SPOOL_LOCK_NAME, fresh);
    if (mkdir(fresh, 0700)) return -1;
    int fd = lock_file(lock);
    if (fd >= 0 && !rename(fresh, folder)) return fd;
    const int failed = errno;
    if (fd >= 0) close(fd);
    unlink(lock);
    rmdir(fresh);
    errno = failed;
    return -1;
}

steno_status spool_writer_open(const char *spool_folder, const uint8_t publisher[SPOOL_PUBLISHER_BYTES],
                               size_t bytes_max, spool_writer **out, steno_error *error) {
    *out = NULL;
    spool_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return steno_fail(error, STENO_NO_MEMORY, "no memory for a spool");
    memcpy(writer->publisher, publisher, SPOOL_PUBLISHER_BYTES);
    writer->bytes_max = bytes_max;
    spool_folder_path(writer->folder, spool_folder, publisher, false);

    char fresh[SPOOL_PATH_BYTES];
    spool_folder_path(fresh, spool_folder, publisher, true);
    int tries = 0;
    do writer->lock_fd = make_folder(fresh, writer->folder);
    while (writer->lock_fd < 0 && errno == ENOENT && ++tries < MAKE_TRIES_MAX);
    if (writer->lock_fd < 0) {
        steno_fail(error, STENO_SYSTEM, "cannot make the spool %s: %s", writer->folder, strerror(errno));
        free(writer);
        return STENO_SYSTEM;
    }
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_cond_init(&writer->prepared, NULL);
    *out = writer;
    return STENO_OK;
}

static void writer_free(spool_writer *writer) {
    segment_unmap(&writer->current);
    segment_unmap(&writer->ready);
    segment_unmap(&writer->old);
    close(writer->lock_fd);
    free(writer);
}

void spool_writer_close(spool_writer *writer) {
    if (!writer) return;
    segment_remove(writer, &writer->ready);
    if (spool_last_seq(writer) == 0) {
        char lock[SPOOL_PATH_BYTES + 8];
        snprintf(lock, sizeof lock, "%s/" SPOOL_LOCK_NAME, writer->folder);
        segment_remove(writer, &writer->current);
        unlink(lock);
        rmdir(writer->folder);
    }
    pthread_mutex_destroy(&writer->mutex);
    pthread_cond_destroy(&writer->prepared);
    writer_free(writer);
}

void spool_writer_abandon(spool_writer *writer) {
    /* The mutex may be held by a thread that does not exist here: it is left alone. */
    if (writer) writer_free(writer);
}

uint64_t spool_last_seq(const spool_writer *writer) {
    return atomic_load_explicit(&writer->last_seq, memory_order_acquire);
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static steno_status check_room(const spool_writer *writer, size_t size, steno_error *error) {
    if (writer->bytes + size <= writer->bytes_max) return STENO_OK;
    return steno_fail(error, STENO_LIMIT, "the spool %s has reached its limit of %zu bytes: is stenod running?",
                      writer->folder, writer->bytes_max);
}

/* Makes a segment current that has room for `size` bytes of record. With the mutex held. */
static steno_status roll(spool_writer *writer, size_t size, steno_error *error) {
    while (writer->preparing) pthread_cond_wait(&writer->prepared, &writer->mutex);
    segment next = {0};
    if (writer->ready.index && writer->ready.size - writer->ready.used >= size) {
        next = writer->ready;
        writer->ready = (segment){0};
    } else {
        size_t bytes = sizeof(spool_header) + size + sizeof(spool_record_header);
        if (bytes < SPOOL_SEGMENT_BYTES) bytes = SPOOL_SEGMENT_BYTES;
        bytes = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
        if (writer->ready.index) {
            writer->bytes -= writer->ready.size;
            segment_remove(writer, &writer->ready);
        }
        steno_status status = check_room(writer, bytes, error);
        if (status) return status;
        if (now_ms() < writer->retry_ms)
            return steno_fail(error, STENO_SYSTEM, "the disk under the spool %s was full a moment ago", writer->folder);
        if ((status = segment_make(writer, writer->current.index + 1, bytes, &next, error))) {
            writer->retry_ms = now_ms() + RETRY_MS;
            return status;
        }
        writer->bytes += bytes;
    }
    if (writer->current.index) {
        /* Readers may go on to the next segment, which is there by now. */
        spool_record_header *end = (spool_record_header *)(void *)(writer->current.bytes + writer->current.used);
        __atomic_store_n(&end->size, SPOOL_CLOSED, __ATOMIC_RELEASE);
        segment_unmap(&writer->old);
        writer->old = writer->current;
    }
    writer->current = next;
    return STENO_OK;
}

/* The record itself, where there is room for it. With the mutex held. */
static void write_record(segment *into, const void *bytes, size_t size, uint64_t seq) {
    spool_header *head = (spool_header *)(void *)into->bytes;
    spool_record_header *record = (spool_record_header *)(void *)(into->bytes + into->used);
    if (!head->first_seq) __atomic_store_n(&head->first_seq, seq, __ATOMIC_RELAXED);
    memcpy(record + 1, bytes, size);
    record->seq = seq;
    record->checksum = spool_record_checksum(bytes, size, seq);
    __atomic_store_n(&record->size, (uint32_t)size, __ATOMIC_RELEASE);
    into->used += sizeof *record + SPOOL_ALIGN(size);
}

/* So that the reader learns of what was refused even if nothing follows it. With the mutex held. */
static void note_refused(segment *in, uint64_t seq) {
    if (!in->index) return; /* a disk that was full from the start has no place for this either */
    spool_header *head = (spool_header *)(void *)in->bytes;
    __atomic_store_n(&head->refused, spool_refused_pack(seq), __ATOMIC_RELEASE);
}

steno_status spool_append(spool_writer *writer, const void *bytes, size_t size, uint64_t *seq, steno_error *error) {
    assert(size > 0);
    steno_status status = STENO_OK;
    size_t needed = sizeof(spool_record_header) + SPOOL_ALIGN(size);
    pthread_mutex_lock(&writer->mutex);
    *seq = atomic_load_explicit(&writer->last_seq, memory_order_relaxed) + 1;
    if (size > SPOOL_SEGMENT_BYTES_MAX / 2)
        status = steno_fail(error, STENO_LIMIT, "a record of %zu bytes is larger than a segment can be", size);
    /* Room for the mark that closes the segment is always left. */
    else if (!writer->current.index ||
             writer->current.size - writer->current.used < needed + sizeof(spool_record_header))
        status = roll(writer, needed + sizeof(spool_record_header), error);
    if (!status)
        write_record(&writer->current, bytes, size, *seq);
    else
        note_refused(&writer->current, *seq);
    atomic_store_explicit(&writer->last_seq, *seq, memory_order_release);
    pthread_mutex_unlock(&writer->mutex);
    return status;
}

/* The mutex is not held while the folder is read: what is made meanwhile is seen next time. */
static void count_bytes(spool_writer *writer) {
    size_t before = writer->bytes;
    size_t counted = spool_folder_bytes(writer->folder);
    pthread_mutex_lock(&writer->mutex);
    writer->bytes = counted + (writer->bytes - before);
    writer->counted_ms = now_ms();
    pthread_mutex_unlock(&writer->mutex);
}

void spool_prepare(spool_writer *writer) {
    pthread_mutex_lock(&writer->mutex);
    segment old = writer->old;
    writer->old = (segment){0};
    /* A quarter full: early enough for an app that floods; one that writes little never pays for a second segment. */
    bool count = writer->bytes > writer->bytes_max / 4 && now_ms() > writer->counted_ms + COUNT_MS;
    bool due = writer->current.index && !writer->ready.index && writer->current.used > writer->current.size / 4 &&
               !check_room(writer, SPOOL_SEGMENT_BYTES, NULL);
    segment current = writer->current, made = {0};
    const size_t end = touch_end(&current);
    const bool touch = current.index && end > current.touched;
    writer->preparing = due || touch; /* the current segment stays it, and mapped */
    pthread_mutex_unlock(&writer->mutex);

    segment_unmap(&old);
    if (count) count_bytes(writer);
    if (!due && !touch) return;
    if (touch) segment_touch(&current, end);
    if (due && !segment_make(writer, current.index + 1, SPOOL_SEGMENT_BYTES, &made, NULL))
        segment_touch(&made, touch_end(&made));

    pthread_mutex_lock(&writer->mutex);
    writer->current.touched = current.touched;
    if (made.index) {
        writer->ready = made;
        writer->bytes += made.size;
    }
    writer->preparing = false;
    pthread_cond_broadcast(&writer->prepared);
    pthread_mutex_unlock(&writer->mutex);
}
