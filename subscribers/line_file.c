/* pread, pwrite and ftruncate; the place to write at is the caller's. */
#include "subscribers/line_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is read at once when looking for line ends. */
#define BLOCK_BYTES 65536

static ssize_t read_block(int fd, char *block, size_t size, off_t at) {
    ssize_t got;
    do {
        got = pread(fd, block, size, at);
    } while (got < 0 && errno == EINTR);
    return got;
}

/* Where the last line ends: 0 if there is none. -1 with errno. */
static off_t last_line_end(int fd, off_t size) {
    char block[BLOCK_BYTES];
    while (size > 0) {
        const off_t from = size > BLOCK_BYTES ? size - BLOCK_BYTES : 0;
        const ssize_t got = read_block(fd, block, (size_t)(size - from), from);
        if (got < 0) return -1;
        const char *newline = memrchr(block, '\n', (size_t)got);
        if (newline) return from + (newline - block) + 1;
        size = from;
    }
    return 0;
}

steno_status line_file_repair(int fd, off_t *end, off_t *cut, steno_error *error) {
    struct stat now;
    if (fstat(fd, &now)) return steno_fail(error, STENO_SYSTEM, "cannot look at the file: %s", strerror(errno));
    *end = last_line_end(fd, now.st_size);
    if (*end < 0) return steno_fail(error, STENO_SYSTEM, "cannot read the file's end: %s", strerror(errno));
    if (cut) *cut = now.st_size - *end;
    if (*end < now.st_size && ftruncate(fd, *end))
        return steno_fail(error, STENO_SYSTEM, "cannot cut off a torn line: %s", strerror(errno));
    return STENO_OK;
}

steno_status line_file_append(int fd, off_t *end, const void *lines, size_t size, steno_error *error) {
    size_t done = 0;
    while (done < size) {
        const ssize_t written = pwrite(fd, (const char *)lines + done, size - done, *end + (off_t)done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            const int why = written < 0 ? errno : ENOSPC;
            /* If that fails too, the next append writes over it all the same. */
            const int kept = ftruncate(fd, *end);
            return steno_fail(error, STENO_SYSTEM, "%s%s", strerror(why),
                              kept ? ", and a part cannot be taken back" : "");
        }
        done += (size_t)written;
    }
    *end += (off_t)size;
    return STENO_OK;
}

steno_status line_file_count(int fd, uint64_t *lines, steno_error *error) {
    char block[BLOCK_BYTES];
    ssize_t got;
    *lines = 0;
    for (off_t at = 0; (got = read_block(fd, block, sizeof block, at)) > 0; at += got)
        for (const char *from = block; (from = memchr(from, '\n', (size_t)(block + got - from))); from++) ++*lines;
    return got < 0 ? steno_fail(error, STENO_SYSTEM, "cannot read the file: %s", strerror(errno)) : STENO_OK;
}
