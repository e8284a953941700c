/* The archive: the folder itself is the list of what is to be done, so a crash forgets nothing. */
#include "subscribers/jsonl_archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "schema/clean.h"

#define BLOCK_BYTES 65536
/* Rotated files that are looked at; more are left alone until there are fewer. */
#define FILES_MAX 100000
/* Of one day and offset: a cursor that was set back again and again. */
#define TWINS_MAX 1000
/* After a failure. */
#define RETRY_SECONDS 60
#define PATH_BYTES 4352
/* Of the FILE's name: a date, an offset and endings come to it, and 255 is the limit. */
#define BASE_BYTES_MAX 200
/* In the names of what is not whole. */
#define UNFINISHED ".gz.tmp"

struct jsonl_archive {
    char folder[PATH_BYTES];
    const char *base; /* the FILE's name in it */
    int folder_fd;    /* it stays the same number when the folder is another one */
    bool gzip;
    unsigned keep;
    atomic_bool ending;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    bool work;
    char problem[256];
};

CLEANUP_FUNCTION(stop_archive, jsonl_archive, jsonl_archive_stop)

typedef struct rotated {
    char *name;
    struct timespec written;
    bool compressed;
} rotated;

typedef struct rotated_list {
    rotated *files;
    size_t count;
} rotated_list;

static void list_free(rotated_list *list) {
    for (size_t i = 0; i < list->count; i++) free(list->files[i].name);
    free(list->files);
}

/* ---- names ---- */

static bool digits(const char **text, size_t least, size_t most) {
    size_t count = 0;
    while (**text >= '0' && **text <= '9' && count < most) ++*text, count++;
    return count >= least;
}

static bool sign(const char **text, char wanted) {
    if (**text != wanted) return false;
    ++*text;
    return true;
}

/* The rest of the name after FILE: .2026-11-29.000000012345, maybe -2, then nothing or an ending. NULL: it is none of ours. */
static const char *ending_of(const jsonl_archive *self, const char *name) {
    const size_t base = strlen(self->base);
    if (strncmp(name, self->base, base)) return NULL;
    const char *at = name + base;
    const bool ours = sign(&at, '.') && digits(&at, 4, 4) && sign(&at, '-') && digits(&at, 2, 2) && sign(&at, '-') &&
                      digits(&at, 2, 2) && sign(&at, '.') && digits(&at, 12, 20);
    if (!ours || (sign(&at, '-') && !digits(&at, 1, 4))) return NULL;
    return at;
}

static bool exists(const jsonl_archive *self, const char *name, const char *ending) {
    char path[PATH_BYTES + 8];
    snprintf(path, sizeof path, "%s%s", name, ending);
    struct stat there;
    return !fstatat(self->folder_fd, path, &there, AT_SYMLINK_NOFOLLOW);
}

/* ---- compressing ---- */

/* True if all of it went through. errno. */
static bool compress_to(const jsonl_archive *self, int from, int to) {
    const int own = dup(to);
    gzFile file = own < 0 ? NULL : gzdopen(own, "wb6");
    if (!file) {
        if (own >= 0) close(own);
        return false;
    }
    char block[BLOCK_BYTES];
    ssize_t got = 0;
    bool good = true;
    while (good && !atomic_load(&self->ending) && (got = read(from, block, sizeof block)) > 0)
        good = gzwrite(file, block, (unsigned)got) == (int)got;
    int why = errno;
    good = good && got == 0 && !atomic_load(&self->ending);
    if (gzclose(file) != Z_OK && good) {
        why = errno;
        good = false;
    }
    errno = why ? why : EIO;
    return good;
}

