/* What the daemon does with spools as a whole: find them, tell the living from the dead, delete what the log has taken over. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "schema/clean.h"
#include "schema/spool_format.h"

/* A folder whose lock nobody holds is somebody's leftover after so long; making one takes microseconds. */
#define FRESH_SECONDS_MAX 60

CLEANUP_FUNCTION(clean_dir, DIR, closedir)

static void lock_path(char out[SPOOL_PATH_BYTES], const char *folder) {
    snprintf(out, SPOOL_PATH_BYTES, "%.*s/" SPOOL_LOCK_NAME, (int)(SPOOL_PATH_BYTES - 8), folder);
}

static bool is_locked(const char *path) {
    cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fd >= 0 && !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK;
}

bool spool_owner_alive(const char *spool_folder, const uint8_t publisher[SPOOL_PUBLISHER_BYTES]) {
    char folder[SPOOL_PATH_BYTES], path[SPOOL_PATH_BYTES];
    spool_folder_path(folder, spool_folder, publisher, false);
    lock_path(path, folder);
    return is_locked(path);
}

size_t spool_bytes(const char *spool_folder, const uint8_t publisher[SPOOL_PUBLISHER_BYTES]) {
    char folder[SPOOL_PATH_BYTES];
    spool_folder_path(folder, spool_folder, publisher, false);
    return spool_folder_bytes(folder);
}

/* The sequence of a segment's first record; 0 if it has none yet, or is none of ours. The header's word alone, which no checksum covers, is not
 * believed: what is deleted by it is gone.
 */
static uint64_t first_seq(const char *folder, uint32_t index, const uint8_t publisher[SPOOL_PUBLISHER_BYTES]) {
    char path[SPOOL_PATH_BYTES];
    spool_segment_path(path, folder, index);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    spool_header header;
    spool_record_header record;
    if (fd < 0 || spool_header_read(fd, path, publisher, index, &header, NULL)) return 0;
    if (pread(fd, &record, sizeof record, sizeof header) != sizeof record) return 0;
    return record.seq == header.first_seq ? record.seq : 0;
}

static void delete_segment(const char *folder, uint32_t index) {
    char path[SPOOL_PATH_BYTES];
    spool_segment_path(path, folder, index);
    unlink(path);
}

/* True if a reader finds nothing from next_seq on in what is left of a dead publisher. */
static bool drained(const char *spool_folder, const uint8_t publisher[SPOOL_PUBLISHER_BYTES], uint64_t next_seq) {
    spool_reader *reader;
    if (spool_reader_open(spool_folder, publisher, next_seq, &reader, NULL)) return false;
    spool_record record;
    steno_status status = spool_read(reader, &record, NULL);
    if (status == STENO_END) status = spool_reader_finish(reader, NULL);
    spool_reader_close(reader);
    return status == STENO_END;
}

steno_status spool_release(const char *spool_folder, const uint8_t publisher[SPOOL_PUBLISHER_BYTES], uint64_t next_seq,
                           bool last, bool *gone, steno_error *error) {
    char folder[SPOOL_PATH_BYTES], lock[SPOOL_PATH_BYTES];
    spool_folder_path(folder, spool_folder, publisher, false);
    lock_path(lock, folder);
    *gone = false;
    /* Asked first: what an owner wrote before it died is seen below. */
    bool alive = !last || spool_owner_alive(spool_folder, publisher);
    uint32_t index = spool_segment_find(folder, 1);
    while (index) {
        uint32_t after = spool_segment_find(folder, index + 1);
        /* All of a segment is below the first record of the one after it. */
        uint64_t first = after ? first_seq(folder, after, publisher) : 0;
        if (!first || first > next_seq) break;
        delete_segment(folder, index);
        index = after;
    }
    if (alive || !drained(spool_folder, publisher, next_seq)) return STENO_OK;
    for (; index; index = spool_segment_find(folder, index + 1)) delete_segment(folder, index);
    unlink(lock);
    if (rmdir(folder) && errno != ENOENT)
        return steno_fail(error, STENO_SYSTEM, "cannot delete the spool %s: %s", folder, strerror(errno));
    *gone = true;
    return STENO_OK;
}

/* Deletes a folder that somebody began to make and was killed over. Where this process's clock and the file system's differ its age says nothing: a
 * folder that is not locked yet may be swept away under its maker's hands, who then makes it again.
 */
static void sweep_fresh(const char *spool_folder, const char *name) {
    char folder[SPOOL_PATH_BYTES], lock[SPOOL_PATH_BYTES];
    snprintf(folder, sizeof folder, "%.*s/%.64s", PLACE_PATH_BYTES, spool_folder, name);
    lock_path(lock, folder);
    struct stat made;
    if (stat(folder, &made) || time(NULL) - made.st_mtime < FRESH_SECONDS_MAX || is_locked(lock)) return;
    unlink(lock);
    rmdir(folder);
}

/* Links are none: they lead to what is not the spool's. */
static bool is_folder(DIR *in, const struct dirent *entry) {
    struct stat file;
    if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
    return !fstatat(dirfd(in), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) && S_ISDIR(file.st_mode);
}

steno_status spool_each(const char *spool_folder, spool_visit_fn visit, void *ctx, size_t *foreign,
                        steno_error *error) {
    if (foreign) *foreign = 0;
    cleanup(clean_dir) DIR *dir = opendir(spool_folder);
    if (!dir) {
        if (errno == ENOENT) return STENO_OK;
        return steno_fail(error, STENO_SYSTEM, "cannot read the folder %s: %s", spool_folder, strerror(errno));
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        uint8_t publisher[SPOOL_PUBLISHER_BYTES];
        const char *name = entry->d_name;
        if (is_folder(dir, entry) && spool_publisher_parse(name, publisher))
            visit(publisher, ctx);
        else if (!strncmp(name, SPOOL_NEW_PREFIX, strlen(SPOOL_NEW_PREFIX)))
            sweep_fresh(spool_folder, name);
        else if (strcmp(name, ".") && strcmp(name, "..") && strcmp(name, SPOOL_DAMAGED_NAME) && foreign)
            (*foreign)++;
    }
    return STENO_OK;
}
