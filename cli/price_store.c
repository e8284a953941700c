/* Replacing imported.json: written beside it, on disk, and then renamed. */
#include "cli/price_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/program.h"
#include "client/prices.h"
#include "schema/clean.h"

/* The file that becomes imported.json. One name, so that what a killed import left is used again and not piled up; a lock on it keeps two imports apart. */
#define NEW_NAME PRICES_IMPORTED ".new"
/* Another import has just renamed the file that was locked: look again. More often than this is not chance. */
#define LOCK_TRIES 100

static int cannot(const char *what, const char *path) {
    return program_fail("cannot %s %s: %s", what, path, strerror(errno));
}

/* The new file, locked and ours alone; negative after telling why not. */
static int open_new(int folder, const char *where) {
    for (int i = 0; i < LOCK_TRIES; i++) {
        struct stat opened, named;
        const int fd = openat(folder, NEW_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB)) {
            if (fd >= 0 && errno == EWOULDBLOCK)
                program_fail("%s: another import is under way: try again when it is over", where);
            else
                cannot("write " NEW_NAME " in", where);
            if (fd >= 0) close(fd);
            return -1;
        }
        /* What was opened may have been renamed to imported.json meanwhile. */
        if (fstat(fd, &opened) == 0 && fstatat(folder, NEW_NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
            opened.st_ino == named.st_ino)
            return fd;
        close(fd);
    }
    program_fail("%s: other imports keep replacing the file", where);
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

int price_store_write(const char *text, size_t size, char path[PRICE_STORE_PATH_BYTES]) {
    place where;
    steno_error error;
    char folder[PLACE_PATH_BYTES + 16];
    if (place_open(&where, NULL, &error)) return program_fail("%s", error.message);
    snprintf(folder, sizeof folder, "%s/" PRICES_FOLDER, where.state);
    snprintf(path, PRICE_STORE_PATH_BYTES, "%s/" PRICES_IMPORTED, folder);
    if (mkdir(folder, 0700) && errno != EEXIST) return cannot("make", folder);
    cleanup_close int inside = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (inside < 0) return cannot("open", folder);
    cleanup_close int fd = open_new(inside, folder);
    if (fd < 0) return EXIT_FAILED;
    if (ftruncate(fd, 0) || fchmod(fd, 0600) || !write_all(fd, text, size) || fsync(fd)) {
        const int failed = cannot("write " NEW_NAME " in", folder);
        unlinkat(inside, NEW_NAME, 0); /* it may be what fills the disk */
        return failed;
    }
    if (renameat(inside, NEW_NAME, inside, PRICES_IMPORTED)) return cannot("replace", path);
    return fsync(inside) ? cannot("write", folder) : EXIT_FINE;
}
