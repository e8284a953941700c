/* Written beside it, on disk, and then renamed. The new file has one name, so that what a killed writer left is used again and not piled up; it is what the
 * lock is on.
 */
#include "cli/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/program.h"

/* Another writer has just renamed the file that was locked: look again. More often than this is not chance. */
#define LOCK_TRIES 100

static int cannot(const char *what, const char *path) {
    return program_fail("cannot %s %s: %s", what, path, strerror(errno));
}

static int cannot_write(const replacement *self) {
    return program_fail("cannot write %s in %s: %s", self->new_name, self->folder, strerror(errno));
}

/* The new file, locked and ours alone; negative after telling why not. */
static int open_new(const replacement *self, const char *what) {
    for (int i = 0; i < LOCK_TRIES; i++) {
        struct stat opened, named;
        const int fd = openat(self->inside, self->new_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB)) {
            if (fd >= 0 && errno == EWOULDBLOCK)
                program_fail("%s: another %s is under way: try again when it is over", self->folder, what);
            else
                cannot_write(self);
            if (fd >= 0) close(fd);
            return -1;
        }
        /* What was opened may have been renamed meanwhile. */
        if (fstat(fd, &opened) == 0 && fstatat(self->inside, self->new_name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
            opened.st_ino == named.st_ino)
            return fd;
        close(fd);
    }
    program_fail("%s: others keep replacing %s", self->folder, self->name);
    return -1;
}

static bool write_all(int fd, const char *text, size_t size) {
    while (size > 0) {
        const ssize_t written = write(fd, text, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        text += written;
        size -= (size_t)written;
    }
    return true;
}

int replace_begin(replacement *self, const char *folder, const char *name, const char *what) {
    *self = (replacement)REPLACE_INIT;
    snprintf(self->folder, sizeof self->folder, "%s", folder);
    snprintf(self->name, sizeof self->name, "%s", name);
    snprintf(self->new_name, sizeof self->new_name, "%s.new", name);
    if (mkdir(folder, 0700) && errno != EEXIST) return cannot("make", folder);
    self->inside = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->inside < 0) return cannot("open", folder);
    self->fd = open_new(self, what);
    return self->fd < 0 ? EXIT_FAILED : EXIT_FINE;
}

int replace_write(replacement *self, const char *text, size_t size) {
    if (ftruncate(self->fd, 0) || fchmod(self->fd, 0600) || !write_all(self->fd, text, size) || fsync(self->fd)) {
        const int failed = cannot_write(self);
        unlinkat(self->inside, self->new_name, 0); /* it may be what fills the disk */
        return failed;
    }
    if (renameat(self->inside, self->new_name, self->inside, self->name)) return cannot("replace", self->name);
    return fsync(self->inside) ? cannot("write", self->folder) : EXIT_FINE;
}

void replace_end(replacement *self) {
    if (self->fd >= 0) close(self->fd);
    if (self->inside >= 0) close(self->inside);
    *self = (replacement)REPLACE_INIT;
}