/* NAME becomes NAME.gz: written beside it, on the disk, renamed, and only then is NAME deleted. */
static bool compress_file(const jsonl_archive *self, const char *name) {
    char unfinished[PATH_BYTES], whole[PATH_BYTES];
    snprintf(unfinished, sizeof unfinished, "%s" UNFINISHED, name);
    snprintf(whole, sizeof whole, "%s.gz", name);
    cleanup_close int from = openat(self->folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat times;
    if (from < 0 || fstat(from, &times)) return false;
    cleanup_close int to =
        openat(self->folder_fd, unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (to < 0) return false;
    const struct timespec stamps[2] = {times.st_mtim, times.st_mtim};
    bool good = compress_to(self, from, to) && !futimens(to, stamps) && !fsync(to);
    good = good && !renameat(self->folder_fd, unfinished, self->folder_fd, whole) && !fsync(self->folder_fd);
    if (good) return !unlinkat(self->folder_fd, name, 0);
    const int why = errno;
    unlinkat(self->folder_fd, unfinished, 0);
    errno = why;
    return false;
}

/* ---- the work ---- */

/* Adds a name of the folder to the list, or deletes what is unfinished. False: no memory. */
static bool consider(const jsonl_archive *self, const char *name, rotated_list *list, size_t *room) {
    const char *ending = ending_of(self, name);
    if (!ending || list->count == FILES_MAX) return true;
    if (!strcmp(ending, UNFINISHED)) return !unlinkat(self->folder_fd, name, 0) || true;
    struct stat file;
    const bool compressed = !strcmp(ending, ".gz");
    if ((*ending && !compressed) || fstatat(self->folder_fd, name, &file, AT_SYMLINK_NOFOLLOW)) return true;
    if (!S_ISREG(file.st_mode)) return true;
    if (list->count == *room) {
        *room = *room ? 2 * *room : 64;
        rotated *more = realloc(list->files, *room * sizeof *more);
        if (!more) return false;
        list->files = more;
    }
    char *copy = strdup(name);
    if (copy) list->files[list->count++] = (rotated){copy, file.st_mtim, compressed};
    return copy != NULL;
}

/* What is in the folder. False with errno. */
static bool look(const jsonl_archive *self, rotated_list *out) {
    const int fd = openat(self->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        if (fd >= 0) close(fd);
        return false;
    }
    size_t room = 0;
    bool good = true;
    for (struct dirent *entry; good && (entry = readdir(folder));) good = consider(self, entry->d_name, out, &room);
    closedir(folder);
    if (!good) errno = ENOMEM;
    return good;
}

static int newest_first(const void *a, const void *b) {
    const rotated *one = a, *other = b;
    if (one->written.tv_sec != other->written.tv_sec) return one->written.tv_sec < other->written.tv_sec ? 1 : -1;
    if (one->written.tv_nsec != other->written.tv_nsec) return one->written.tv_nsec < other->written.tv_nsec ? 1 : -1;
    return strcmp(other->name, one->name);
}

/* A compressed file and the one that it was made of: they have one time, so they stand side by side. */
static bool twins(const rotated *one, const rotated *other) {
    const size_t size = strlen(other->name);
    return one->compressed && !other->compressed && !strncmp(one->name, other->name, size) &&
           !strcmp(one->name + size, ".gz");
}

static bool delete_oldest(const jsonl_archive *self) {
    cleanup(list_free) rotated_list list = {0};
    if (!look(self, &list)) return false;
    if (list.count <= self->keep) return true;
    qsort(list.files, list.count, sizeof *list.files, newest_first);
    size_t files = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (i == 0 || !twins(&list.files[i - 1], &list.files[i])) files++;
        if (files > self->keep && unlinkat(self->folder_fd, list.files[i].name, 0) && errno != ENOENT) return false;
    }
    return true;
}

static bool compress_all(const jsonl_archive *self) {
    cleanup(list_free) rotated_list list = {0};
    if (!look(self, &list)) return false;
    for (size_t i = 0; i < list.count && !atomic_load(&self->ending); i++)
        if (!list.files[i].compressed && !compress_file(self, list.files[i].name) && errno != ENOENT) return false;
    return true;
}

/* The oldest first, so that there is room for what is compressed. */
static void tidy(jsonl_archive *self) {
    const char *failed = NULL;
    if (self->keep && !delete_oldest(self))
        failed = "delete";
    else if (self->gzip && !compress_all(self) && !atomic_load(&self->ending))
        failed = "compress";
    const int why = errno;
    pthread_mutex_lock(&self->mutex);
    self->problem[0] = '\0';
    if (failed)
        snprintf(self->problem, sizeof self->problem, "cannot %s what was rotated in %.160s: %s", failed, self->folder,
                 strerror(why));
    pthread_mutex_unlock(&self->mutex);
}

static void *thread_main(void *ctx) {
    jsonl_archive *self = ctx;
    pthread_mutex_lock(&self->mutex);
    while (!atomic_load(&self->ending)) {
        if (self->work) {
            self->work = false;
            pthread_mutex_unlock(&self->mutex);
            tidy(self);
            pthread_mutex_lock(&self->mutex);
        } else if (self->problem[0]) {
            struct timespec again;
            clock_gettime(CLOCK_REALTIME, &again);
            again.tv_sec += RETRY_SECONDS;
            self->work = pthread_cond_timedwait(&self->changed, &self->mutex, &again) == ETIMEDOUT || self->work;
        } else {
            pthread_cond_wait(&self->changed, &self->mutex);
        }
    }
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

/* ---- reading ---- */

/* Up to `room` bytes of the file's end. 0: none; of a compressed one, all or nothing. gzread reads plain files as they are. */
static size_t read_end(const jsonl_archive *self, const rotated *file, char *out, size_t room) {
    const int fd = openat(self->folder_fd, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat now;
    if (fd < 0) return 0;
    if (!file->compressed && !fstat(fd, &now) && now.st_size > (off_t)room)
        lseek(fd, now.st_size - (off_t)room, SEEK_SET);
    gzFile from = gzdopen(fd, "rb");
    if (!from) {
        close(fd);
        return 0;
    }
    const int got = gzread(from, out, (unsigned)room);
    const bool all = got >= 0 && (!file->compressed || gzgetc(from) < 0);
    gzclose(from);
    return all ? (size_t)got : 0;
}

void jsonl_archive_recent(const jsonl_archive *self, size_t bytes,
                          void (*each)(const char *bytes, size_t size, void *ctx), void *ctx) {
    cleanup(list_free) rotated_list list = {0};
    cleanup_free char *block = malloc(bytes);
    if (!block || !look(self, &list)) return;
    if (list.count) qsort(list.files, list.count, sizeof *list.files, newest_first);
    for (size_t i = 0; i < list.count && bytes > 0; i++) {
        const size_t got = read_end(self, &list.files[i], block, bytes);
        if (got == 0) return; /* what is older is not what was written last */
        each(block, got, ctx);
        bytes -= got;
    }
}

/* ---- the face ---- */

/* Signals are the main thread's. */
static int start_thread(jsonl_archive *self) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&self->thread, NULL, thread_main, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static int open_folder(const jsonl_archive *self) { return open(self->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

static steno_status fail_on_folder(const jsonl_archive *self, steno_error *error) {
    return steno_fail(error, STENO_SYSTEM, "cannot open the folder %s: %s", self->folder, strerror(errno));
}

steno_status jsonl_archive_open(const char *path, bool gzip, unsigned keep, jsonl_archive **out, steno_error *error) {
    *out = NULL;
    cleanup(stop_archive) jsonl_archive *self = calloc(1, sizeof *self);
    if (!self) return steno_fail(error, STENO_NO_MEMORY, "no memory for the archive");
    self->gzip = gzip;
    self->keep = keep;
    self->work = true;
    self->folder_fd = -1;
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->changed, NULL);
    const char *slash = strrchr(path, '/');
    self->base = slash ? slash + 1 : path;
    const size_t size = slash ? (size_t)(slash - path) + (slash == path) : 1;
    if (size >= sizeof self->folder || strlen(self->base) > BASE_BYTES_MAX)
        return steno_fail(error, STENO_INVALID, "%.80s…: the name is too long", path);
    memcpy(self->folder, slash ? path : ".", size);
    self->folder_fd = open_folder(self);
    if (self->folder_fd < 0) return fail_on_folder(self, error);
    *out = self;
    self = NULL;
    return STENO_OK;
}

/* The thread may be at work: it finds the one folder or the other behind the number. */
steno_status jsonl_archive_follow(jsonl_archive *self, steno_error *error) {
    cleanup_close int fd = open_folder(self);
    return fd < 0 || dup3(fd, self->folder_fd, O_CLOEXEC) < 0 ? fail_on_folder(self, error) : STENO_OK;
}

steno_status jsonl_archive_start(jsonl_archive *self, steno_error *error) {
    if (!self->gzip && !self->keep) return STENO_OK;
    const int failed = start_thread(self);
    self->started = !failed;
    return failed ? steno_fail(error, STENO_SYSTEM, "cannot start a thread: %s", strerror(failed)) : STENO_OK;
}

void jsonl_archive_stop(jsonl_archive *self) {
    if (!self) return;
    pthread_mutex_lock(&self->mutex);
    atomic_store(&self->ending, true);
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->mutex);
    if (self->started) pthread_join(self->thread, NULL);
    if (self->folder_fd >= 0) close(self->folder_fd);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

steno_status jsonl_archive_take(jsonl_archive *self, const struct tm *day, uint64_t last_offset, steno_error *error) {
    char date[16], name[PATH_BYTES];
    strftime(date, sizeof date, "%Y-%m-%d", day);
    int failed = EEXIST;
    for (unsigned twin = 1; failed == EEXIST && twin <= TWINS_MAX; twin++) {
        const int size = snprintf(name, sizeof name, "%s.%s.%012" PRIu64, self->base, date, last_offset);
        if (twin > 1) snprintf(name + size, sizeof name - (size_t)size, "-%u", twin);
        if (exists(self, name, ".gz")) continue;
        failed = renameat2(self->folder_fd, self->base, self->folder_fd, name, RENAME_NOREPLACE) ? errno : 0;
        if (failed == EINVAL) /* a file system that has no such thing */
            failed = exists(self, name, "")                                         ? EEXIST
                     : renameat(self->folder_fd, self->base, self->folder_fd, name) ? errno
                                                                                    : 0;
    }
    if (failed)
        return steno_fail(error, STENO_SYSTEM, "cannot rename %s to %s: %s", self->base, name, strerror(failed));
    fsync(self->folder_fd);
    pthread_mutex_lock(&self->mutex);
    self->work = true;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->mutex);
    return STENO_OK;
}

void jsonl_archive_problem(jsonl_archive *self, char out[256]) {
    pthread_mutex_lock(&self->mutex);
    memcpy(out, self->problem, sizeof self->problem);
    pthread_mutex_unlock(&self->mutex);
}
