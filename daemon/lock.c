/* One daemon a folder. The descriptors are kept open until the process ends; that is what holds the lock. */
#include "daemon/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The pid that the holder wrote, for the case that the kernel can't name it (another pid namespace). */
static long written_pid(int fd) {
    char text[32] = "";
    long pid = 0;
    if (pread(fd, text, sizeof text - 1, 0) > 0 && sscanf(text, "%ld", &pid) == 1) return pid;
    return 0;
}

static steno_status lock_folder(const char *folder, steno_error *error) {
    char path[PLACE_PATH_BYTES + sizeof LOCK_NAME + 1];
    snprintf(path, sizeof path, "%s/" LOCK_NAME, folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return steno_fail(error, STENO_SYSTEM, "cannot open %s: %s", path, strerror(errno));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &lock)) {
        int reason = errno;
        long pid = 0;
        if (!fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK && lock.l_pid > 0) pid = lock.l_pid;
        if (!pid) pid = written_pid(fd);
        close(fd);
        if (reason != EACCES && reason != EAGAIN)
            return steno_fail(error, STENO_SYSTEM, "cannot lock %s: %s", path, strerror(reason));
        return steno_fail(error, STENO_BUSY,
                          "another stenod, pid %ld, is running on %s: stop it first, or use another --dir", pid,
                          folder);
    }
    /* A note for people and for other pid namespaces; without it the lock holds all the same. */
    if (ftruncate(fd, 0) || dprintf(fd, "%d\n", (int)getpid()) < 0) return STENO_OK;
    return STENO_OK;
}

steno_status lock_take(const place *where, steno_error *error) {
    steno_status status = lock_folder(where->state, error);
    if (!status && strcmp(where->state, where->runtime)) status = lock_folder(where->runtime, error);
    return status;
}
